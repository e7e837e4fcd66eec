"""What an evaluation and the solver tell of hidden units is what their codes show."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.network._data import Data
from sae_fast.network._deep import deep_cost, deep_forward
from sae_fast.network._measure import measure
from sae_fast.network._settings import check_autoencoder, check_settings
from sae_fast.network._solvers import LbfgsSolver
from sae_fast.network._units import HIDDEN, activity
from tests.helpers.deep_networks import make_layers
from tests.helpers.networks import DTYPES, TOLERANCE, make

pytestmark = pytest.mark.core


def assert_is_what_codes_show(found, codes, units, weight, dtype):
    """Means and ranges of each hidden layer; of linear ones no mean."""
    for a, unit, mean, low, high in zip(codes, units, found.rho_hat, found.low, found.high, strict=True):
        seen = activity(a.astype(np.float64), unit)
        for ends, wanted in ((low, seen.min(axis=0)), (high, seen.max(axis=0))):
            np.testing.assert_allclose(ends, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] / 10)
        if unit == "linear":
            assert np.isnan(mean).all()
        else:
            wanted = np.average(seen, axis=0, weights=weight)
            np.testing.assert_allclose(mean, wanted, rtol=10 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [9, 700], ids=["columns", "rows"])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_an_autoencoder(hidden, m, dtype):
    """Cost, means and ranges come from one evaluation, with and without weights."""
    params, X = make(m, 17, 9, dtype)
    settings = check_autoencoder(hidden, "linear", 0.1, 0.0, 1e-3)
    for weight in (None, np.linspace(0, 2, m)):
        found = measure(params, Data(X), weight, settings)
        named = {"rho": 0.1, "beta": 0.0, "weight_decay": 1e-3, "hidden": hidden, "output": "linear"}
        assert found.cost == sf.cost(params, X, **named, sample_weight=weight)
        assert_is_what_codes_show(found, [sf.encode(params, X, hidden=hidden)], [hidden], weight, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [9, 700], ids=["columns", "rows"])
def test_layer_by_layer(m, dtype):
    """Each hidden layer of a network, a linear one too."""
    layers, units = make_layers((8, 7, 6, 5, 8), dtype), ["tanh", "linear", "satlin", "sigmoid"]
    X = np.random.default_rng(0).uniform(0, 1, (m, 8)).astype(dtype)
    settings = check_settings(units, "squared", 0.1, 0.0, 1e-3, 4)
    found = measure(layers, Data(X), None, settings)
    codes = [deep_forward(layers[:n], X, units=units[:n]) for n in (1, 2, 3)]
    assert found.cost == deep_cost(layers, X, units=units, rho=0.1, weight_decay=1e-3)
    assert_is_what_codes_show(found, codes, units[:3], None, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lbfgs_has_looked_already(dtype):
    """After any step the solver tells what measuring its parameters tells, to the bit."""
    params, X = make(300, 17, 9, dtype)
    settings = check_autoencoder("tanh", "sigmoid", 0.1, 1.0, 1e-3)
    solver = LbfgsSolver(params, Data(X), None, settings, unit_range=True)
    for _ in range(5):
        wanted = measure(solver.params, Data(X), None, settings)
        found = solver.measured()
        assert found.cost == pytest.approx(wanted.cost, rel=TOLERANCE[dtype])
        for got, same in zip((found.rho_hat, found.low, found.high), (wanted.rho_hat, wanted.low, wanted.high)):
            np.testing.assert_array_equal(got[0], same[0])
        solver.step()
