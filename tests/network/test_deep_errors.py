"""Every error of deep networks: argument, value got, value wanted; alike in core and twin."""

from __future__ import annotations

import numpy as np
import pytest

from sae_fast import _core
from sae_fast.network import _deep
from sae_fast.network._deep import Layer
from sae_fast.network._optimizers import check_rule
from sae_fast.network._settings import check_settings
from sae_fast.network._solvers import EpochSolver, trainer_options
from tests.helpers.deep_networks import IMPLEMENTATIONS, epoch_solver, lbfgs_solver, make_data, make_layers

pytestmark = pytest.mark.core

SIZES = (4, 3, 2, 5)
LAYERS = make_layers(SIZES)
X, LABELS = make_data(6, SIZES, "softmax")
TARGETS = make_data(6, SIZES, "squared")[1]
UNITS = ["sigmoid", "tanh", "linear"]


def without(index, **changes):
    """The layers with one changed."""
    return [layer._replace(**changes) if i == index else layer for i, layer in enumerate(LAYERS)]


WRONG_LAYERS = [
    (None, TypeError, r"layers must be a sequence of at least one \(W, b\), got NoneType"),
    ([], TypeError, r"layers must be a sequence of at least one \(W, b\), got list"),
    ("ab", TypeError, r"layers must be a sequence of at least one \(W, b\), got 'ab'"),
    (np.zeros((2, 2)), TypeError, r"layers must be a sequence of at least one \(W, b\), got ndarray"),
    ([LAYERS[0].W], TypeError, r"layers\[0\] must be \(W, b\), two NumPy arrays, got ndarray"),
    ([LAYERS[0][:1]], TypeError, r"layers\[0\] must be \(W, b\), two NumPy arrays, got tuple"),
    (without(1, W=LAYERS[1].W.tolist()), TypeError, r"layers\[1\] must be \(W, b\), two NumPy arrays, got Layer"),
    (without(1, b=LAYERS[1].b.astype("f")), TypeError, "layers must be float32 or float64, all alike, got float32, fl"),
    ([(W.astype(int), b.astype(int)) for W, b in LAYERS], TypeError, "float32 or float64, all alike, got int64"),
    (without(0, W=np.zeros(3)), ValueError, r"layers\[0\].W must have shape \(n_out, n_in\), both >= 1, got \(3,\)"),
    (without(0, W=np.zeros((0, 4))), ValueError, r"both >= 1, got \(0, 4\)"),
    (
        without(1, W=np.zeros((2, 7))),
        ValueError,
        r"layers\[1\].W must have 3 columns, one for each output of layers\[0\], got shape \(2, 7\)",
    ),
    (without(2, b=np.zeros(4)), ValueError, r"layers\[2\].b must have shape \(5,\) to match W \(5, 2\), got \(4,\)"),
]
WRONG = [
    ({"units": ["sigmoid"]}, ValueError, r"units must have one name for each of the 3 layers, got \['sigmoid'\]"),
    ({"units": "sigmoid"}, ValueError, "units must have one name for each of the 3 layers, got 'sigmoid'"),
    ({"units": None}, ValueError, "units must have one name for each of the 3 layers, got None"),
    (
        {"units": ["swish", "tanh", "linear"]},
        ValueError,
        r"units\[0\] must be 'sigmoid', .*, got 'swish'",
    ),
    ({"units": [0, "tanh", "linear"]}, ValueError, r"units\[0\] must be 'sigmoid', .*, got 0"),
    (
        {"units": ["tanh"] * 3},
        ValueError,
        r"units\[2\], the last, must be 'linear' with loss='softmax', got 'tanh'",
    ),
    ({"loss": "hinge"}, ValueError, "loss must be 'squared', 'softmax', .*, got 'hinge'"),
    ({"loss": None}, ValueError, "loss must be 'squared', 'softmax', .*, got None"),
    ({"rho": 0.0}, ValueError, r"rho must be in \(0, 1\), got 0.0"),
    ({"rho": [0.1, 1.5]}, ValueError, r"rho must be in \(0, 1\), got 1.5"),
    ({"rho": [0.1]}, ValueError, r"rho must be one value or one for each of the 2 hidden layers, got \[0.1\]"),
    ({"rho": "a"}, TypeError, "rho must be a real number, got 'a'"),
    ({"beta": -1}, ValueError, "beta must be >= 0 and finite, got -1"),
    ({"beta": [1.0, np.inf]}, ValueError, "beta must be >= 0 and finite, got inf"),
    (
        {"beta": (1, 2, 3)},
        ValueError,
        r"beta must be one value or one for each of the 2 hidden layers, got \(1, 2, 3\)",
    ),
    (
        {"units": ["linear", "tanh", "linear"], "beta": 3.0},
        ValueError,
        "beta must be 0 for layer 0, whose unit is 'linear' and has no upper bound; take l1=..., got 3.0",
    ),
    (
        {"weight_decay": [1, 2]},
        ValueError,
        r"weight_decay must be one value or one for each of the 3 layers, got \[1, 2",
    ),
    ({"weight_decay": np.nan}, ValueError, "weight_decay must be >= 0 and finite, got nan"),
    ({"n_threads": 0}, ValueError, "n_threads must be >= 1"),
    ({"sample_weight": np.ones(5)}, ValueError, r"sample_weight must have shape \(6,\), got \(5,\)"),
    ({"sample_weight": np.zeros(6)}, ValueError, "sample_weight must be finite and >= 0, with a finite sum > 0, got"),
    ({"X": X[:, :3]}, ValueError, r"X must have shape \(n_samples, 4\), got \(6, 3\)"),
    ({"X": X[:0], "y": LABELS[:0]}, ValueError, "X must have at least one sample"),
    ({"X": X.astype(complex)}, TypeError, "X must have a real dtype, got complex128"),
    ({"y": None}, ValueError, r"y must be given with loss='softmax': integer labels in 0 \.\.\. 4"),
    ({"y": LABELS[:5]}, ValueError, r"y must have shape \(6,\) with loss='softmax', got \(5,\)"),
    ({"y": TARGETS}, ValueError, r"y must have shape \(6,\) with loss='softmax', got \(6, 5\)"),
    ({"y": LABELS.astype(float)}, TypeError, "y must be integer labels with loss='softmax', got dtype float64"),
    ({"y": np.array(list("abcdef"))}, TypeError, "y must be integer labels with loss='softmax', got dtype <U1"),
    ({"y": LABELS - 5}, ValueError, r"y must be labels in 0 \.\.\. 4, got -"),
    ({"y": LABELS + 5}, ValueError, r"y must be labels in 0 \.\.\. 4, got "),
    ({"y": np.full(6, 2**64 - 1, np.uint64)}, ValueError, r"y must be labels in 0 \.\.\. 4, got 18446744073709551615"),
    ({"loss": "squared", "y": None}, ValueError, "y must be given: the network has 5 outputs for 4 features"),
    ({"loss": "squared", "y": TARGETS[:5]}, ValueError, r"y must have shape \(6, 5\), got \(5, 5\)"),
    ({"loss": "squared", "y": TARGETS[:, :4]}, ValueError, r"y must have shape \(n_samples, 5\), got \(6, 4\)"),
    ({"loss": "squared", "y": LABELS}, ValueError, r"y must have shape \(n_samples, 5\), got \(6,\)"),
]


