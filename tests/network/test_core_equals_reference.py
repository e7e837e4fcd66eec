"""The core computes what the NumPy reference computes, for any type, layout, size and number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from sae_fast.reference._training import permutation
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT, SIZES, TOLERANCE, error, make

pytestmark = pytest.mark.core

SETTINGS = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-3}


def assert_same(params, X, tolerance, **options):
    """Everything the functional API computes, from both implementations."""
    units = {"hidden": options.get("hidden", "sigmoid"), "output": options.get("output", "sigmoid")}
    weight = {"sample_weight": options.get("sample_weight")}
    threads = {"n_threads": options.get("n_threads")}
    a2, a3 = reference.forward(params, X, **units)
    assert error(sf.forward(params, X, **units, **threads), (a2, a3)) <= tolerance
    assert error(sf.encode(params, X, hidden=units["hidden"], **threads), a2) <= tolerance
    assert error(sf.decode(params, a2, output=units["output"], **threads), a3) <= tolerance
    settings = SETTINGS | {"beta": options.get("beta", SETTINGS["beta"])}
    penalty = {"rho": settings["rho"], "beta": settings["beta"]}
    ours = sf.deltas(params, X, **penalty, **units, **weight, **threads)
    assert error(ours, reference.deltas(params, X, **penalty, **units, **weight)) <= 20 * tolerance
    J, grad = sf.cost_and_grad(params, X, **settings, **units, **weight, **threads)
    wanted, reference_grad = reference.cost_and_grad(params, X, **settings, **units, **weight)
    assert pytest.approx(wanted, rel=tolerance) == J
    assert error(grad, reference_grad) <= 20 * tolerance
    assert sf.cost(params, X, **settings, **units, **weight, **threads) == pytest.approx(
        reference.cost(params, X, **settings, **units, **weight), rel=tolerance
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", SIZES)
def test_any_number_of_samples(m, dtype):
    """Awkward numbers of samples give the reference's results."""
    assert_same(*make(m, 17, 9, dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("v", [*SIZES, 13, 25, 27])
@pytest.mark.parametrize("h", [*SIZES, 13, 25, 27])
def test_any_layer_sizes(v, h, dtype):
    """Awkward layer sizes give the reference's results."""
    assert_same(*make(33, v, h, dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [3, 70])
@pytest.mark.parametrize("wide", [833, 1700])
@pytest.mark.parametrize("narrow", [1, 5, 13, 25, 27, 33, 70])
def test_wide_layers(narrow, wide, m, dtype):
    """Sums so long that products go through them in parts give the reference's results, in either layer."""
    assert_same(*make(m, wide, narrow, dtype), TOLERANCE[dtype])
    assert_same(*make(m, narrow, wide, dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("output", OUTPUT)
def test_any_units_and_threads(hidden, output, dtype, n_threads):
    """Every pair of units gives the reference's results on any number of threads."""
    params, X = make(1100, 65, 33, dtype)
    assert_same(params, X, TOLERANCE[dtype], hidden=hidden, output=output, n_threads=n_threads)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("beta", [0.0, 3.0])
@pytest.mark.parametrize("shape", [(2500, 130, 70), (1500, 300, 200)], ids=["small gradients", "large gradients"])
def test_several_blocks(shape, beta, hidden, dtype):
    """Data that do not fit one block of the second pass give the reference's results."""
    params, X = make(*shape, dtype)
    assert_same(params, X, TOLERANCE[dtype], hidden=hidden, beta=beta, n_threads=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6200, 33, 9), (9001, 17, 25), (20000, 64, 25)])
def test_chunks_of_several_blocks(shape, dtype):
    """Samples so many that each share of a small gradient is summed block by block give the reference's results."""
    params, X = make(*shape, dtype)
    weight = np.random.default_rng(1).uniform(0, 2, len(X))
    for sample_weight in (None, weight):
        assert_same(params, X, TOLERANCE[dtype], n_threads=2, sample_weight=sample_weight)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_weight(dtype):
    """Weights count in every mean, also zeros."""
    params, X = make(300, 20, 10, dtype)
    weight = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
    assert_same(params, X, TOLERANCE[dtype], sample_weight=weight)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_weight_with_out(dtype):
    """Weights count, too, where the gradients go to arrays that were given."""
    params, X = make(90, 20, 10, dtype)
    options = SETTINGS | {"sample_weight": np.random.default_rng(1).uniform(0, 3, len(X))}
    out = sf.Params(*(np.empty_like(a) for a in params))
    J, grad = sf.cost_and_grad(params, X, **options, out=out)
    wanted, gradient = reference.cost_and_grad(params, X, **options)
    assert grad is out
    assert pytest.approx(wanted, rel=TOLERANCE[dtype]) == J
    assert error(grad, gradient) <= 20 * TOLERANCE[dtype]


def records(a, tag="i2"):
    """The same rows, each with a tag behind it: their distance is no multiple of their elements."""
    table = np.zeros(len(a), [("x", a.dtype, a.shape[1:]), ("tag", tag)])
    table["x"] = a
    return table["x"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.repeat(a, 3, axis=0)[::3],
        lambda a: a[::-1, ::-1],
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: np.frombuffer(b"0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
        records,
    ],
    ids=["fortran", "column stride", "row stride", "negative", "zero stride", "unaligned", "records"],
)
def test_any_layout_of_data(layout, dtype):
    """Strides of any sign, and unaligned data, give the results of a plain copy."""
    params, X = make(90, 17, 9, dtype)
    view = layout(X)
    plain = sf.cost_and_grad(params, np.array(view, order="C"), **SETTINGS)
    assert sf.cost_and_grad(params, view, **SETTINGS)[0] == plain[0]
    np.testing.assert_array_equal(sf.encode(params, view), sf.encode(params, np.array(view, order="C")))


@pytest.mark.parametrize("kind", "?bhilBHILefdg")
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype_of_data(kind, dtype):
    """Data of another real dtype give the results of data converted beforehand."""
    params, _ = make(1, 17, 9, dtype)
    X = (np.random.default_rng(0).uniform(0, 3, (70, 17))).astype(kind)
    wanted = sf.cost_and_grad(params, X.astype(np.float64).astype(dtype), **SETTINGS)
    got = sf.cost_and_grad(params, X, **SETTINGS)
    assert got[0] == wanted[0]
    assert error(got[1], wanted[1]) == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 32])
@pytest.mark.parametrize("step", [1, 2])
def test_half_precision_is_read_exactly(dtype, width, step):
    """Every float16 is the number that NumPy reads: in rows of one and of many, side by side and not."""
    bits = np.arange(2**16, dtype=np.uint16).view(np.float16)
    if width > 1:
        bits = bits[np.isfinite(bits)]  # others would spoil a row
    X = np.repeat(bits.reshape(-1, width), step, axis=1)[:, ::step]
    eye, zeros = np.eye(width, dtype=dtype), np.zeros(width, dtype)
    found = sf.decode(sf.Params(eye, zeros, eye, zeros), X, output="linear")
    np.testing.assert_array_equal(found, X.astype(dtype))


def test_read_only_and_big_endian():
    """Read-only and foreign-endian arrays are inputs like any other."""
    params, X = make(20, 5, 4)
    wanted = sf.encode(params, X)
    X.flags.writeable = False
    for array in params:
        array.flags.writeable = False
    np.testing.assert_array_equal(sf.encode(params, X), wanted)
    np.testing.assert_array_equal(sf.encode(params, X.astype(">f8")), wanted)


def test_strided_parameters():
    """Parameters need not be contiguous."""
    params, X = make(20, 5, 4)
    loose = sf.Params(*(np.repeat(a, 2, axis=-1)[..., ::2] for a in params))
    assert sf.cost_and_grad(loose, X, **SETTINGS)[0] == sf.cost_and_grad(params, X, **SETTINGS)[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_code_does_not_depend_on_its_neighbours(dtype):
    """A row has the same code to the last bit alone, in a small batch and in a large one."""
    params, X = make(300, 65, 33, dtype)
    whole = sf.encode(params, X)
    for rows in (1, 7, 64, 65):
        np.testing.assert_array_equal(sf.encode(params, X[:rows]), whole[:rows])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "adam"},
        {"solver": "sgd", "learning_rate": 0.5},
        {"solver": "sgd", "momentum": 0.9},
        {"solver": "sgd", "momentum": 0.9, "nesterov": True},
        {"solver": "adam", "rho_hat_momentum": 0.9},
        {"solver": "adam", "rho_hat_momentum": 0.9, "hidden": "tanh", "output": "linear"},
        {"solver": "adam", "shuffle": False, "batch_size": 1000},
        {"solver": "adam", "sample_weight": np.r_[np.zeros(40), np.ones(60)], "shuffle": False, "batch_size": 20},
        {"solver": "sgd", "sample_weight": np.arange(100.0) % 7, "momentum": 0.9},
    ],
    ids=lambda options: " ".join(f"{k}={v}" if np.isscalar(v) else k for k, v in options.items()),
)
def test_training_follows_the_reference(options, dtype):
    """A training run takes the reference's path, minibatch by minibatch."""
    params, X = make(100, 12, 7, dtype)
    settings = {"batch_size": 33, "n_epochs": 4, "random_state": 11} | options
    got, history = sf.train(params, X, **settings)
    wanted, reference_history = reference.train(params, X, **settings)
    assert error(got, wanted) <= 50 * TOLERANCE[dtype]
    assert error(history, reference_history) <= 50 * TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_running_means_that_underflow(hidden, dtype):
    """Running means of units that no sample switches on, or off, follow the reference, which keeps their logarithms."""
    params, X = make(90, 12, 8, dtype)
    params.b1[::2] = -900 if dtype == np.float64 else -130
    params.b1[1::4] = 900 if dtype == np.float64 else 130
    options = SETTINGS | {"rho_hat_momentum": 0.9, "batch_size": 30, "n_epochs": 3, "random_state": 0, "hidden": hidden}
    weight = np.arange(90.0) % 5
    for sample_weight in (None, weight):
        got, history = sf.train(params, X, **options, sample_weight=sample_weight)
        wanted, reference_history = reference.train(params, X, **options, sample_weight=sample_weight)
        assert error(got, wanted) <= 50 * TOLERANCE[dtype]
        assert error(history, reference_history) <= 50 * TOLERANCE[dtype]


def test_the_permutation_is_the_documented_one():
    """The shuffle takes the numbers of SplitMix64 that its authors' code gives for seed 0, from the last row down."""
    published = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC)
    # Floors of 5, 4, 3 and 2 times these numbers over 2^64: the row that row 4, 3, 2 and 1 changes places with.
    assert [(i + 1) * z >> 64 for i, z in zip((4, 3, 2, 1), published, strict=True)] == [4, 1, 0, 1]
    # 01234 -(4,4)-> 01234 -(3,1)-> 03214 -(2,0)-> 23014 -(1,1)-> 23014
    order, state = permutation(5, 0)
    assert order.tolist() == [2, 3, 0, 1, 4]
    assert state == 4 * 0x9E3779B97F4A7C15 % 2**64
