"""Gradients against finite differences of the cost."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.network._objective import compare_gradient
from tests.helpers.networks import HIDDEN, OUTPUT, make

pytestmark = pytest.mark.core


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize("block", sf.Params._fields)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_block_against_finite_differences(impl, block, output, hidden, weighted):
    """Every entry of every gradient block is the slope of the cost, within 1e-7 of the largest."""
    params, X = make(13, 6, 5)
    weight = np.random.default_rng(2).uniform(0, 2, len(X)) if weighted else None
    settings = {"rho": 0.1, "beta": 2.0, "weight_decay": 0.01, "hidden": hidden, "output": output}
    settings["sample_weight"] = weight
    grad = getattr(impl.cost_and_grad(params, X, **settings)[1], block)
    measured = np.empty_like(grad)
    for at in np.ndindex(grad.shape):
        J = []
        for step in (1e-3, -1e-3, 2e-3, -2e-3):
            moved = getattr(params, block).copy()
            moved[at] += step
            J.append(impl.cost(params._replace(**{block: moved}), X, **settings).total)
        measured[at] = (8 * (J[0] - J[1]) - (J[2] - J[3])) / 12e-3
    assert np.abs(measured - grad).max() <= 1e-7 * np.abs(grad).max()


def test_check_gradient_agrees_and_sees_a_wrong_gradient(impl):
    """check_gradient reports a tiny error for the right gradient, along single parameters and along directions."""
    params, X = make(13, 6, 5)
    settings = {"rho": 0.1, "beta": 2.0, "weight_decay": 0.01}
    assert impl.check_gradient(params, X, **settings) <= 1e-7
    assert impl.check_gradient(params, X, **settings, n_directions=5) <= 1e-7


@pytest.mark.parametrize("off", [0.01, -0.01])
@pytest.mark.parametrize("block", sf.Params._fields)
@pytest.mark.parametrize("n_directions", [None, 20])
def test_a_wrong_gradient_is_measured(impl, n_directions, block, off):
    """One entry that is off, to either side, is reported: by its own size, or its share in random directions."""
    params, X = make(13, 6, 5)
    settings = {"rho": 0.1, "beta": 2.0, "weight_decay": 0.01}
    right = impl.cost_and_grad(params, X, **settings)[1]
    top = max(np.abs(g).max() for g in right)

    def wrong(*arguments, **options):
        J, grad = impl.cost_and_grad(*arguments, **options)
        getattr(grad, block)[np.unravel_index(0, getattr(grad, block).shape)] += off * top
        return J, grad

    error = compare_gradient(impl.cost, wrong, params, X, None, n_directions, settings)
    if n_directions is None:
        assert error == pytest.approx(0.01, rel=0.02)
    else:
        assert 0.001 < error < 0.05


def test_a_forgotten_factor_would_be_seen():
    """The tanh penalty without its factor 1/2 would miss the finite differences by far: the check has teeth."""
    params, X = make(13, 6, 5)
    right = sf.cost_and_grad(params, X, rho=0.1, beta=2.0, weight_decay=0.0, hidden="tanh")[1]
    doubled = sf.cost_and_grad(params, X, rho=0.1, beta=4.0, weight_decay=0.0, hidden="tanh")[1]
    assert np.abs(right.b1 - doubled.b1).max() > 1e-2 * np.abs(right.b1).max()


@pytest.mark.parametrize("eps", [0, -1e-3, np.inf, np.nan])
def test_a_step_that_is_none(eps):
    """Differences need a step."""
    params, X = make(9, 6, 4)
    with pytest.raises(ValueError, match="eps must be > 0 and finite"):
        sf.check_gradient(params, X, rho=0.05, beta=3.0, weight_decay=1e-4, eps=eps)
