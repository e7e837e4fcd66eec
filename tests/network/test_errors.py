"""Every error of the functional API: argument, value got, value wanted; alike in core and reference."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT, make

pytestmark = pytest.mark.core

SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}
PARAMS, X = make(5, 4, 3)


def like(**changes):
    return PARAMS._replace(**changes)


WRONG_PARAMS = [
    (None, TypeError, r"params must be a sequence \(W1, b1, W2, b2\) of arrays, got NoneType"),
    (PARAMS[:3], TypeError, r"params must be a sequence \(W1, b1, W2, b2\) of arrays, got tuple"),
    ("abcd", TypeError, "params must be a sequence"),
    (like(W1=PARAMS.W1.tolist()), TypeError, r"params.W1 must be a NumPy array, got list"),
    (like(b1=PARAMS.b1.astype(np.float32)), TypeError, "params must be float32 or float64, all alike, got float32, fl"),
    (tuple(p.astype(int) for p in PARAMS), TypeError, "params must be float32 or float64, all alike, got int64"),
    (tuple(p.astype(complex) for p in PARAMS), TypeError, "all alike, got complex128"),
    (like(W1=np.zeros(3)), ValueError, r"params.W1 must have shape \(n_hidden, n_visible\), both >= 1, got \(3,\)"),
    (like(W1=np.zeros((0, 4))), ValueError, r"both >= 1, got \(0, 4\)"),
    (like(b1=np.zeros(4)), ValueError, r"params.b1 must have shape \(3,\) to match W1 \(3, 4\), got \(4,\)"),
    (like(W2=np.zeros((3, 4))), ValueError, r"params.W2 must have shape \(4, 3\) to match W1 \(3, 4\), got \(3, 4\)"),
    (like(b2=np.zeros((4, 1))), ValueError, r"params.b2 must have shape \(4,\) to match W1 \(3, 4\), got \(4, 1\)"),
]

WRONG_X = [
    (np.zeros((5, 3)), ValueError, r"X must have shape \(n_samples, 4\), got \(5, 3\)"),
    (np.zeros(4), ValueError, r"X must have shape \(n_samples, 4\), got \(4,\)"),
    (np.zeros((1, 5, 4)), ValueError, r"X must have shape \(n_samples, 4\), got \(1, 5, 4\)"),
    (np.zeros((0, 4)), ValueError, r"X must have at least one sample, got shape \(0, 4\)"),
    (np.zeros((5, 4), complex), TypeError, "X must have a real dtype, got complex128"),
    (np.full((5, 4), "a"), TypeError, "X must have a real dtype, got <U1"),
    (np.full((5, 4), "x", object), TypeError, "X must have a real dtype, got objects that are no real numbers"),
    (np.zeros((5, 4), "M8[s]"), TypeError, "X must have a real dtype, got datetime64"),
]

WRONG_OPTIONS = [
    ({"rho": 0.0}, ValueError, r"rho must be in \(0, 1\), got 0.0"),
    ({"rho": 1}, ValueError, r"rho must be in \(0, 1\), got 1"),
    ({"rho": np.nan}, ValueError, r"rho must be in \(0, 1\), got nan"),
    ({"rho": "0.1"}, TypeError, "rho must be a real number, got '0.1'"),
    ({"rho": True}, TypeError, "rho must be a real number, got True"),
    ({"beta": -1.0}, ValueError, "beta must be >= 0 and finite, got -1.0"),
    ({"beta": np.inf}, ValueError, "beta must be >= 0 and finite, got inf"),
    ({"beta": None}, TypeError, "beta must be a real number, got None"),
    ({"weight_decay": -1e-9}, ValueError, "weight_decay must be >= 0 and finite, got -1e-09"),
    ({"weight_decay": [1.0]}, TypeError, r"weight_decay must be a real number, got \[1.0\]"),
    ({"hidden": "swish"}, ValueError, "hidden must be 'sigmoid', .*, got 'swish'"),
    ({"hidden": 0}, ValueError, "hidden must be 'sigmoid', .*, got 0"),
    ({"output": "softmax"}, ValueError, "output must be 'sigmoid', .*, got 'softmax'"),
    (
        {"hidden": "relu"},
        ValueError,
        "beta must be 0 for hidden='relu', .* bound; take l1=..., got 1.0",
    ),
    ({"loss": "hinge"}, ValueError, "loss must be 'squared', 'absolute', .*, got 'hinge'"),
    ({"loss": "softmax"}, ValueError, "loss must be 'squared', 'absolute', .*, got 'softmax'"),
    ({"loss": None}, ValueError, "loss must be 'squared', 'absolute', .*, got None"),
    (
        {"loss": "cross_entropy", "output": "tanh"},
        ValueError,
        "output must be 'sigmoid' with loss='cross_entr",
    ),
    ({"l1": -0.1}, ValueError, "l1 must be >= 0 and finite, got -0.1"),
    ({"l1": np.nan}, ValueError, "l1 must be >= 0 and finite, got nan"),
    ({"l1": np.inf}, ValueError, "l1 must be >= 0 and finite, got inf"),
    ({"l1": "much"}, TypeError, "l1 must be a real number, got 'much'"),
    ({"n_threads": 0}, ValueError, r"n_threads must be >= 1 \(and at most 4096\) or None, got 0"),
    ({"n_threads": 10**9}, ValueError, "n_threads must be >= 1"),
    ({"n_threads": 1.5}, TypeError, "n_threads must be an integer or None, got 1.5"),
    ({"sample_weight": np.ones(4)}, ValueError, r"sample_weight must have shape \(5,\), got \(4,\)"),
    ({"sample_weight": -np.ones(5)}, ValueError, "sample_weight must be finite and >= 0, with a finite sum > 0, got"),
    ({"sample_weight": np.zeros(5)}, ValueError, "sample_weight must be finite and >= 0, with a finite sum > 0, got"),
    (
        {"sample_weight": np.full(5, np.nan)},
        ValueError,
        "sample_weight must be finite and >= 0, with a finite sum > 0, got",
    ),
    ({"sample_weight": [1, 1, 1, 1, 1e-310]}, ValueError, "sample_weight must be 0 or >= 1e-290, got 1e-310"),
]


@pytest.mark.parametrize("name", ["encode", "forward", "cost", "cost_and_grad", "deltas", "train"])
@pytest.mark.parametrize(("params", "kind", "message"), WRONG_PARAMS)
def test_wrong_params(impl, name, params, kind, message):
    """Parameters of the wrong kind, dtype or shape are named by field."""
    with pytest.raises(kind, match=message):
        call(impl, name, params, X)


@pytest.mark.parametrize("name", ["encode", "forward", "cost", "cost_and_grad", "deltas", "train"])
@pytest.mark.parametrize(("data", "kind", "message"), WRONG_X)
def test_wrong_data(impl, name, data, kind, message):
    """Data of the wrong shape or dtype are refused with what was wanted."""
    with pytest.raises(kind, match=message):
        call(impl, name, PARAMS, data)


@pytest.mark.parametrize("name", ["cost", "cost_and_grad", "train"])
@pytest.mark.parametrize(("options", "kind", "message"), WRONG_OPTIONS)
def test_wrong_options(impl, name, options, kind, message):
    """Each option out of its range is named with the value got."""
    with pytest.raises(kind, match=message):
        call(impl, name, PARAMS, X, **options)


TARGETS = [
    (np.array([[0.5, -0.1, 0.2, 1.0]]), r"X must be in \[0, 1\] for loss='cross_entropy', got -0.1$"),
    (np.array([[0.5, 1.5, 0.2, 1.0]], np.float32), r"X must be in \[0, 1\] for loss='cross_entropy', got 1.5$"),
    (np.array([[0, 255, 1, 1]], np.uint8), r"X must be in \[0, 1\] for loss='cross_entropy', got 255"),
    (np.array([[0.5, np.nan, 0.2, 1.0]]), r"X must be in \[0, 1\] for loss='cross_entropy', got nan$"),
]


@pytest.mark.parametrize("name", ["cost", "cost_and_grad", "deltas", "train"])
@pytest.mark.parametrize(("data", "message"), TARGETS)
def test_targets_out_of_range(impl, name, data, message):
    """Targets for which a loss is not defined are named, whether they are looked at before or after."""
    with pytest.raises(ValueError, match=message):
        call(impl, name, PARAMS, data, loss="cross_entropy")


@pytest.mark.parametrize(("data", "message"), TARGETS)
def test_targets_out_of_range_are_refused_once(data, message):
    """An Objective looks at its data when it is made; the short way looks where the result is NaN."""
    with pytest.raises(ValueError, match=message):
        sf.Objective(data, 2, loss="cross_entropy")
    out = sf.Params(*(np.empty_like(a) for a in PARAMS))
    with pytest.raises(ValueError, match=message):
        sf.cost_and_grad(PARAMS, data.astype(PARAMS.W1.dtype), **SETTINGS, loss="cross_entropy", out=out)


def call(impl, name, params, data, **options):
    takes = {"encode": {}, "forward": {}, "deltas": {"rho": 0.1, "beta": 1.0}}.get(name, SETTINGS)
    return getattr(impl, name)(params, data, **(takes | options))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"solver": "lbfgs"}, ValueError, "solver must be 'sgd' or 'adam', got 'lbfgs'"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be > 0 and finite, got 0.0"),
        ({"learning_rate": np.inf}, ValueError, "learning_rate must be > 0 and finite, got inf"),
        ({"batch_size": 0}, ValueError, "batch_size must be >= 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer, got 2.0"),
        ({"n_epochs": -1}, ValueError, "n_epochs must be >= 1, got -1"),
        ({"momentum": 1.0}, ValueError, r"momentum must be in \[0, 1\), got 1.0"),
        ({"solver": "sgd", "nesterov": True}, ValueError, "momentum must be > 0 with nesterov=True, got 0.0"),
        ({"beta1": -0.1}, ValueError, r"beta1 must be in \[0, 1\), got -0.1"),
        ({"beta2": 1.0}, ValueError, r"beta2 must be in \[0, 1\), got 1.0"),
        ({"eps": -1e-8}, ValueError, "eps must be >= 0 and finite, got -1e-08"),
        ({"rho_hat_momentum": 1.0}, ValueError, r"rho_hat_momentum must be in \[0, 1\), got 1.0"),
        ({"random_state": "x"}, TypeError, "random_state must be an integer >= 0, a NumPy Generator or RandomState"),
    ],
    ids=str,
)
def test_wrong_training_options(impl, options, kind, message):
    """Options of train() and of the update rules."""
    with pytest.raises(kind, match=message):
        impl.train(PARAMS, X, **options)


@pytest.mark.parametrize(
    ("out", "kind", "message"),
    [
        ([[0.0] * 3] * 5, TypeError, "out must be a NumPy array, got list"),
        (np.empty((5, 3), np.float32), TypeError, "out must have dtype float64, got float32"),
        (np.empty((5, 4)), ValueError, r"out must have shape \(5, 3\), got \(5, 4\)"),
        (np.empty((3, 5)).T, ValueError, "out must be C-contiguous, got strides"),
        (np.empty((5, 6))[:, ::2], ValueError, "out must be C-contiguous, got strides"),
        (np.broadcast_to(np.empty(3), (5, 3)), ValueError, "out must be"),
    ],
)
def test_wrong_out(impl, out, kind, message):
    """An out= that cannot take the codes as it is, is an error and never a silent copy."""
    with pytest.raises(kind, match=message):
        impl.encode(PARAMS, X, out=out)


def test_read_only_out(impl):
    """A read-only out= is refused and left as it is."""
    out = np.full((5, 3), 7.0)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writable, got a read-only array"):
        impl.encode(PARAMS, X, out=out)
    assert np.all(out == 7.0)


def test_overlapping_out(impl):
    """An out= in the memory of an input, or gradients over parameters, are refused."""
    square, data = make(4, 4, 4)
    with pytest.raises(ValueError, match="out must not overlap the memory of an input"):
        impl.encode(square, data, out=data)
    with pytest.raises(ValueError, match="out must not overlap the memory of an input"):
        impl.encode(square, data, out=square.W1)
    with pytest.raises(ValueError, match="overlap"):
        impl.cost_and_grad(square, data, **SETTINGS, out=square)
    grad = sf.Params(*(np.empty_like(p) for p in square))
    with pytest.raises(ValueError, match="overlap"):
        impl.cost_and_grad(square, data, **SETTINGS, out=grad._replace(W2=grad.W1))


@pytest.mark.parametrize(
    ("out", "kind", "message"),
    [
        (3, TypeError, r"out must be a sequence \(W1, b1, W2, b2\) of arrays, got 3"),
        (PARAMS[:2], TypeError, "out must be a sequence"),
        (like(b1=np.zeros(3, np.float32)), TypeError, "out.b1 must have dtype float64, got float32"),
        (like(W1=np.zeros((4, 3))), ValueError, r"out.W1 must have shape \(3, 4\), got \(4, 3\)"),
        (like(W2=np.zeros((3, 4)).T), ValueError, "out.W2 must be C-contiguous, got strides"),
    ],
)
def test_wrong_gradient_out(impl, out, kind, message):
    """Gradients to be filled are checked field by field."""
    with pytest.raises(kind, match=message):
        impl.cost_and_grad(PARAMS, X, **SETTINGS, out=out)


def test_right_out_is_filled_and_returned(impl):
    """`result is out` holds, for codes, reconstructions and gradients."""
    codes, back = np.empty((5, 3)), np.empty((5, 4))
    assert impl.encode(PARAMS, X, out=codes) is codes
    assert impl.decode(PARAMS, codes, out=back) is back
    grad = sf.Params(*(np.full_like(p, np.nan) for p in PARAMS))
    assert impl.cost_and_grad(PARAMS, X, **SETTINGS, out=grad)[1] is grad
    assert all(np.isfinite(g).all() for g in grad)


def test_decode_names_the_codes(impl):
    """Decode speaks of a2."""
    with pytest.raises(ValueError, match=r"a2 must have shape \(n_samples, 3\), got \(5, 4\)"):
        impl.decode(PARAMS, X)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((0, 3), {}, ValueError, "n_visible must be >= 1, got 0"),
        ((4, -3), {}, ValueError, "n_hidden must be >= 1, got -3"),
        ((4, True), {}, TypeError, "n_hidden must be an integer, got True"),
        ((4, 3), {"dtype": int}, TypeError, "dtype must be float32 or float64, got int64"),
        ((4, 3), {"dtype": np.float16}, TypeError, "dtype must be float32 or float64, got float16"),
    ],
)
def test_wrong_init(impl, arguments, options, kind, message):
    """Sizes and dtype of fresh parameters are checked."""
    with pytest.raises(kind, match=message):
        impl.init_params(*arguments, **options)


def test_absurd_sizes_fail_as_memory_errors():
    """More memory than any machine has is a MemoryError or ValueError, and never a crash."""
    with pytest.raises((MemoryError, ValueError)):
        sf.init_params(2**40, 2**40)


def test_wrong_vectors(impl):
    """Unflatten and Objective check the length of theta."""
    with pytest.raises(ValueError, match=r"theta must have shape \(31,\), got \(30,\)"):
        impl.unflatten(np.zeros(30), 4, 3)
    f = impl.Objective(X, 3)
    with pytest.raises(ValueError, match=r"theta must have shape \(31,\), got \(32,\)"):
        f(np.zeros(32))
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_visible\), got \(4,\)"):
        impl.Objective(np.zeros(4), 3)
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got int64"):
        impl.Objective(X, 3, dtype=int)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_wrong_steps(impl, kind):
    """An optimiser refuses gradients of another dtype or shape, and parameters that it cannot update in place."""
    options = {"learning_rate": 0.1}
    opt = getattr(impl, kind)(sf.Params(*(p.copy() for p in PARAMS)), **options)
    with pytest.raises(TypeError, match="grad must have dtype float64, got float32"):
        opt.step(sf.Params(*(p.astype(np.float32) for p in PARAMS)))
    with pytest.raises(ValueError, match=r"grad.W1 must have shape \(3, 4\), got \(2, 4\)"):
        opt.step(sf.init_params(4, 2))
    with pytest.raises(ValueError, match=r"params.W2 must be C-contiguous"):
        getattr(impl, kind)(PARAMS._replace(W2=np.asfortranarray(PARAMS.W2)), **options)
    frozen = PARAMS.b1.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"params.b1 must be writable"):
        getattr(impl, kind)(PARAMS._replace(b1=frozen), **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("output", OUTPUT)
def test_nan_in_data_stays_nan(impl, dtype, hidden, output):
    """The backend does not look for NaN, and does not hide one: codes, cost and gradient show it."""
    params, data = make(5, 4, 3, dtype)
    data[2, 1] = np.nan
    J, grad = impl.cost_and_grad(params, data, **SETTINGS, hidden=hidden, output=output)
    assert np.isnan(J)
    assert np.isnan(grad.W1).any()
    a2, a3 = impl.forward(params, data, hidden=hidden, output=output)
    for values in (a2, a3):
        assert np.isnan(values[2]).all()
        assert np.isfinite(np.delete(values, 2, axis=0)).all()
