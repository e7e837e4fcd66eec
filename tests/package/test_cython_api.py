"""Extensions in C and C++ that cimport the package: the bits of Python, from pointers, without the GIL."""

from __future__ import annotations

import copy
import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import cython_api
from tests.helpers import cython_build

UNITS = ["sigmoid", "tanh", "linear", "relu", "satlin"]
LOSSES = {"squared": 0, "absolute": 2, "huber": 3, "cross_entropy": 4}
DTYPES = [np.float32, np.float64]


@pytest.fixture(scope="module", params=[0, 1], ids=["c", "c++"])
def user(request, built):
    return built[request.param]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """One source, compiled as C and as C++, in a folder that has nothing else."""
    source = Path(cython_build.__file__).with_name("cython_user.pyx").read_text()
    return cython_build.build(tmp_path_factory.mktemp("user"), source, {"user_c": "c", "user_cpp": "c++"})


def encoder(n_visible, n_hidden, dtype, hidden="sigmoid", seed=0):
    rng = np.random.default_rng([seed, n_visible, n_hidden])
    params = sf.init_params(n_visible, n_hidden, random_state=rng, dtype=dtype)
    return sf.Encoder(params._replace(b1=rng.normal(size=n_hidden).astype(dtype)), hidden=hidden)


def stack(dtype):
    sizes = ((61, 33, "tanh"), (33, 9, "relu"), (9, 17, "satlin"))
    return sf.StackEncoder([encoder(v, h, dtype, hidden) for v, h, hidden in sizes])


def rows(n, n_visible, dtype):
    return np.random.default_rng(1).uniform(-1, 1, (n, n_visible)).astype(dtype)


