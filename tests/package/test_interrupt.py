"""Ctrl-C in the middle of one long call: it ends by KeyboardInterrupt, long before the work is done."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Each call is made so large that it would take 8 s at the rate that this machine has just shown, and is sent SIGINT
# after 0.2 s. One row is repeated by a stride of 0, so that the samples need no memory.
PROGRAM = """
import json, os, signal, threading, time
import numpy as np
import sae_fast as sf
from sae_fast import _core
from sae_fast.network._deep import deep_cost_and_grad, deep_forward
from sae_fast.network._optimizers import check_rule

signal.signal(signal.SIGINT, signal.default_int_handler)
V, H = 12000, 64
rng = np.random.default_rng(0)
row = rng.uniform(0.1, 0.9, (1, V)).astype(np.float32)
params = sf.init_params(V, H, random_state=0, dtype=np.float32)
layers = [(params.W1, params.b1), (params.W2, params.b2)]
penalty = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}
settings = _core.Settings([0, 0], [0.1, 0.1], [1.0, 0.0], [1e-3, 1e-3], 0)
deep = {"units": ["sigmoid", "sigmoid"], "loss": "squared", "rho": 0.1, "weight_decay": 1e-3}


def rows(n):
    return np.broadcast_to(row, (n, V))


def lbfgs(n, iterate):
    theta = sf.flatten(params)
    solver = _core.LbfgsF32(theta, [V, H, V], rows(n), None, None, None, settings, 5, 0)
    if not iterate:
        return solver.start
    solver.start()
    before = theta.copy()

    def call():
        try:
            solver.iterate()
        except KeyboardInterrupt:
            assert np.array_equal(theta, before), "theta must stay"
            raise

    return call


def train(n):
    options = check_rule("sgd", 0.1) | {
        "batch_size": n, "shuffle": False, "seed": 0, "rho_hat_momentum": 0.0, "n_threads": 0,
    }
    live = sf.Params(*(a.copy() for a in params))
    trainer = _core.TrainerF32(live, settings, options)

    def call():
        try:
            trainer.run_epoch(rows(n), None, None, None)
        except KeyboardInterrupt:
            assert all(np.array_equal(a, b) for a, b in zip(live, params)), "parameters must stay"
            assert trainer.n_steps == 0
            raise

    return call


def convolve(n):
    images = np.broadcast_to(rng.uniform(size=(1, 60, 60)).astype(np.float32), (n, 60, 60))
    filters = sf.init_params(20 * 20, 64, random_state=0, dtype=np.float32)
    return lambda: sf.convolve(filters, images, 20, pool=41)


# name: (multiply-adds of a sample, what makes the call of n samples)
ONE = V * H
CALLS = {
    "encode": (ONE, lambda n: lambda: sf.encode(params, rows(n))),
    "encode on one thread": (ONE, lambda n: lambda: sf.encode(params, rows(n), n_threads=1)),
    "KSparseEncoder": (
        ONE,
        lambda n: (lambda encoder: lambda: encoder(rows(n)))(
            sf.KSparseEncoder(params.W1, params.b1, params.W1, params.b2, k=3)
        ),
    ),
    "Encoder": (ONE, lambda n: (lambda encoder: lambda: encoder(rows(n)))(sf.Encoder(params))),
    "cost": (2 * ONE, lambda n: lambda: sf.cost(params, rows(n), **penalty)),
    "cost_and_grad": (5 * ONE, lambda n: lambda: sf.cost_and_grad(params, rows(n), **penalty)),
    "cost_and_grad on five threads": (
        5 * ONE, lambda n: lambda: sf.cost_and_grad(params, rows(n), **penalty, n_threads=5)
    ),
    "Objective": (5 * ONE, lambda n: (lambda f: lambda: f(sf.flatten(params)))(sf.Objective(rows(n), H, **penalty))),
    "deep_forward": (2 * ONE, lambda n: lambda: deep_forward(layers, rows(n), units=deep["units"])),
    "deep_cost_and_grad": (5 * ONE, lambda n: lambda: deep_cost_and_grad(layers, rows(n), **deep, beta=0.0)),
    "deep_cost_and_grad with penalty": (
        5 * ONE, lambda n: lambda: deep_cost_and_grad(layers, rows(n), **deep, beta=1.0)
    ),
    "convolve": (41 * 41 * 400 * 64, convolve),
    "L-BFGS start": (5 * ONE, lambda n: lbfgs(n, False)),
    "minibatch": (5 * ONE, train),
}


def timed(call):
    began = time.perf_counter()
    try:
        call()
        end = "finished"
    except KeyboardInterrupt:
        end = "interrupted"
    return end, time.perf_counter() - began


sf.encode(params, rows(64))
rate = max(2000 * ONE / timed(lambda: sf.encode(params, rows(2000)))[1] for _ in range(3))
found = {}
for name, (work, make) in CALLS.items():
    call = make(max(64, int(8 * rate / work)))
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    found[name] = timed(call)
call = lbfgs(max(64, int(0.5 * rate / ONE)), True)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
found["L-BFGS iteration"] = timed(call)
J = [sf.cost_and_grad(params, rows(500), **penalty)[0] for _ in range(2)]
found["after all"] = ("interrupted" if J[0] == J[1] and np.isfinite(J[0]) else "damaged", 0.0)
print(json.dumps(found))
"""
CALLS = [
    "encode",
    "encode on one thread",
    "KSparseEncoder",
    "Encoder",
    "cost",
    "cost_and_grad",
    "cost_and_grad on five threads",
    "Objective",
    "deep_forward",
    "deep_cost_and_grad",
    "deep_cost_and_grad with penalty",
    "convolve",
    "L-BFGS start",
    "minibatch",
    "L-BFGS iteration",
    "after all",
]


@pytest.fixture(scope="module")
def ends():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_call_is_named_here(ends):
    """The list of calls is that of the program."""
    assert list(ends) == CALLS


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_long_call(ends, call):
    """A call of 8 s ends by KeyboardInterrupt within 4 s, whatever it computes; the next call is as good as ever."""
    end, seconds = ends[call]
    assert end == "interrupted"
    assert seconds < 4
