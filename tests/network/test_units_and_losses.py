"""Every unit, loss and penalty with every other one: core against reference, slopes, threads, training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from sae_fast.network import _deep
from sae_fast.network._data import Data
from sae_fast.network._settings import check_autoencoder
from sae_fast.network._solvers import LbfgsSolver
from sae_fast.reference import _deep as _deep_reference
from tests.helpers.deep_networks import flat, make_data, make_layers
from tests.helpers.networks import COMBINATIONS, DTYPES, TOLERANCE, error, is_smooth, make, name_of

pytestmark = pytest.mark.core

PENALTY = {"rho": 0.1, "weight_decay": 1e-3}
combinations = pytest.mark.parametrize("settings", COMBINATIONS, ids=name_of)
penalised = pytest.mark.parametrize(
    "settings", [s for s in COMBINATIONS if s["l1"] > 0 and (s["beta"] > 0 or s["hidden"] == "relu")], ids=name_of
)


def network(m, v, h, settings, dtype=np.float64, seed=0):
    """Parameters whose units are neither all off nor all on, and data."""
    params, X = make(m, v, h, dtype, seed)
    W1, b1 = (params.W1 / 3, params.b1 / 10) if settings["hidden"] == "satlin" else (params.W1, params.b1 / 3)
    arrays = W1, b1 + 0.4, params.W2, params.b2 / 3 + 0.5
    return sf.Params(*(a.astype(dtype) for a in arrays)), X


def assert_same(params, X, settings, tolerance, **options):
    """Cost, gradients, deltas and rho_hat of both implementations."""
    ours = sf.cost(params, X, **PENALTY, **settings, **options)
    assert ours == pytest.approx(reference.cost(params, X, **PENALTY, **settings, **options), rel=tolerance)
    J, grad = sf.cost_and_grad(params, X, **PENALTY, **settings, **options)
    wanted, gradient = reference.cost_and_grad(params, X, **PENALTY, **settings, **options)
    assert ours.total == J == pytest.approx(wanted, rel=tolerance)
    assert error(grad, gradient) <= 20 * tolerance
    deltas = {"rho": PENALTY["rho"], **settings, **options}
    assert error(sf.deltas(params, X, **deltas), reference.deltas(params, X, **deltas)) <= 20 * tolerance


@pytest.mark.parametrize("dtype", DTYPES)
# Many rows take paths that other tests take once with sanitizers.
@pytest.mark.parametrize(
    "m", [9, 90, pytest.param(700, marks=pytest.mark.unsanitized)], ids=["columns", "rows", "several strips"]
)
@combinations
def test_core_is_the_reference(settings, m, dtype):
    """With and without weights; of samples as they lie, strided, and as integers."""
    params, X = network(m, 17, 9, settings, dtype)
    assert_same(params, X, settings, TOLERANCE[dtype])
    weight = np.random.default_rng(1).uniform(0, 2, m)
    assert_same(params, np.repeat(X, 2, axis=1)[:, ::2], settings, TOLERANCE[dtype], sample_weight=weight)
    assert_same(params, (X > 0.5).astype(np.uint8), settings, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@combinations
def test_out_gets_what_is_returned(settings, dtype):
    """Gradients go to arrays that were given, with the bits of those that are made."""
    params, X = network(70, 17, 9, settings, dtype)
    J, grad = sf.cost_and_grad(params, X, **PENALTY, **settings)
    out = sf.Params(*(np.empty_like(a) for a in params))
    J2, same = sf.cost_and_grad(params, X, **PENALTY, **settings, out=out)
    assert same is out
    assert J == J2
    for a, b in zip(grad, out, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.unsanitized  # thousands of evaluations, on paths that other tests take once
@combinations
def test_gradients_are_slopes_of_the_cost(impl, settings):
    """Every entry is a finite difference to 1e-7, of parameters that no step takes over a kink."""
    reach = 0.01
    for seed in range(1000):
        params, X = network(5, 4, 3, settings, seed=seed)
        if is_smooth(params, X, settings, reach) and np.isfinite(impl.cost(params, X, **PENALTY, **settings).total):
            break
    else:
        pytest.fail("no smooth parameters were found")
    weight = np.random.default_rng(2).uniform(0.5, 2, len(X))
    options = {"sample_weight": weight, "eps": reach / 10}
    assert impl.check_gradient(params, X, **PENALTY, **settings, **options) <= 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [16, pytest.param(1000, marks=pytest.mark.unsanitized)], ids=["columns", "rows"])
@penalised
def test_the_same_bits_on_any_threads(settings, m, dtype):
    """1 = 2 = 3 = 8 threads: cost, gradients and rho_hat."""
    params, X = network(m, 120, 70, settings, dtype)
    one = sf.cost_and_grad(params, X, **PENALTY, **settings, n_threads=1)
    deltas = sf.deltas(params, X, rho=0.1, **settings, n_threads=1)
    for n in (2, 3, 8):
        J, grad = sf.cost_and_grad(params, X, **PENALTY, **settings, n_threads=n)
        assert one[0] == J
        for a, b in zip((*grad, *sf.deltas(params, X, rho=0.1, **settings, n_threads=n)), (*one[1], *deltas)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@penalised
def test_training_takes_the_path_of_the_reference(settings, dtype):
    """Minibatches in the reference's order, and J goes down."""
    params, X = network(100, 12, 7, settings, dtype)
    options = {**PENALTY, **settings, "batch_size": 40, "n_epochs": 5, "random_state": 3, "learning_rate": 1e-3}
    got, history = sf.train(params, X, **options)
    wanted, reference_history = reference.train(params, X, **options)
    assert error(got, wanted) <= 100 * TOLERANCE[dtype]
    assert error(history, reference_history) <= 100 * TOLERANCE[dtype]
    assert history.cost[-1] < history.cost[0]