def both_ways(user, model, X):
    """Codes by encode and by encode_one; what is not written stays NaN."""
    codes, one_by_one = np.full((2, len(X), model.n_hidden), np.nan, X.dtype)
    assert user.encode(model, X, codes, one_by_one) == 0
    return codes, one_by_one


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(784, 196), (64, 25), (1, 1), (17, 33)], ids=str)
def test_an_encoder_gives_the_bits_of_python(user, shape, dtype):
    """1000 rows at once, and one by one."""
    model, X = encoder(*shape, dtype), rows(1000, shape[0], dtype)
    for codes in both_ways(user, model, X):
        assert np.array_equal(codes, model(X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [unit for unit in UNITS if unit != "linear"])
def test_every_unit(user, hidden, dtype):
    """Those that Python has."""
    model, X = encoder(9, 8, dtype, hidden), 3 * rows(20, 9, dtype)
    for codes in both_ways(user, model, X):
        assert np.array_equal(codes, model(X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 1000, 5000])
def test_a_stack_gives_the_bits_of_python(user, n, dtype):
    """Of any number of rows, whatever the blocks in which they go through the layers."""
    model, X = stack(dtype), rows(n, 61, dtype)
    for codes in both_ways(user, model, X):
        assert np.array_equal(codes, model(X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_threads", [0, 1, 3])
def test_rows_with_gaps(user, dtype, n_threads):
    """Columns of larger arrays are read and written where they lie, on any number of threads."""
    model, wide = stack(dtype), rows(700, 80, dtype)
    codes = np.full((700, 20), 7, dtype)
    assert user.encode_strided(model, wide[:, 5:66], codes[:, 2:19], n_threads) == 0
    assert np.array_equal(codes[:, 2:19], model(wide[:, 5:66]))
    assert (codes[:, [0, 1, 19]] == 7).all()
    assert user.encode_strided(model, wide[:, :61], codes[:, :17].T.copy().T, n_threads) == -1  # by columns: no rows


def test_facts(user):
    """Sizes, type and version are those of the object and of the file that was compiled with."""
    assert user.facts(encoder(5, 3, np.float32)) == (5, 3, 4)
    assert user.facts(stack(np.float64)) == (61, 17, 8)
    assert user.versions() == (1, 1)


@pytest.mark.parametrize("wrong", [None, 3, "encoder", sf.Encoder, object()], ids=str)
def test_what_is_no_encoder(user, wrong):
    """The error says what is wanted."""
    with pytest.raises(TypeError, match=r"encoder must be a sae_fast.Encoder or StackEncoder, got \w+: sae_fast.fold"):
        user.facts(wrong)


def test_an_encoder_that_was_never_initialised(user):
    """An error and no crash."""
    for cls in (sf.Encoder, sf.StackEncoder):
        with pytest.raises(TypeError, match=r"initialised|must be"):
            user.facts(cls.__new__(cls))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_handles_of_their_own(user, again):
    """A handle is no part of what is stored, and a copy has its own when it is asked."""
    for model in (encoder(5, 3, np.float64), stack(np.float64)):
        facts, X = user.facts(model), rows(4, model.n_visible, np.float64)
        wanted, copied = model(X), again(model)
        del model
        gc.collect()
        assert user.facts(copied) == facts
        assert all(np.array_equal(codes, wanted) for codes in both_ways(user, copied, X))


def test_the_other_type_gives_nan_and_a_number(user):
    """Who does not look at the number sees it in the codes."""
    codes, one_by_one = np.zeros((2, 4, 3), np.float32)
    assert user.encode(encoder(5, 3, np.float64), rows(4, 5, np.float32), codes, one_by_one) == -1
    assert np.isnan(codes).all()
    assert np.isnan(one_by_one).all()


@pytest.mark.parametrize("model", [encoder(64, 25, np.float64), stack(np.float64)], ids=["encoder", "stack"])
def test_threads_share_a_handle(user, model):
    """Eight threads at once, none of them with the GIL: every code has the bits that it has alone."""
    X = rows(200, model.n_visible, np.float64)
    wanted = model(X)

    def work(_):
        return user.count_differences(model, X, wanted, np.empty(model.n_hidden), 10)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [0] * 8


@pytest.mark.parametrize("model", [encoder(64, 25, np.float32), stack(np.float64)], ids=["encoder", "stack"])
def test_a_file(user, model, tmp_path):
    """A handle from a file needs nobody else to live."""
    path, X = tmp_path / "model.safetensors", rows(30, model.n_visible, model.dtype)
    model.save(path)
    wanted, codes = model(X), np.empty((30, model.n_hidden), model.dtype)
    owned = user.load(path)
    del model
    gc.collect()
    assert owned.codes_of(X, codes) == 0
    assert np.array_equal(codes, wanted)


def test_a_model_file_with_a_scale(user, tmp_path):
    """The scaling is folded in, as Encoder.load does it."""
    X = rows(200, 12, np.float64)
    path = tmp_path / "model.safetensors"
    sf.SparseAutoencoder(5, scale="minmax", max_iter=3, random_state=0).fit(X).save(path)
    codes = np.empty((200, 5))
    assert user.load(path).codes_of(X, codes) == 0
    assert np.array_equal(codes, sf.Encoder.load(path)(X))


def test_a_file_that_is_none(user, tmp_path):
    """Errors are Python's."""
    with pytest.raises(FileNotFoundError):
        user.load(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("no model")
    with pytest.raises(sf.ModelFileError):
        user.load(tmp_path / "text")


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays(user, dtype):
    """Layers from arrays, and a stack of them, which outlives its parts."""
    model, X = stack(dtype), rows(40, 61, dtype)
    owned = None
    for layer in model.layers:
        part = user.layer_of(layer.W1, layer.b1, UNITS.index(layer.hidden))
        owned = part if owned is None else user.stack_of(owned, part)
    del part
    gc.collect()
    codes = np.empty((40, 17), dtype)
    assert owned.codes_of(X, codes) == 0
    assert np.array_equal(codes, model(X))
    assert user.stack_of(owned, owned) is None  # 17 codes, 61 features
    other = np.float64 if dtype == np.float32 else np.float32
    assert user.stack_of(owned, user.layer_of(np.ones((2, 17), other), np.ones(2, other), 0)) is None
    assert user.layer_of(np.ones((2, 17), dtype), np.ones(2, dtype), 5) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("hidden", "output", "loss"),
    [("sigmoid", "sigmoid", "squared"), ("tanh", "linear", "huber"), ("sigmoid", "sigmoid", "cross_entropy"),
     ("satlin", "linear", "absolute")],
)  # fmt: skip
def test_cost_and_grad(user, hidden, output, loss, dtype):
    """Cost and gradient of all rows, and of some by number, are Python's to the last bit."""
    params = sf.init_params(20, 7, random_state=0, dtype=dtype)
    X = (rows(90, 20, dtype) + 1) / 2
    settings = {"rho": 0.1, "beta": 0.5, "weight_decay": 1e-3, "l1": 0.01}
    numbers = [UNITS.index(hidden), UNITS.index(output), LOSSES[loss]]
    theta, grad = sf.flatten(params), np.empty(7 * 20 * 2 + 27, dtype)
    for picked in (None, np.array([3, 89, 0, 3], np.intp)):
        J = user.cost_and_grad(theta, 7, X, picked, grad, *settings.values(), *numbers)
        data = X if picked is None else X[picked]
        wanted, slopes = sf.cost_and_grad(params, data, hidden=hidden, output=output, loss=loss, **settings)
        assert wanted == J
        assert np.array_equal(grad, sf.flatten(slopes))


def test_settings_that_python_refuses(user):
    """The cost is NaN, and nothing is written."""
    theta, grad, X = np.zeros(7 * 20 * 2 + 27), np.full(7 * 20 * 2 + 27, 7.0), rows(9, 20, np.float64)
    good = dict(rho=0.1, beta=3.0, weight_decay=0.0, l1=0.0, hidden=0, output=0, loss=0)
    wrong = [{"rho": 1.0}, {"beta": -1.0}, {"weight_decay": np.inf}, {"l1": np.nan}, {"hidden": 3}, {"hidden": 7},
             {"output": -1}, {"loss": 1}, {"loss": 4, "output": 1}]  # fmt: skip
    for change in wrong:
        assert np.isnan(user.cost_and_grad(theta, 7, X, None, grad, *(good | change).values())), change
    assert (grad == 7).all()
    assert user.cost_and_grad(theta, 7, X, None, grad, *good.values()) > 0


def test_signatures_stay():
    """What was exported once is exported for ever: a module that was compiled with it goes on running."""
    h, n, sizes = "struct sae_fast_encoder const *", "Py_ssize_t", "Py_ssize_t, Py_ssize_t"
    settings = "struct __pyx_t_8sae_fast_10cython_api_CostSettings const *"
    wanted = {
        "api_version": "int (void)",
        "encoder_handle": "struct sae_fast_encoder const *(PyObject *)",
        "load_encoder": "struct sae_fast_encoder *(PyObject *)",
        "stack_encoders": f"struct sae_fast_encoder *(struct sae_fast_encoder const *const *, {n})",
        "free_encoder": "void (struct sae_fast_encoder *)",
        "encoder_n_visible": f"{n} ({h})",
        "encoder_n_hidden": f"{n} ({h})",
        "encoder_itemsize": f"int ({h})",
    }
    for kind, T in (("f32", "float"), ("f64", "double")):
        wanted |= {
            f"new_encoder_{kind}": f"struct sae_fast_encoder *({T} const *, {T} const *, {n}, {n}, int)",
            f"encode_one_{kind}": f"int ({h}, {T} const *, {T} *)",
            f"encode_{kind}": f"int ({h}, {T} const *, {n}, {T} *)",
            f"encode_strided_{kind}": f"int ({h}, {T} const *, {n}, {n}, {T} *, {n}, int)",
            f"cost_and_grad_{kind}": f"double ({T} const *, {sizes}, {T} const *, {n} const *, {n}, {settings}, {T} *)",
        }
    exported = {name: repr(capsule).split('"')[1] for name, capsule in cython_api.__pyx_capi__.items()}
    assert wanted.items() <= exported.items()
