"""Training of deep networks: minibatches against the NumPy twin, L-BFGS against SciPy's, threads, Ctrl-C."""

from __future__ import annotations

import itertools
import signal
import threading

import numpy as np
import pytest
import scipy.optimize

import sae_fast as sf
from sae_fast import reference
from sae_fast.network import _deep
from sae_fast.network._data import Data, check_data
from sae_fast.network._settings import check_autoencoder, check_settings
from sae_fast.network._solvers import LbfgsSolver
from sae_fast.reference._training import epochs as reference_epochs
from tests.helpers.deep_networks import epoch_solver, flat, lbfgs_solver, make_data, make_layers
from tests.helpers.networks import DTYPES, TOLERANCE, error, make

pytestmark = pytest.mark.core

SIZES = (12, 9, 7, 5)
NETWORKS = {
    "softmax": {"units": ["sigmoid", "tanh", "linear"], "loss": "softmax", "beta": 0.0, "weight_decay": 1e-3},
    "squared": {"units": ["tanh", "linear", "sigmoid"], "loss": "squared", "beta": 0.0, "weight_decay": 0.0},
    "penalised": {"units": ["sigmoid", "tanh", "linear"], "loss": "softmax", "beta": [0.5, 0.1], "weight_decay": 1e-3},
}
RULES = {
    "adam": {"solver": "adam", "learning_rate": 1e-2},
    "sgd": {"solver": "sgd", "learning_rate": 0.3},
    "momentum": {"solver": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "nesterov": {"solver": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
}


def epochs(layers, X, y, network, rule, weight=None, **options):
    """A solver with its data."""
    settings = {"rho": 0.1, "batch_size": 33, "seed": 11} | network | rule | options
    return epoch_solver(layers, X, y, weight, **settings)


def lbfgs(layers, X, y, network, weight=None, n_threads=None):
    """A solver with its data."""
    return lbfgs_solver(layers, X, y, weight, rho=0.1, n_threads=n_threads, **network)


class TwinUpdate:
    """The update rules of the reference, two arrays of weights and two of biases at a time."""

    def __init__(self, rule):
        self._rule, self._optimizers = dict(rule), None

    def __call__(self, layers, grad):
        if self._optimizers is None:
            kind = {"adam": reference.Adam, "sgd": reference.SGD}[self._rule.pop("solver")]
            self._optimizers = [kind(self._params(layer), **self._rule) for layer in layers]
        for optimizer, layer in zip(self._optimizers, grad, strict=True):
            optimizer.step(self._params(layer))

    @staticmethod
    def _params(layer):
        # The other half is not looked at: gradients of zero leave zeros alone.
        W, b = layer
        return sf.Params(W, b, np.zeros(W.shape[::-1], W.dtype), np.zeros(W.shape[1], W.dtype))


def twin_epochs(layers, X, y, weight, n, *, step, batch_size, seed, shuffle=True, **network):
    """Cost and mean activation of n epochs of the reference, in one row each."""
    settings = check_settings(**network, n_layers=len(layers))
    data = check_data(layers, X, y, settings.loss)
    runs = reference_epochs(
        layers, data, settings, weight, step=step, batch_size=batch_size, seed=seed, shuffle=shuffle
    )
    return [(*cost, mean) for cost, mean in itertools.islice(runs, n)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("weighted", [False, True])
def test_training_follows_the_twin(weighted, network, rule, dtype):
    """A run takes the twin's path, minibatch by minibatch, its weights too; those without weight are passed over."""
    layers, (X, y) = make_layers(SIZES, dtype), make_data(100, SIZES, NETWORKS[network]["loss"], dtype)
    weight = np.r_[np.zeros(40), 1.0 + np.arange(60) % 5] if weighted else None
    options = {"batch_size": 20, "shuffle": False} if weighted else {}
    solver = epochs(layers, X, y, NETWORKS[network], RULES[rule], weight, **options)
    rows = [solver.step() for _ in range(4)]
    twin = tuple(type(layer)(*(a.copy() for a in layer)) for layer in layers)
    settings = {"rho": 0.1, "batch_size": 33, "seed": 11} | NETWORKS[network] | options
    wanted = twin_epochs(twin, X, y, weight, 4, step=TwinUpdate(RULES[rule]), **settings)
    assert error(flat(solver.params), flat(twin)) <= 100 * TOLERANCE[dtype]
    assert [(*cost, mean) for cost, mean in rows] == [pytest.approx(row, rel=50 * TOLERANCE[dtype]) for row in wanted]
    assert all(layer.W is not start.W for layer, start in zip(solver.params, layers, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", NETWORKS)
def test_training_of_200_steps_is_the_same_for_any_threads(network, dtype):
    """200 steps on 1 = 2 = 3 = 8 threads: the same parameters and costs to the last bit."""
    sizes = (100, 80, 60, 10)
    layers, (X, y) = make_layers(sizes, dtype), make_data(2560, sizes, NETWORKS[network]["loss"], dtype)
    runs = []
    for n in (1, 2, 3, 8):
        solver = epochs(layers, X, y, NETWORKS[network], RULES["adam"], batch_size=128, n_threads=n)
        runs.append(([solver.step() for _ in range(10)], flat(solver.params)))
    for costs, arrays in runs[1:]:
        assert costs == runs[0][0]
        for a, b in zip(arrays, runs[0][1], strict=True):
            np.testing.assert_array_equal(a, b)


def test_any_layout_and_type_of_data():
    """Minibatches gathered from bytes in columns are those of plain rows."""
    layers, (X, y) = make_layers(SIZES), make_data(100, SIZES, "softmax")
    X = np.asfortranarray((255 * X).astype(np.uint8))
    results = []
    for data in (X, np.array(X, np.float64, order="C")):
        solver = epochs(layers, data, y.astype(np.uint8), NETWORKS["softmax"], RULES["adam"])
        results.append((solver.step()[0], flat(solver.params)))
    assert results[0][0] == results[1][0]
    assert error(results[0][1], results[1][1]) == 0


def test_labels_are_copied():
    """Labels that change later, to wrong ones even, do not reach the core."""
    layers, (X, y) = make_layers(SIZES), make_data(100, SIZES, "softmax")
    y = y.astype(np.intp)
    wanted = epochs(layers, X, y, NETWORKS["softmax"], RULES["adam"]).step()
    solver, optimizer = (
        epochs(layers, X, y, NETWORKS["softmax"], RULES["adam"]),
        lbfgs(layers, X, y, NETWORKS["softmax"]),
    )
    y[:] = 10**9
    assert solver.step() == wanted
    assert np.isfinite(optimizer.step()[0].total)


def test_without_mapped_hidden_units_there_is_no_mean_activation():
    """Softmax regression trains, and its mean activation is NaN."""
    layers, (X, y) = make_layers((6, 3)), make_data(50, (6, 3), "softmax")
    network = {"units": ["linear"], "loss": "softmax", "beta": 0.0, "weight_decay": 0.0}
    for solver in (epochs(layers, X, y, network, RULES["sgd"]), lbfgs(layers, X, y, network)):
        first, mean = solver.step()
        assert np.isnan(mean)
        assert solver.step()[0].total < first.total


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("network", NETWORKS)
def test_lbfgs_gets_where_scipy_gets(network):
    """In float64 the solver reaches the cost that SciPy's L-BFGS-B reaches on the same function, or less."""
    layers, (X, y) = make_layers(SIZES, scale=0.5), make_data(200, SIZES, NETWORKS[network]["loss"])
    settings = {"rho": 0.1} | NETWORKS[network] | {"weight_decay": 1e-2}

    def f(theta):
        J, grad = _deep.deep_cost_and_grad(_deep.unflatten_layers(theta, SIZES), X, y, **settings)
        return J, _deep.flatten_layers(grad)

    start = _deep.flatten_layers(layers)
    found = scipy.optimize.minimize(f, start, jac=True, method="L-BFGS-B", options={"maxiter": 400, "maxcor": 20})
    solver = lbfgs_solver(layers, X, y, **settings)
    assert solver.start_cost.total == f(start)[0]
    steps = 0
    while steps < 400 and solver.step() is not None:
        steps += 1
    reached = _deep.deep_cost(solver.params, X, y, **settings).total
    assert reached <= found.fun + 1e-3 * abs(found.fun)
    assert solver.start_cost.total > 1.01 * reached
    assert solver.n_evaluations >= steps


@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_of_two_layers_takes_the_path_of_the_sparse_autoencoder(weighted):
    """The solver of the deep network and that of one hidden layer go the same way, from the cost of the functions."""
    params, X = make(200, 12, 5)
    weight = np.arange(200.0) % 7 if weighted else None
    one = LbfgsSolver(params, Data(X), weight, check_autoencoder("sigmoid", "linear", 0.1, 3.0, 1e-3), n_threads=1)
    network = {"units": ["sigmoid", "linear"], "loss": "squared", "beta": 3.0, "weight_decay": 1e-3}
    deep = lbfgs([params[:2], params[2:]], X, None, network, weight)
    start = reference.cost(params, X, rho=0.1, beta=3.0, weight_decay=1e-3, output="linear", sample_weight=weight)
    assert one.start_cost == pytest.approx(start, rel=1e-12)
    assert deep.start_cost == pytest.approx(start, rel=1e-12)
    for _ in range(10):
        a, b = one.step(), deep.step()
        assert b[0] == pytest.approx(a[0], rel=1e-8)
        assert b[1] == pytest.approx(a[1], rel=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lbfgs_is_the_same_for_any_threads(dtype):
    """20 iterations on 1 = 2 = 3 = 8 threads: the same parameters to the last bit."""
    sizes = (100, 60, 40, 10)
    layers, (X, y) = make_layers(sizes, dtype), make_data(1000, sizes, "softmax", dtype)
    runs = []
    for n in (1, 2, 3, 8):
        solver = lbfgs(layers, X, y, NETWORKS["penalised"], n_threads=n)
        runs.append(([solver.step() for _ in range(20)], flat(solver.params)))
    for costs, arrays in runs[1:]:
        assert costs == runs[0][0]
        for a, b in zip(arrays, runs[0][1], strict=True):
            np.testing.assert_array_equal(a, b)


def test_ctrl_c_ends_an_epoch():
    """A signal during an epoch ends it with KeyboardInterrupt, and the solver can go on."""
    sizes = (400, 300, 10)
    layers, (X, y) = make_layers(sizes, np.float32), make_data(60000, sizes, "softmax", np.float32)
    network = {"units": ["sigmoid", "linear"], "loss": "softmax", "beta": 0.0, "weight_decay": 0.0}
    solver = epochs(layers, X, y, network, RULES["adam"], batch_size=8)
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            [solver.step() for _ in range(1000)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.isfinite(solver.use(Data(X[:100], labels=y[:100].astype(np.intp)), None).step()[0].total)


def test_the_gil_is_released():
    """Another Python thread goes on counting during an epoch."""
    sizes = (400, 300, 10)
    layers, (X, y) = make_layers(sizes, np.float32), make_data(10000, sizes, "softmax", np.float32)
    solver = epochs(layers, X, y, NETWORKS["softmax"] | {"units": ["sigmoid", "linear"]}, RULES["sgd"], n_threads=1)
    count, stop, started = 0, threading.Event(), threading.Event()

    def tick():
        nonlocal count
        started.set()
        while not stop.is_set():
            count += 1

    other = threading.Thread(target=tick)
    other.start()
    started.wait()
    before = count
    solver.step()
    during = count - before
    stop.set()
    other.join()
    assert during > 1000
