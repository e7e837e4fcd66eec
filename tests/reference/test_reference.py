"""The reference against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.networks import DTYPES

ONE = sf.Params(np.array([[2.0]]), np.array([-1.0]), np.array([[3.0]]), np.array([0.5]))


def logistic(z):
    return 1 / (1 + math.exp(-z))


def test_one_unit_by_hand(impl):
    """One sample, one unit, one feature: cost and gradients are those of the formulas, written out."""
    x, rho, beta, decay = 0.7, 0.2, 1.5, 0.01
    a2 = logistic(2 * x - 1)
    a3 = logistic(3 * a2 + 0.5)
    kl = rho * math.log(rho / a2) + (1 - rho) * math.log((1 - rho) / (1 - a2))
    d3 = (a3 - x) * a3 * (1 - a3)
    d2 = (d3 * 3 + beta * (-rho / a2 + (1 - rho) / (1 - a2))) * a2 * (1 - a2)
    settings = {"rho": rho, "beta": beta, "weight_decay": decay}
    J, grad = impl.cost_and_grad(ONE, [[x]], **settings)
    assert pytest.approx((a3 - x) ** 2 / 2 + decay / 2 * (4 + 9) + beta * kl, rel=1e-14) == J
    flat = [float(g.ravel()[0]) for g in grad]
    assert flat == pytest.approx([d2 * x + decay * 2, d2, d3 * a2 + decay * 3, d3], rel=1e-13)
    parts = impl.cost(ONE, [[x]], **settings)
    assert parts.sparsity == pytest.approx(beta * kl, rel=1e-13)
    assert parts.weight_decay == pytest.approx(decay / 2 * 13, rel=1e-14)


def test_tanh_penalty_by_hand(impl):
    """The penalty of a tanh unit is that of (a + 1)/2, and its derivative has the factor 1/2."""
    x, rho = 0.3, 0.2
    a2 = math.tanh(2 * x - 1)
    s = (a2 + 1) / 2
    d2 = 0.5 * (-rho / s + (1 - rho) / (1 - s)) * (1 - a2**2)
    zero = sf.Params(ONE.W1, ONE.b1, np.zeros((1, 1)), np.array([x]))
    result = impl.deltas(zero, [[x]], rho=rho, beta=1.0, hidden="tanh", output="linear")
    assert result.rho_hat[0] == pytest.approx(s, rel=1e-14)
    assert result.delta2[0, 0] == pytest.approx(d2, rel=1e-13)
    assert result.delta3[0, 0] == 0


def test_zero_parameters(impl):
    """With all parameters 0 every code is f(0) and the reconstruction g(0)."""
    zero = sf.Params(np.zeros((3, 4)), np.zeros(3), np.zeros((4, 3)), np.zeros(4))
    a2, a3 = impl.forward(zero, np.ones((2, 4)))
    assert (a2 == 0.5).all()
    assert (a3 == 0.5).all()
    a2, a3 = impl.forward(zero, np.ones((2, 4)), hidden="tanh", output="linear")
    assert (a2 == 0).all()
    assert (a3 == 0).all()


def test_penalty_vanishes_at_its_optimum(impl):
    """rho_hat = rho gives no penalty and no pull."""
    zero = sf.Params(np.zeros((3, 4)), np.zeros(3), np.zeros((4, 3)), np.zeros(4))
    X = np.full((5, 4), 0.5)
    assert impl.cost(zero, X, rho=0.5, beta=3.0, weight_decay=1.0) == (0, 0, 0, 0)
    assert not impl.deltas(zero, X, rho=0.5, beta=3.0).delta2.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_init_params_follows_the_uniform_rule(impl, dtype):
    """Weights fill +-sqrt(6 / (v + h + 1)), biases are 0, and a seed repeats them."""
    params = impl.init_params(100, 50, random_state=3, dtype=dtype)
    r = math.sqrt(6 / 151)
    for W in (params.W1, params.W2):
        assert 0.99 * r < np.abs(W).max() <= r
    assert not params.b1.any()
    assert not params.b2.any()
    assert params.W1.dtype == dtype
    np.testing.assert_array_equal(params.W2, impl.init_params(100, 50, random_state=3, dtype=dtype).W2)
    legacy = impl.init_params(4, 3, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(legacy.W1, impl.init_params(4, 3, random_state=np.random.RandomState(0)).W1)


def test_flatten_is_undone_by_unflatten(impl):
    """Theta is [W1, W2, b1, b2], row-major, and unflatten gives views into it."""
    params = impl.init_params(4, 3, random_state=0)._replace(b1=np.arange(3.0), b2=np.arange(4.0))
    theta = impl.flatten(params)
    np.testing.assert_array_equal(theta, np.r_[params.W1.ravel(), params.W2.ravel(), params.b1, params.b2])
    back = impl.unflatten(theta, 4, 3)
    assert all((a == b).all() for a, b in zip(back, params, strict=True))
    assert np.shares_memory(back.W2, theta)


def test_objective_is_cost_and_grad_on_a_vector(impl):
    """Objective gives J and the flat gradient, in the dtype of theta."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (30, 6))
    params = impl.init_params(6, 4, random_state=0)
    settings = {"rho": 0.1, "beta": 2.0, "weight_decay": 0.01}
    f = impl.Objective(X, 4, **settings)
    J, grad = f(impl.flatten(params))
    wanted, gradient = impl.cost_and_grad(params, X, **settings)
    assert pytest.approx(wanted, rel=1e-14) == J
    np.testing.assert_allclose(grad, impl.flatten(gradient), rtol=1e-12, atol=1e-15)
    assert f.n_evaluations == 1
    single = impl.Objective(X.astype(np.float32), 4, **settings)
    assert single(impl.flatten(params))[1].dtype == np.float64


def test_objective_weighs_its_samples(impl):
    """Objective hands its weights on: J, gradient and the core's mean activations are weighted."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (30, 6))
    params = impl.init_params(6, 4, random_state=0)
    settings = {"rho": 0.1, "beta": 2.0, "weight_decay": 0.01, "sample_weight": np.arange(30.0)}
    f = impl.Objective(X, 4, **settings)
    J, grad = f(impl.flatten(params))
    wanted, gradient = impl.cost_and_grad(params, X, **settings)
    assert pytest.approx(wanted, rel=1e-14) == J
    np.testing.assert_allclose(grad, impl.flatten(gradient), rtol=1e-12, atol=1e-15)
    if impl is sf:
        means = np.average(impl.encode(params, X), axis=0, weights=settings["sample_weight"])
        np.testing.assert_allclose(f.rho_hat, means, rtol=1e-14)
