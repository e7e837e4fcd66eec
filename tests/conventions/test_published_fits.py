"""The published fits of the CRAN package autoencoder, on its natural-image patches."""

from __future__ import annotations

import pytest

import sae_fast as sf

SETTINGS = {"rho": 0.01, "beta": 6.0, "weight_decay": 2e-4}


@pytest.mark.parametrize(("n_hidden", "J"), [(25, 2.24568204), (100, 2.02654008)])
def test_our_cost_of_their_weights_is_the_published_one(impl, shared_data, n_hidden, J):
    """The stored weights have the published error to 1e-12, and the J that follows from it."""
    X, fits = shared_data.cran_autoencoder()
    fit = fits[n_hidden]
    cost = impl.cost([fit[k] for k in ("W1", "b1", "W2", "b2")], X, **SETTINGS)
    assert 2 * cost.reconstruction == pytest.approx(float(fit["mean_error_training_set"]), rel=1e-12)
    assert cost.total == pytest.approx(J, abs=5e-9)


def test_training_from_our_own_start_reaches_the_published_quality(shared_data):
    """25 units, their hyper-parameters, 2000 iterations: J is at most 2.27 (published: 2.24568)."""
    X, _ = shared_data.cran_autoencoder()
    model = sf.SparseAutoencoder(25, **SETTINGS, max_iter=2000, random_state=0, tol=0.0).fit(X)
    print(f"\nCRAN patches, 25 units: J = {model.cost_.total:.5f} after {model.n_iter_} iterations")
    assert model.cost_.total <= 2.27
