"""Cost and gradients against arbitrary precision, where units saturate, vanish and overflow textbook formulas."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from sae_fast import Params
from tests.helpers import exact
from tests.helpers.exact import relative_error
from tests.helpers.networks import HIDDEN

pytestmark = pytest.mark.core

CASES = exact.cases()


@pytest.fixture(scope="module")
def truth():
    """name, dtype -> exact values at the parameters as that dtype holds them, computed once."""
    known = {}

    def of(name, dtype):
        if (name, dtype) not in known:
            params, X, settings = CASES[name]
            rounded = Params(*(a.astype(dtype).astype(np.float64) for a in params))
            known[name, dtype] = exact.evaluate(rounded, X.astype(dtype).astype(np.float64), **settings)
        return known[name, dtype]

    return of


@pytest.mark.parametrize("name", CASES)
def test_float64_is_within_1e_9_of_exact(impl, name, truth):
    """Cost and every gradient entry are within 1e-9 relative of the exact value, and finite."""
    params, X, settings = CASES[name]
    J, grad = impl.cost_and_grad(params, X, **settings)
    wanted, gradients, spreads = truth(name, np.float64)
    assert np.isfinite(J)
    errors = [float(abs(mp.mpf(J) - wanted) / abs(wanted))] if wanted else [abs(J)]
    for got, g, s in zip(grad, gradients, spreads, strict=True):
        errors.append(relative_error(got, g, s, unit=1e-6, tiny=1e-290))
    assert max(errors) <= 1e-9


@pytest.mark.parametrize("name", CASES)
def test_float32_is_within_1e_4_of_exact(impl, name, truth):
    """The same within 1e-4 in float32, of an entry that is at least a hundredth of its absolute terms, else of that."""
    params, X, settings = CASES[name]
    params = Params(*(a.astype(np.float32) for a in params))
    X = X.astype(np.float32)
    J, grad = impl.cost_and_grad(params, X, **settings)
    wanted, gradients, spreads = truth(name, np.float32)
    assert np.isfinite(J)
    assert abs(J - float(wanted)) <= 1e-4 * abs(float(wanted))
    for got, g, s in zip(grad, gradients, spreads, strict=True):
        assert relative_error(got, g, s, unit=1e-2, tiny=1e-30) <= 1e-4


def test_the_textbook_formula_fails_where_ours_does_not(impl):
    """At b1 = 40 the textbook's cost is not finite in float64; the exact one is."""
    params, X, settings = CASES["b1=40-sigmoid-sigmoid"]
    with np.errstate(all="ignore"):
        rho_hat = (1 / (1 + np.exp(-(X @ params.W1.T + params.b1)))).mean(axis=0)
        textbook = settings["beta"] * np.sum(
            settings["rho"] * np.log(settings["rho"] / rho_hat)
            + (1 - settings["rho"]) * np.log((1 - settings["rho"]) / (1 - rho_hat))
        )
    assert not np.isfinite(textbook)
    assert np.isfinite(impl.cost(params, X, **settings).total)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("rho", [0.01, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("off", [1e-7, 1e-3, 0.03, 0.08, 0.0999, 0.1001, 0.3])
def test_divergence_near_its_optimum(impl, rho, off, hidden):
    """Where a mean is near rho, on either side, KL has the digits that the mean itself has; further off, nearly so."""
    limit = (1e-13 if off < 0.1 else 1e-11) + 8 * np.finfo(float).eps / off
    twice = 2 if hidden == "tanh" else 1
    for away in (off, -off):
        mean = rho + away * min(rho, 1 - rho)
        b = (np.log(mean) - np.log1p(-mean)) / twice
        params = Params(np.zeros((1, 2)), np.array([b]), np.zeros((2, 1)), np.zeros(2))
        found = impl.cost(params, np.full((5, 2), 0.5), rho=rho, beta=1.0, weight_decay=0.0, hidden=hidden)
        with mp.workdps(exact.DIGITS):
            rho_hat = 1 / (1 + mp.exp(-twice * mp.mpf(float(b))))
            p = mp.mpf(rho)
            wanted = p * mp.log(p / rho_hat) + (1 - p) * mp.log((1 - p) / (1 - rho_hat))
            assert abs(mp.mpf(found.sparsity) / wanted - 1) <= limit
