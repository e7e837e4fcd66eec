"""Deep networks against arbitrary precision, where units saturate and probabilities round to 1."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from tests.helpers import exact_deep
from tests.helpers.deep_networks import IMPLEMENTATIONS, Layer, flat
from tests.helpers.exact import relative_error

pytestmark = pytest.mark.core

CASES = exact_deep.cases()


@pytest.fixture(scope="module")
def truth():
    """name, dtype -> exact values at the network as that dtype holds it, computed once."""
    known = {}

    def of(name, dtype):
        if (name, dtype) not in known:
            layers, X, y, network = CASES[name]
            rounded = [(W.astype(dtype), b.astype(dtype)) for W, b in layers]
            data = [a if a.dtype.kind == "i" else a.astype(dtype) for a in (X, y)]
            known[name, dtype] = exact_deep.evaluate(rounded, *data, **network)
        return known[name, dtype]

    return of


@pytest.mark.parametrize("impl", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
@pytest.mark.parametrize("name", CASES)
def test_float64_is_within_1e_9_of_exact(impl, name, truth):
    """Cost and every gradient entry are within 1e-9 relative of the exact value, and finite."""
    layers, X, y, network = CASES[name]
    J, grad = impl.deep_cost_and_grad(layers, X, y, **network)
    wanted, gradients, spreads = truth(name, np.float64)
    assert np.isfinite(J)
    errors = [float(abs(mp.mpf(J) - wanted) / abs(wanted))] if wanted else [abs(J)]
    for got, g, s in zip(flat(grad), gradients, spreads, strict=True):
        errors.append(relative_error(got, g, s, unit=1e-6, tiny=1e-290))
    assert max(errors) <= 1e-9


@pytest.mark.parametrize("name", CASES)
def test_float32_is_within_1e_4_of_exact(name, truth):
    """The same within 1e-4 in float32, of an entry that is at least a hundredth of its absolute terms, else of that."""
    layers, X, y, network = CASES[name]
    layers = tuple(Layer(*(a.astype(np.float32) for a in layer)) for layer in layers)
    y = y if y.dtype.kind == "i" else y.astype(np.float32)
    J, grad = IMPLEMENTATIONS["core"].deep_cost_and_grad(layers, X.astype(np.float32), y, **network)
    wanted, gradients, spreads = truth(name, np.float32)
    assert np.isfinite(J)
    assert abs(J - float(wanted)) <= 1e-4 * abs(float(wanted))
    for got, g, s in zip(flat(grad), gradients, spreads, strict=True):
        assert relative_error(got, g, s, unit=1e-2, tiny=1e-30) <= 1e-4


def test_the_textbook_softmax_fails_where_ours_does_not():
    """Far ahead, p rounds to 1: the textbook's loss and delta are 0, or not finite; the exact ones are neither."""
    layers, X, y, network = CASES["softmax right class ahead by 100-sigmoid-linear"]
    z = IMPLEMENTATIONS["core"].deep_forward(layers, X, units=network["units"])
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    assert (p[np.arange(len(y)), y] == 1).all()
    cost = IMPLEMENTATIONS["core"].deep_cost(layers, X, y, units=network["units"], loss="softmax")
    grad = IMPLEMENTATIONS["core"].deep_cost_and_grad(layers, X, y, units=network["units"], loss="softmax")[1]
    assert 0 < cost.loss < 1e-40
    assert -1e-40 < grad[-1].b[1] < 0
