"""Up to where values are right: sums near the largest number of the type, and beyond it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from sae_fast import Layer, Params
from tests.helpers import exact
from tests.helpers.deep_networks import IMPLEMENTATIONS
from tests.helpers.exact import relative_error

# Of float64, whose largest number is 1.8e308. 5 samples, 4 features, 3 units.
WITHIN = {
    "z2 of 1.6e308": dict(W1=4e307, output="sigmoid"),
    "z2 of -1.6e308": dict(W1=-4e307, output="tanh"),
    "z2 of -1e6, penalty": dict(b1=-1e6, output="sigmoid", beta=3.0),
    "z2 of 1e6, penalty": dict(b1=1e6, output="tanh", hidden="tanh", beta=3.0),
    "z3 and delta3 W2 of 1e308": dict(W1=0.3, W2=4e307, output="sigmoid"),
    "z3 and delta3 W2 of -1e308": dict(W1=0.3, W2=-4e307, output="tanh", hidden="tanh"),
    "squares of 2e307": dict(W1=0.3, b2=1e153, output="linear"),
    "squares and delta3 W2 of 4e307": dict(W1=0.3, W2=5e152, output="linear"),
    "X of 5e152": dict(W1=1e-153, X=5e152, output="linear"),
    "saturated units, W2 of 1e140": dict(W1=-500.0, W2=1e140, output="linear", beta=3.0),
    "slope of the penalty of 5e299": dict(b1=-600.0, beta=1e40, output="sigmoid"),
    "squares of weights of 1e307": dict(W1=1e153, W2=0.1, weight_decay=1e-4, output="sigmoid"),
    "tiny weights and data": dict(W1=1e-200, W2=1e-200, X=1e-100, beta=3.0, weight_decay=1e-4, output="linear"),
}
# The exact gradients are in range; a sum that they are made of is not.
BEYOND = {
    "delta3 W2": dict(W1=-500.0, W2=1e308, X=1.0, output="linear"),
    "sum over the samples": dict(b2=1e308, output="linear"),
    "terms of z2": dict(W1=-1e308, X=5.0, b1=1e308, output="sigmoid", beta=3.0),
    "slope of the penalty": dict(b1=-600.0, beta=1e60, output="sigmoid"),
    "squares of the weights": dict(W1=1e300, weight_decay=1e-300, output="sigmoid"),
    "terms of z3": dict(W2=1e308, b2=1.0, output="sigmoid"),
}


def problem(*, W1=0.1, b1=0.0, W2=0.1, b2=0.0, X=1.0, **settings):
    """Parameters and data of about these sizes, none of them equal to another."""
    rng = np.random.default_rng(7)

    def near(size, *shape):
        return size * rng.uniform(0.8, 1.0, shape)

    params = Params(near(W1, 3, 4), near(b1, 3), near(W2, 4, 3), near(b2, 4))
    return params, near(X, 5, 4), {"rho": 0.05, "beta": 0.0, "weight_decay": 0.0, "hidden": "sigmoid"} | settings


@cache
def truth(name):
    """Exact values, J first, and their spread."""
    params, X, settings = problem(**(WITHIN | BEYOND)[name])
    wanted, gradients, spreads = exact.evaluate(params, X, **settings)
    return [[wanted], *gradients], [[wanted], *spreads]


def compute(impl, name):
    """Computed values, J first, beside exact ones; and the spread of the exact ones."""
    params, X, settings = problem(**(WITHIN | BEYOND)[name])
    with np.errstate(over="ignore", invalid="ignore"):
        J, grad = impl.cost_and_grad(params, X, **settings)
    return [[J], *grad], *truth(name)


@pytest.mark.parametrize("name", WITHIN)
def test_right_within_the_range(impl, name):
    """Cost and gradients are within 1e-9 of the exact values as long as no sum leaves the range."""
    for values in zip(*compute(impl, name), strict=True):
        assert relative_error(*values, unit=1e-6, tiny=1e-290) <= 1e-9


@pytest.mark.parametrize("name", BEYOND)
def test_right_or_not_finite_beyond_it(impl, name):
    """Where a sum leaves the range and no unit is taken for saturated, an entry is right, infinite or NaN."""
    for got, wanted, spread in zip(*compute(impl, name), strict=True):
        flat = np.asarray(got).ravel()
        entries = zip(flat, np.ravel(np.array(wanted, object)), np.ravel(np.array(spread, object)), strict=True)
        finite = [entry for entry in entries if np.isfinite(entry[0])]
        if finite:
            assert relative_error(*map(list, zip(*finite)), unit=1e-6, tiny=1e-290) <= 1e-9


@pytest.mark.parametrize("name", ["delta3 W2", "sum over the samples"])
def test_not_finite_beyond_it(impl, name):
    """The bound is one: beyond it a gradient that is in range comes out infinite or NaN."""
    got, wanted, _ = compute(impl, name)
    assert all(np.isfinite(exact.to_float(g)).all() for g in wanted[1:])
    assert not all(np.isfinite(g).all() for g in got[1:])


def test_terms_of_z2_that_cancel_beyond_it(impl):
    """A pre-activation whose partial sums overflow saturates the unit or is NaN, if their order does not save it."""
    params = Params(np.full((1, 64), 1e308), np.zeros(1), np.ones((64, 1)), np.zeros(64))
    X = np.repeat([[1.0, -1.0]], 32, axis=1)  # z2 = 0
    with np.errstate(over="ignore", invalid="ignore"):
        code = impl.encode(params, X)[0, 0]
    assert np.isnan(code) or code in (0.0, 0.5, 1.0)


def test_finite_where_the_penalty_is_not_exact(impl):
    """Beyond |z2| of 1e6 the penalty of a silent unit is no longer within 1e-9, but finite."""
    params, X, settings = problem(W1=-1e306, output="sigmoid", beta=0.1)
    J, grad = impl.cost_and_grad(params, X, **settings)
    assert np.isfinite(J)
    assert all(np.isfinite(g).all() for g in grad)


def test_float32_squares_that_leave_its_range(impl):
    """In float32 the range is that of float32; a cost within float64 alone may be infinite, and is right else."""
    params = Params(np.zeros((3, 4)), np.zeros(3), np.zeros((4, 3)), np.full(4, 3e19))
    params = Params(*(a.astype(np.float32) for a in params))
    kw = {"rho": 0.05, "beta": 0.0, "weight_decay": 0.0, "output": "linear"}
    J, _ = impl.cost_and_grad(params, np.zeros((2, 4), np.float32), **kw)
    assert np.isinf(J) or abs(J / 1.8e39 - 1) <= 1e-4
    small = params._replace(b2=params.b2 / 16)  # 8 squares of 3.5e36 are within it
    J, _ = impl.cost_and_grad(small, np.zeros((2, 4), np.float32), **kw)
    assert abs(J * 256 / 1.8e39 - 1) <= 1e-4


def test_no_decay_of_huge_weights(impl):
    """Without weight decay the squares of the weights do not count."""
    params, X, settings = problem(W1=1e200, output="sigmoid")
    cost = impl.cost(params, X, **settings)
    assert cost.weight_decay == 0.0
    assert np.isfinite(cost.total)


@pytest.mark.parametrize("deep", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
def test_no_decay_of_huge_weights_of_several_layers(deep):
    """The same for a deep network, layer by layer: only those with a decay count."""
    layers = [Layer(np.full((3, 4), 1e200), np.zeros(3)), Layer(np.full((4, 3), 0.1), np.zeros(4))]
    cost = deep.deep_cost(layers, np.ones((5, 4)), None, units=["sigmoid"] * 2, weight_decay=[0.0, 0.5])
    assert cost.weight_decay == pytest.approx(0.25 * 12 * 0.01)
    assert np.isfinite(cost.total)
