"""One object, many threads: every call gives what it gives alone, and state moves as if calls had come one by one.

SAE_FAST_STRESS=300 sets the calls of each of the 8 threads; the suite makes fewer.
"""

from __future__ import annotations

import copy
import os
import pickle
import threading

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.network._data import Data
from sae_fast.network._optimizers import check_rule
from sae_fast.network._settings import check_autoencoder
from sae_fast.network._solvers import EpochSolver, LbfgsSolver, trainer_options
from tests.helpers.deep_networks import epoch_solver, lbfgs_solver
from tests.helpers.networks import make

N_THREADS = 8
N_CALLS = int(os.environ.get("SAE_FAST_STRESS", "12"))
SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}
NETWORK = check_autoencoder("sigmoid", "sigmoid", *SETTINGS.values())
PARAMS, X = make(700, 40, 20)
ROWS = np.arange(X.size).reshape(X.shape) % 7  # integers, which the core converts
IMAGES = np.random.default_rng(1).uniform(0.1, 0.9, (6, 12, 12))
LABELS = np.arange(len(X)) % 3


def flat(result):
    """Every number of a result, in one list of arrays."""
    if isinstance(result, (tuple, list)):
        return [a for part in result for a in flat(part)]
    return [np.asarray(result)]


def at_once(work):
    """work(i) in 8 threads that start together; what they raised."""
    start = threading.Barrier(N_THREADS)
    faults = []

    def run(i):
        try:
            start.wait()
            for _ in range(N_CALLS):
                work(i)
        except BaseException as error:
            faults.append(error)

    callers = [threading.Thread(target=run, args=(i,)) for i in range(N_THREADS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return faults


def objective(data=X, **options):
    f = sf.Objective(data, 20, **SETTINGS, **options)
    return f, [sf.flatten(sf.init_params(40, 20, random_state=i)) for i in range(N_THREADS)]


def encoder(data):
    return sf.Encoder(PARAMS), [data[50 * i : 50 * i + 300] for i in range(N_THREADS)]


def ksparse_encoder():
    weights = PARAMS.W1, PARAMS.b1, PARAMS.W1, PARAMS.b2
    return sf.KSparseEncoder(*weights, k=2), [X[50 * i : 50 * i + 300] for i in range(N_THREADS)]


def stack_encoder():
    upper = sf.init_params(20, 9, random_state=1)
    return sf.StackEncoder([sf.Encoder(PARAMS), sf.Encoder(upper)]), [X[50 * i :] for i in range(N_THREADS)]


def fitted(kind, *arguments, y=None, **options):
    return kind(*arguments, **options).fit(X, y), [X[40 * i : 40 * i + 350] for i in range(N_THREADS)]


AUTOENCODER = {"max_iter": 3, "random_state": 0}
STACK = {"max_iter": 2, "fine_tune_max_iter": 2, "random_state": 0}


def folded():
    scaler = sf.UnitScaler().fit(X)
    model = sf.SparseAutoencoder(5, **AUTOENCODER).fit(scaler.transform(X))
    return sf.fold(scaler, model), [X[40 * i :] for i in range(N_THREADS)]


def workspace():
    shared = sf._core.Workspace()
    settings = sf._core.Settings([0, 0], [0.1, 0.5], [1.0, 0.0], [1e-3, 1e-3], 0)

    def evaluate(x):
        grad = sf.Params(*(np.empty_like(a) for a in PARAMS))
        cost = sf._core.evaluate(PARAMS, x, None, None, None, settings, grad, None, None, 2, shared)
        return cost, grad

    return evaluate, [X[: 300 + 50 * i] for i in range(N_THREADS)]


def convolved():
    filters = sf.init_params(16, 5, random_state=0)
    features = sf.ConvolvedFeatures(filters, patch_size=4, pool_size=3).fit(IMAGES)
    return features, [IMAGES[: 1 + i % 6] for i in range(N_THREADS)]


PURE = {
    "Objective": lambda: objective(),
    "Objective on 2 threads": lambda: objective(n_threads=2),
    "Objective of float32": lambda: objective(X.astype(np.float32)),
    "Objective of integers": lambda: objective(ROWS.astype(np.int16), output="linear"),
    "Encoder": lambda: encoder(X),
    "Encoder of integers": lambda: encoder(ROWS.astype(np.int16)),
    "StackEncoder": stack_encoder,
    "fold": folded,
    "KSparseEncoder": lambda: (lambda e, data: (lambda x: e(x).toarray(), data))(*ksparse_encoder()),
    "Workspace": workspace,
}
# What calls an object is one of its methods.
METHODS = {
    "Encoder.encode_one": (lambda: encoder(X), lambda e: lambda x: [e.encode_one(row) for row in x[:5]]),
    "Encoder.encode_one of integers": (lambda: encoder(ROWS), lambda e: lambda x: [e.encode_one(row) for row in x[:5]]),
    "StackEncoder.encode_one": (stack_encoder, lambda e: lambda x: [e.encode_one(row) for row in x[:5]]),
    "KSparseEncoder.top": (ksparse_encoder, lambda e: e.top),
    "KSparseEncoder.decode": (ksparse_encoder, lambda e: lambda x: e.decode(e(x))),
    "Encoder, pickled": (lambda: encoder(X), lambda e: lambda x: pickle.loads(pickle.dumps(e))(x)),
    "Objective, copied": (objective, lambda f: lambda theta: copy.copy(f)(theta)),
    "ConvolvedFeatures": (convolved, lambda m: m.transform),
    **{
        f"SparseAutoencoder.{name}": (
            lambda: fitted(sf.SparseAutoencoder, 6, scale="minmax", **AUTOENCODER),
            lambda m, name=name: lambda x: getattr(m, name)(x),
        )
        for name in ("transform", "score", "score_samples", "reconstruct")
    },
    "StackedAutoencoder.transform": (
        lambda: fitted(sf.StackedAutoencoder, (8, 4), **STACK),
        lambda m: m.transform,
    ),
    **{
        f"StackedAutoencoderClassifier.{name}": (
            lambda: fitted(sf.StackedAutoencoderClassifier, (8, 4), y=LABELS, **STACK),
            lambda m, name=name: getattr(m, name),
        )
        for name in ("transform", "predict", "predict_proba")
    },
    **{
        f"{kind.__name__}.{name}": (lambda kind=kind: fitted(kind), lambda m, name=name: getattr(m, name))
        for kind in (sf.UnitScaler, sf.UFLDLScaler, sf.PCAWhitener, sf.ZCAWhitener)
        for name in ("transform", "inverse_transform")
    },
    "train": (
        lambda: (PARAMS, [X[: 300 + 20 * i] for i in range(N_THREADS)]),
        lambda p: lambda x: sf.train(p, x, n_epochs=1, batch_size=64, random_state=0),
    ),
}


@pytest.mark.parametrize("name", [*PURE, *METHODS])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::sae_fast.DataRangeWarning")
def test_calls_of_one_object_do_not_meet(name):
    """8 threads, each with data of its own: no number of any call differs from that of a call made alone."""
    build, method = METHODS.get(name, (PURE.get(name), lambda thing: thing))
    thing, data = build()
    call = method(thing)
    wanted = [flat(call(x)) for x in data]
    wrong = []

    def work(i):
        got = flat(call(data[i]))
        if len(got) != len(wanted[i]) or not all(map(np.array_equal, got, wanted[i])):
            wrong.append(i)

    assert at_once(work) == []
    assert wrong == []


def deep_options():
    return {"units": ["sigmoid", "sigmoid"], "loss": "squared", "rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}


def layers():
    return [(PARAMS.W1, PARAMS.b1), (PARAMS.W2, PARAMS.b2)]


def optimizer(kind, **options):
    params = sf.Params(*(a.copy() for a in PARAMS))
    rule = kind(params, learning_rate=1e-3, **options)
    return (lambda: rule.step(PARAMS)), (lambda: (params, rule.n_steps))


def epochs():
    options = trainer_options(check_rule("adam", 1e-3), batch_size=100, seed=0, n_threads=2)
    solver = EpochSolver(PARAMS, NETWORK, options).use(Data(X), None)
    return solver.step, lambda: solver.params


def lbfgs():
    solver = LbfgsSolver(PARAMS, Data(X), None, NETWORK, memory=5, n_threads=2)
    return solver.step, lambda: (solver.params, solver._core.rho_hat())


def deep_epochs():
    rule = {"solver": "sgd", "learning_rate": 0.1, "momentum": 0.5}
    solver = epoch_solver(layers(), X, None, **deep_options(), **rule, batch_size=100, n_threads=2)
    return solver.step, lambda: solver.params


def deep_lbfgs():
    solver = lbfgs_solver(layers(), X, None, **deep_options(), memory=5, n_threads=2)
    return solver.step, lambda: (solver.params, solver._core.rho_hat())


STATE = {
    "Adam": lambda: optimizer(sf.Adam),
    "Adam on 2 threads": lambda: optimizer(sf.Adam, n_threads=2),
    "SGD with momentum": lambda: optimizer(sf.SGD, momentum=0.9, nesterov=True),
    "trainer": epochs,
    "L-BFGS": lbfgs,
    "deep trainer": deep_epochs,
    "deep L-BFGS": deep_lbfgs,
}


@pytest.mark.parametrize("name", STATE)
def test_steps_of_one_object_come_one_after_another(name):
    """Steps from 8 threads leave the state of as many steps from one."""
    step, state = STATE[name]()
    for _ in range(N_THREADS * N_CALLS):
        step()
    wanted = flat(state())
    step, state = STATE[name]()
    assert at_once(lambda i: step()) == []
    assert all(map(np.array_equal, flat(state()), wanted))


def test_evaluations_are_counted():
    """No call of an Objective is missed, and what it reports is that of one call."""
    f, points = objective()
    parts = {f(theta)[0] for theta in points}
    assert at_once(lambda i: f(points[i])) == []
    assert f.n_evaluations == N_THREADS * (N_CALLS + 1)
    assert f.parts.total in parts


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_an_objective(how):
    """A copy gives the same bits, counts on by itself and has a workspace of its own."""
    f, (theta, *_) = objective(sample_weight=np.linspace(0.5, 2, len(X)))
    J, grad = f(theta)
    other = COPIES[how](f)
    assert other.n_evaluations == 1
    assert other.parts == f.parts
    J2, grad2 = other(theta)
    assert J == J2
    assert np.array_equal(grad, grad2)
    assert (f.n_evaluations, other.n_evaluations) == (1, 2)
    assert other._workspace is not f._workspace


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kind",
    [
        lambda p: sf.Adam(p),
        lambda p: sf.SGD(p, learning_rate=0.1, momentum=0.9),
        lambda p: sf.SGD(p, learning_rate=1.0),
    ],
    ids=["Adam", "momentum", "SGD"],
)
def test_copies_of_an_optimizer(how, dtype, kind):
    """A copy goes on from the same moments; only copy.copy works on the same parameters."""
    params = sf.init_params(6, 4, random_state=0, dtype=dtype)
    grad = sf.init_params(6, 4, random_state=1, dtype=dtype)
    rule = kind(params)
    rule.step(grad)
    rule.step(grad)
    other = COPIES[how](rule)
    assert other.n_steps == 2
    assert (other.params.W1 is params.W1) == (how == "copy")
    before = [a.copy() for a in params]
    other.step(grad)
    after = [a.copy() for a in other.params]
    for a, b in zip(params, before):
        a[...] = b
    rule.step(grad)
    assert all(map(np.array_equal, rule.params, after))
    assert (rule.n_steps, other.n_steps) == (3, 3)


def test_a_state_of_other_sizes_is_refused():
    """The core takes over no moments that do not fit."""
    adam = sf.Adam(sf.init_params(6, 4, random_state=0))
    with pytest.raises(ValueError, match="the state must be that of an optimiser of the same rule and sizes"):
        adam._core.restore(1, np.zeros(3), np.zeros(58))
