"""Paths that only large inputs take, against the NumPy twin; and a gradient that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from sae_fast.network._objective import compare_gradient
from tests.helpers.networks import error, make

SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}


@pytest.mark.parametrize("m", [6144, 6145, 20000])
def test_chunks_of_several_blocks_add_up(m):
    """Beyond 6,144 rows a chunk has several blocks: cost and gradient are those of the twin."""
    params, X = make(m, 64, 25)
    J, grad = sf.cost_and_grad(params, X, **SETTINGS)
    wanted_J, wanted = reference.cost_and_grad(params, X, **SETTINGS)
    assert pytest.approx(wanted_J, rel=1e-12) == J
    assert error(grad, wanted) < 1e-12


@pytest.mark.parametrize("n_threads", [2, 5])
def test_integers_converted_by_several_threads(n_threads):
    """Each thread converts samples in memory of its own: the codes of integers are those of their float copy."""
    params, _ = make(1, 200, 64)
    X = np.random.default_rng(0).integers(-3, 4, (20000, 200), dtype=np.int8)
    wanted = sf.encode(params, X.astype(np.float64), n_threads=1)
    for _ in range(5):
        assert np.array_equal(sf.encode(params, X, n_threads=n_threads), wanted)


@pytest.mark.parametrize("field", sf.Params._fields)
@pytest.mark.parametrize("n_directions", [None, 5])
def test_a_wrong_gradient_is_seen(field, n_directions):
    """A gradient with one array off by a tenth shows an error of that size."""
    params, X = make(20, 8, 5)

    def wrong(*arguments, **options):
        J, grad = sf.cost_and_grad(*arguments, **options)
        return J, grad._replace(**{field: 1.1 * getattr(grad, field)})

    assert compare_gradient(sf.cost, sf.cost_and_grad, params, X, None, n_directions, SETTINGS) < 1e-8
    assert compare_gradient(sf.cost, wrong, params, X, None, n_directions, SETTINGS) > 1e-4
