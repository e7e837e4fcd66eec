"""Results are bitwise the same for any number of threads, run after run."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.networks import DTYPES, HIDDEN, make

pytestmark = pytest.mark.core

SETTINGS = {"rho": 0.01, "beta": 3.0, "weight_decay": 1e-4}
THREADS = (2, 3, 8)


def assert_identical(got, wanted):
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("shape", [(16, 300, 200), (256, 200, 100), (1000, 200, 60), (5000, 64, 25), (900, 300, 500)])
def test_cost_gradient_and_deltas(shape, hidden, dtype):
    """1 = 2 = 3 = 8 threads, for few and for many samples."""
    params, X = make(*shape, dtype)
    one = sf.cost_and_grad(params, X, **SETTINGS, hidden=hidden, n_threads=1)
    deltas = sf.deltas(params, X, rho=0.01, beta=3.0, hidden=hidden, n_threads=1)
    for n in THREADS:
        got = sf.cost_and_grad(params, X, **SETTINGS, hidden=hidden, n_threads=n)
        assert got[0] == one[0]
        assert_identical(got[1], one[1])
        assert_identical(sf.deltas(params, X, rho=0.01, beta=3.0, hidden=hidden, n_threads=n), deltas)


@pytest.mark.parametrize("kind", [np.float64, np.int16])
@pytest.mark.parametrize("shape", [(40, 300, 200), (700, 64, 25), (8000, 64, 25)])
def test_units_whose_mean_underflows(shape, kind):
    """Their pre-activations are made again, sample by sample: 1 = 2 = 3 = 8 threads for these, too."""
    params, X = make(*shape)
    X = (100 * X).astype(kind)
    params.b1[::3] = -3000
    params.b1[1::3] = 3000
    one = sf.cost_and_grad(params, X, **SETTINGS, n_threads=1)
    for n in THREADS:
        J, grad = sf.cost_and_grad(params, X, **SETTINGS, n_threads=n)
        assert one[0] == J
        assert_identical(grad, one[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [None, np.int16], ids=["as it is", "converted"])
def test_encode_and_decode(kind, dtype):
    """1 = 2 = 3 = 8 threads for both layers, also where samples are converted on the way."""
    params, X = make(3000, 200, 100, dtype)
    X = X if kind is None else (100 * X).astype(kind)
    one = sf.forward(params, X, n_threads=1)
    for n in THREADS:
        assert_identical(sf.forward(params, X, n_threads=n), one)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_of_200_steps(solver, dtype):
    """A whole training run of 200 steps: 1 = 2 = 3 = 8 threads."""
    params, X = make(5120, 100, 80, dtype)
    options = {"solver": solver, "batch_size": 256, "n_epochs": 10, "random_state": 0, "momentum": 0.9}
    one, history = sf.train(params, X, n_threads=1, **options)
    for n in THREADS:
        got, other = sf.train(params, X, n_threads=n, **options)
        assert_identical(got, one)
        assert_identical(other, history)


def test_many_python_threads_at_once():
    """Calls from several Python threads at the same time get the results of calls one after another."""
    problems = [make(700, 60 + i, 30, np.float64, seed=i) for i in range(6)]
    wanted = [sf.cost_and_grad(p, X, **SETTINGS) for p, X in problems]
    got = [None] * len(problems)

    def work(i):
        for _ in range(5):
            got[i] = sf.cost_and_grad(*problems[i], **SETTINGS, n_threads=1 + i % 3)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(problems))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for a, b in zip(got, wanted, strict=True):
        assert a[0] == b[0]
        assert_identical(a[1], b[1])


def test_the_gil_is_released():
    """Another Python thread goes on counting while the core works."""
    params, X = make(20000, 200, 100)
    count = 0
    stop = threading.Event()
    started = threading.Event()

    def tick():
        nonlocal count
        started.set()
        while not stop.is_set():
            count += 1

    other = threading.Thread(target=tick)
    other.start()
    started.wait()
    before = count
    for _ in range(3):
        sf.cost_and_grad(params, X, **SETTINGS, n_threads=1)
    stop.set()
    other.join()
    assert count - before > 1000