def arguments(changes):
    """Positional and keyword arguments that are right but for the changes."""
    right = {"X": X, "y": LABELS, "units": UNITS, "loss": "softmax", "rho": 0.1, "beta": 1.0, "weight_decay": 0.1}
    named = right | changes
    return (named.pop("X"), named.pop("y")), named


@pytest.mark.parametrize("impl", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
@pytest.mark.parametrize(("layers", "kind", "message"), WRONG_LAYERS)
def test_wrong_layers(impl, layers, kind, message):
    """Each wrong network is named."""
    data, named = arguments({})
    for call in (impl.deep_cost, impl.deep_cost_and_grad):
        with pytest.raises(kind, match=message):
            call(layers, *data, **named)
    with pytest.raises(kind, match=message):
        impl.deep_forward(layers, X, units=UNITS)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
@pytest.mark.parametrize(("changes", "kind", "message"), WRONG, ids=[str(w[2])[:40] for w in WRONG])
def test_wrong_arguments(impl, changes, kind, message):
    """Each wrong argument of the cost is named, with what it got and what was wanted."""
    data, named = arguments(changes)
    for call in (impl.deep_cost, impl.deep_cost_and_grad):
        with pytest.raises(kind, match=message):
            call(LAYERS, *data, **named)


@pytest.mark.parametrize(("changes", "kind", "message"), WRONG, ids=[str(w[2])[:40] for w in WRONG])
def test_wrong_arguments_of_the_solvers(changes, kind, message):
    """The solvers word the same errors."""
    (data, y), named = arguments(changes)
    weight = named.pop("sample_weight", None)
    with pytest.raises(kind, match=message):
        lbfgs_solver(LAYERS, data, y, weight, **named)
    with pytest.raises(kind, match=message):
        epoch_solver(LAYERS, data, y, weight, solver="adam", batch_size=2, **named)


def test_wrong_options_of_the_solvers():
    """Update rule, batch size, memory and a step without data are named."""
    network = {"units": UNITS, "loss": "softmax", "rho": 0.1, "beta": 0.0, "weight_decay": 0.0}
    right = {"solver": "adam", "learning_rate": None, "momentum": 0.0, "batch_size": 2}
    for change, message in [
        ({"solver": "newton"}, "solver must be 'sgd' or 'adam', got 'newton'"),
        ({"learning_rate": 0.0}, "learning_rate must be > 0 and finite, got 0.0"),
        ({"solver": "sgd", "momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            epoch_solver(LAYERS, X, LABELS, **network, **(right | change))
    with pytest.raises(ValueError, match="memory must be >= 1, got 0"):
        lbfgs_solver(LAYERS, X, LABELS, memory=0, **network)
    options = trainer_options(check_rule("adam", 0.1), batch_size=2, seed=0, n_threads=None)
    solver = EpochSolver(LAYERS, check_settings(**network, n_layers=3), options)
    with pytest.raises(ValueError, match=r"no data yet: call use\(data, sample_weight\) before step\(\)"):
        solver.step()


def empty_like(layers):
    """Gradients to be filled."""
    return [Layer(np.empty_like(W), np.empty_like(b)) for W, b in layers]


@pytest.mark.parametrize("impl", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
def test_wrong_out(impl):
    """An out= that cannot be written to as it is, is refused."""
    (data, y), named = arguments({})
    read_only = np.empty(2)
    read_only.flags.writeable = False
    shared = np.empty((3, 4))
    good = empty_like(LAYERS)
    for out, kind, message in [
        (5, TypeError, r"out must be a sequence of 3 \(W, b\), got 5"),
        (good[:2], TypeError, r"out must be a sequence of 3 \(W, b\), got list"),
        ([good[0], good[1], good[2].W], TypeError, r"out\[2\] must be \(W, b\), two NumPy arrays, got ndarray"),
        ([good[0], good[1]._replace(b=None), good[2]], TypeError, r"out\[1\].b must be a NumPy array, got NoneType"),
        ([good[0]._replace(W=np.empty((3, 4), "f")), *good[1:]], TypeError, r"out\[0\].W must have dtype float64"),
        ([good[0]._replace(W=np.empty((4, 3))), *good[1:]], ValueError, r"out\[0\].W must have shape \(3, 4\)"),
        ([good[0]._replace(W=np.empty((4, 3)).T), *good[1:]], ValueError, r"out\[0\].W must be C-contiguous"),
        ([good[0], good[1]._replace(b=read_only), good[2]], ValueError, r"out\[1\].b must be writable"),
        ([LAYERS[0], *good[1:]], ValueError, r"out\[0\].W must not overlap the memory of an input or of another"),
        ([Layer(shared, shared.ravel()[:3]), *good[1:]], ValueError, r"out\[0\].b must not overlap the memory"),
    ]:
        with pytest.raises(kind, match=message):
            impl.deep_cost_and_grad(LAYERS, data, y, **named, out=out)
    with pytest.raises(ValueError, match=r"out must have shape \(6, 5\), got \(6, 4\)"):
        impl.deep_forward(LAYERS, X, units=UNITS, out=np.empty((6, 4)))
    square = [(np.eye(4), np.zeros(4))]
    with pytest.raises(ValueError, match="out must not overlap the memory of an input"):
        impl.deep_forward(square, X, units=["linear"], out=X)


def test_targets_must_not_be_written_to():
    """Gradients over the memory of the targets are refused."""
    y = np.zeros((6, 5))
    out = empty_like(LAYERS)
    out[2] = out[2]._replace(W=y.ravel()[:10].reshape(5, 2))
    with pytest.raises(ValueError, match=r"out\[2\].W must not overlap"):
        _deep.deep_cost_and_grad(LAYERS, X, y, units=UNITS, out=out)


def test_theta_must_fit():
    """A vector of another length is not cut into layers."""
    with pytest.raises(ValueError, match=r"theta must have shape \(38,\) for sizes \(4, 3, 2, 5\), got \(37,\)"):
        _deep.unflatten_layers(np.zeros(37), SIZES)


def test_the_core_checks_for_itself():
    """What would reach outside of an array is refused by the binding, whoever calls it."""
    good = (list(range(3)), [0.5] * 3, [0.0] * 3, [0.0] * 3, 0)
    softmax = (*good[:4], 1)
    labels = LABELS.astype(np.intp)
    for layers, data, target, y, settings, message in [
        ((), X, None, None, good, "layers must not be empty"),
        (LAYERS[:2], X, TARGETS[:, :2], None, good, "one value a layer"),
        ((LAYERS[0], LAYERS[2]), X, TARGETS, None, good, "layers must fit together"),
        (LAYERS, X[:, :3], TARGETS, None, good, "X must have shape"),
        (LAYERS, X, TARGETS[:3], None, good, "target must have the samples of X"),
        (LAYERS, X, TARGETS[:, :3], None, good, "X must have shape"),
        (LAYERS, X, None, None, good, "target must be given"),
        (LAYERS, X, None, None, softmax, "labels must be in"),
        (LAYERS, X, None, labels + 5, softmax, "labels must be in"),
        (LAYERS, X, TARGETS, None, (*good[:2], [1.0, 1.0, 1.0], *good[3:]), None),
        (LAYERS, X, TARGETS, None, ([2, 2, 2], [0.5] * 3, [1.0] * 3, [0.0] * 3, 0), "beta must be 0"),
        (LAYERS, X, None, labels, ([0, 0, 0], *softmax[1:]), "the last unit must not be sigmoid with the loss softmax"),
    ]:
        if message is None:
            assert np.isfinite(_core.evaluate(layers, data, target, y, None, _core.Settings(*settings))[0])
            continue
        with pytest.raises(ValueError, match=message):
            _core.evaluate(layers, data, target, y, None, _core.Settings(*settings))
    with pytest.raises(TypeError, match="labels must be a C-contiguous array"):
        _core.evaluate(LAYERS, X, None, labels.astype(np.int32), None, _core.Settings(*softmax))
    with pytest.raises(ValueError, match="out must have the shapes of layers"):
        _core.evaluate(LAYERS, X, TARGETS, None, None, _core.Settings(*good), tuple(empty_like(LAYERS[:2])))