@penalised
def test_lbfgs_goes_down(settings):
    """From the cost of the functions, step by step, to the cost of the functions."""
    params, X = network(200, 12, 7, settings)
    arguments = [settings[k] for k in ("hidden", "output")], [settings[k] for k in ("loss", "l1")]
    network_settings = check_autoencoder(*arguments[0], 0.1, settings["beta"], 1e-3, *arguments[1])
    solver = LbfgsSolver(params, Data(X), None, network_settings)
    assert solver.start_cost == pytest.approx(sf.cost(params, X, **PENALTY, **settings), rel=1e-12)
    costs = [solver.start_cost.total]
    for _ in range(20):
        if (step := solver.step()) is None:
            break
        costs.append(step[0].total)
    assert all(b <= a for a, b in itertools.pairwise(costs))
    assert costs[-1] < 0.99 * costs[0]
    assert sf.cost(solver.params, X, **PENALTY, **settings).total == pytest.approx(costs[-1], rel=1e-12)


def test_defaults_are_the_squared_loss_without_l1():
    """What is not said is what was before, to the bit."""
    params, X = make(70, 17, 9)
    penalty = {"rho": 0.1, "beta": 2.0, "weight_decay": 1e-3}
    J, grad = sf.cost_and_grad(params, X, **penalty)
    J2, grad2 = sf.cost_and_grad(params, X, **penalty, loss="squared", l1=0.0)
    assert J == J2
    for a, b in zip(grad, grad2, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_of_the_cost_by_hand(impl):
    """One unit each: losses, and the penalty on single activations, written out."""
    params = sf.Params(np.array([[2.0]]), np.array([-0.5]), np.array([[3.0]]), np.array([0.5]))
    X = np.array([[0.5], [1.5]])  # a2 = 0.5, 2.5; a3 = 2, 8; e = 1.5, 6.5
    rest = {"rho": 0.1, "beta": 0.0, "weight_decay": 0.0, "hidden": "relu", "output": "relu"}
    wanted = {"squared": (1.5**2 + 6.5**2) / 4, "absolute": 4.0, "huber": 3.5}
    for loss, value in wanted.items():
        parts = impl.cost(params, X, **rest, loss=loss, l1=0.25)
        assert parts == pytest.approx((value + 0.25 * 1.5, value, 0.0, 0.25 * 1.5), rel=1e-15)
        assert parts.loss == parts.reconstruction
    a = 1 / (1 + np.exp(-2.0))
    value = -(0.5 * np.log(a) + 0.5 * np.log(1 - a))
    found = impl.cost(params, X[:1], **(rest | {"output": "sigmoid"}), loss="cross_entropy")
    assert found.loss == pytest.approx(value, rel=1e-14)


def test_rho_hat_is_the_mean_activation(impl):
    """Mapped to [0, 1] where there are two bounds, plain for relu."""
    params, X = make(50, 6, 4)
    weight = np.arange(50.0)
    for hidden in ("sigmoid", "relu", "satlin", "tanh"):
        mean = np.average(sf.encode(params, X, hidden=hidden), axis=0, weights=weight)
        found = impl.deltas(params, X, rho=0.1, beta=0.0, hidden=hidden, sample_weight=weight).rho_hat
        assert found == pytest.approx((mean + 1) / 2 if hidden == "tanh" else mean, rel=1e-13)


@pytest.mark.parametrize("always", [-5.0, 5.0], ids=["off", "on"])
def test_satlin_units_that_never_change_make_the_penalty_infinite(impl, always):
    """KL to 0 or 1 is infinite; such a unit has no slope, and the gradients are those of the others."""
    params, X = make(40, 6, 4)
    params.b1[:] = 0.4
    params.b1[2] = always
    rest = {"rho": 0.1, "weight_decay": 1e-3, "hidden": "satlin"}
    J, grad = impl.cost_and_grad(params, X, **rest, beta=2.0)
    assert np.inf == J
    _, without = impl.cost_and_grad(params, X, **rest, beta=0.0)
    assert all(np.isfinite(g).all() for g in grad)
    np.testing.assert_array_equal(grad.b1[2], without.b1[2])
    assert np.all(grad.b1[[0, 1, 3]] != without.b1[[0, 1, 3]])


def test_kinks_have_slope_0(impl):
    """Relu at 0, satlin at 0 and 1, and the absolute loss where nothing is wrong."""
    X = np.zeros((3, 2))
    for hidden, bias in (("relu", 0.0), ("satlin", 0.0), ("satlin", 1.0)):
        params = sf.Params(np.ones((1, 2)), np.array([bias]), np.ones((2, 1)), np.ones(2))
        found = impl.deltas(params, X, rho=0.1, beta=0.0, l1=1.0, hidden=hidden, output="linear")
        assert np.all(found.delta2 == 0)
    params = sf.Params(np.ones((1, 2)), np.zeros(1), np.zeros((2, 1)), np.zeros(2))
    assert np.all(impl.deltas(params, X, rho=0.1, beta=0.0, output="linear", loss="absolute").delta3 == 0)


DEEP = [
    {"units": ["relu", "tanh", "satlin", "sigmoid"], "loss": "cross_entropy", "beta": [0.0, 0.2, 0.0], "l1": 0.1},
    {"units": ["satlin", "linear", "relu", "relu"], "loss": "huber", "beta": 0.0, "l1": [0.0, 0.3, 0.1]},
    {
        "units": ["tanh", "relu", "sigmoid", "satlin"],
        "loss": "absolute",
        "beta": [0.2, 0.0, 0.5],
        "l1": [0.1, 0.2, 0.0],
    },
    {"units": ["relu", "satlin", "relu", "linear"], "loss": "softmax", "beta": 0.0, "l1": 0.05},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [9, 700], ids=["columns", "rows"])
@pytest.mark.parametrize("network", DEEP, ids=lambda network: network["loss"])
def test_layers_of_deep_networks(network, m, dtype):
    """Units, losses and penalties by layer: core and reference, with and without weights and targets of their own."""
    layers = make_layers((8, 7, 6, 5, 8), dtype, scale=0.7)
    weight = np.random.default_rng(1).uniform(0, 2, m)
    for own_target in (True, False):
        X, y = make_data(m, (8, 7, 6, 5, 8), network["loss"], dtype, own_target=own_target)
        for sample_weight in (None, weight):
            options = {"rho": 0.3, "weight_decay": 1e-3, "sample_weight": sample_weight, **network}
            J, grad = _deep.deep_cost_and_grad(layers, X, y, **options)
            wanted, gradient = _deep_reference.deep_cost_and_grad(layers, X, y, **options)
            assert pytest.approx(wanted, rel=TOLERANCE[dtype]) == J
            assert error(flat(grad), flat(gradient)) <= 20 * TOLERANCE[dtype]
            parts = _deep.deep_cost(layers, X, y, **options)
            assert parts == pytest.approx(_deep_reference.deep_cost(layers, X, y, **options), rel=TOLERANCE[dtype])


def test_targets_of_deep_networks_out_of_range():
    """Y is named where it is given, X where it is the target."""
    layers, X = [(np.zeros((2, 2)), np.zeros(2))], np.array([[0.5, 2.0]])
    for impl in (_deep, _deep_reference):
        with pytest.raises(ValueError, match=r"^y must be in \[0, 1\] for loss='cross_entropy', got -1\.0$"):
            impl.deep_cost(layers, X, -np.ones((1, 2)), units=["sigmoid"], loss="cross_entropy")
        with pytest.raises(ValueError, match=r"^X must be in \[0, 1\] for loss='cross_entropy', got 2\.0$"):
            impl.deep_cost_and_grad(layers, X, units=["sigmoid"], loss="cross_entropy")
