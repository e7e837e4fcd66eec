"""Core beside reference: the same numbers, and how long they take."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast
from sae_fast import reference

SETTINGS = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-4}
SHAPES = [(2000, 784, 196), (10_000, 64, 25), (32, 784, 200)]
IMPLEMENTATIONS = {"core": sae_fast, "reference": reference}


def problem(m, v, h, dtype):
    X = np.random.default_rng(0).uniform(0.1, 0.9, (m, v)).astype(dtype)
    return sae_fast.init_params(v, h, random_state=0, dtype=dtype), X


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cost_and_grad(benchmark, name, shape, dtype):
    params, X = problem(*shape, dtype)
    J, grad = benchmark(IMPLEMENTATIONS[name].cost_and_grad, params, X, **SETTINGS)
    wanted, wanted_grad = reference.cost_and_grad(params, X, **SETTINGS)
    assert pytest.approx(wanted, rel=1e-5) == J
    np.testing.assert_allclose(grad.W1, wanted_grad.W1, atol=1e-4 * np.abs(wanted_grad.W1).max())


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_encode(benchmark, name, shape):
    params, X = problem(*shape, "float32")
    codes = benchmark(IMPLEMENTATIONS[name].encode, params, X)
    np.testing.assert_allclose(codes, reference.encode(params, X), atol=1e-5)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_epoch(benchmark, name):
    params, X = problem(4096, 256, 100, "float32")
    options = {"n_epochs": 1, "random_state": 0, **SETTINGS}
    result, _ = benchmark(IMPLEMENTATIONS[name].train, params, X, **options)
    wanted, _ = reference.train(params, X, **options)
    np.testing.assert_allclose(result.W1, wanted.W1, atol=1e-4)


@pytest.mark.parametrize("shape", [(64, 25), (784, 196)], ids=str)
def test_encode_one(benchmark, shape):
    params, X = problem(1, *shape, "float32")
    out = np.empty(shape[1], np.float32)
    code = benchmark(sae_fast.Encoder(params).encode_one, X[0], out)
    np.testing.assert_allclose(code, reference.encode(params, X)[0], atol=1e-5)
