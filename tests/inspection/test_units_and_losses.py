"""Revival, pruning, search and comparison of networks of units with kinks, other losses and l1."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import sae_fast as sf
from sae_fast.inspection._new_units import Network, threshold
from sae_fast.inspection._prune import steepest
from sae_fast.network._units import activity
from sae_fast.reference._units import UNITS as FORMULAS

X, Y = load_digits(return_X_y=True)
X, Y = X[:800] / 16, Y[:800]
NETWORKS = {
    "relu": {"hidden": "relu", "output": "relu", "beta": 0, "l1": 0.003, "loss": "huber"},
    "satlin": {"hidden": "satlin", "output": "linear", "rho": 0.2, "beta": 0.01, "loss": "absolute"},
    "sigmoid": {"rho": 0.2, "beta": 0.1, "loss": "cross_entropy", "l1": 0.001},
}
SETTINGS = ("rho", "beta", "weight_decay", "l1", "hidden", "output", "loss")


def fitted(name, **options):
    defaults = {"n_components": 16, "random_state": 0, "max_iter": 60}
    return sf.SparseAutoencoder(**defaults | NETWORKS[name] | options).fit(X)


def settings_of(model):
    return {name: getattr(model, name) for name in SETTINGS}


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_revived_units_live_and_j_does_not_rise(name):
    """Dead units get a new start, whose J, with its loss and l1, is no higher than before; fits go on from it."""
    model = fitted(name)
    model.params_.b1[[1, 4]] = -1000
    report = model.unit_report(X)
    dead = np.flatnonzero(report.status == "dead")
    assert {1, 4} <= set(dead)
    before = sf.cost(model.params_, X, **settings_of(model)).total
    revived = sf.revive_units(model, X, random_state=0)
    assert revived.unit_report(X).n_dead == 0
    assert revived.cost_ == sf.cost(revived.params_, X, **settings_of(model))
    assert revived.cost_.total <= before  # infinite, for satlin units
    assert np.isfinite(revived.cost_.total)
    J = revived.cost_.total
    assert revived.set_params(max_iter=20).fit(X).cost_.total < J


def test_revival_during_training_counts_loss_and_l1():
    """The callback revives relu units during a training by minibatches."""
    options = NETWORKS["relu"]
    start = sf.init_params(64, 16, random_state=0)
    start.b1[:3] = -1000
    revive = sf.ReviveUnits(X, every=2, random_state=0, **options)
    params, _ = sf.train(start, X, n_epochs=5, random_state=0, callback=revive, **options)
    assert revive.n_revived >= 3
    assert np.all(sf.encode(params, X, hidden="relu").max(axis=0) > 0)
    with pytest.raises(ValueError, match="beta must be 0 for hidden='relu'"):
        sf.ReviveUnits(X, hidden="relu")
    with pytest.raises(ValueError, match=r"X must be in \[0, 1\] for loss='cross_entropy'"):
        sf.ReviveUnits(3 * X, loss="cross_entropy")


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "satlin"])
@pytest.mark.parametrize("rho", [0.01, 0.5, 0.9])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_thresholds_give_the_wanted_mean(hidden, rho, scale):
    """The bias of a new unit makes its mean activation, mapped to [0, 1], rho."""
    projection = scale * np.random.default_rng(0).normal(size=500)
    bias = threshold(projection, Network(rho, 1.0, 0.0, hidden, "linear", None))
    assert activity(FORMULAS[hidden].value(projection + bias), hidden).mean() == pytest.approx(rho, rel=1e-6)


@pytest.mark.parametrize("rho", [0.01, 0.5])
def test_threshold_of_relu_is_passed_by_a_share_of_the_samples(rho):
    """A new relu unit is on for a share rho of the samples."""
    projection = np.random.default_rng(0).normal(size=1000)
    bias = threshold(projection, Network(rho, 0.0, 0.0, "relu", "linear", None))
    assert np.mean(projection + bias > 0) == pytest.approx(rho, abs=1e-3)


def test_steepest_slopes():
    """The largest slopes are those of the formulas."""
    assert [steepest(unit) for unit in ("sigmoid", "tanh", "linear", "relu", "satlin")] == [0.25, 1, 1, 1, 1]


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.parametrize("name", ["relu", "satlin"])
def test_pruning_keeps_reconstructions(name):
    """Dead units go, a multiple of a relu unit goes into it, and the reconstruction stays; J is that of the network."""
    model = fitted(name)
    W1, b1 = model.params_[:2]
    b1[0] = -1000
    factor = 3 if name == "relu" else 1
    W1[2], b1[2] = factor * W1[1], factor * b1[1]
    pruned = sf.prune_units(model, X)
    assert pruned.merged_into[0] == -1
    assert pruned.merged_into[2] in (1, 2)
    assert pruned.merged_into[1] == pruned.merged_into[2]
    assert pruned.largest_change < 1e-12
    np.testing.assert_allclose(pruned.model.reconstruct(X), model.reconstruct(X), atol=1e-12)
    assert pruned.model.cost_ == sf.cost(pruned.model.params_, X, **settings_of(model))


def test_beta_is_sought_only_where_it_acts():
    """The search takes satlin units and l1, and tells relu units to take l1."""
    with pytest.raises(ValueError, match=r"hidden must be a unit whose mean activation beta can hold, got 'relu'.*l1"):
        sf.suggest_beta(X, 8, hidden="relu")
    with pytest.raises(ValueError, match="hidden must be 'sigmoid', 'tanh', 'relu' or 'satlin', got 'cosine'"):
        sf.suggest_beta(X, 8, hidden="cosine")
    found = sf.suggest_beta(X, 8, rho=0.2, hidden="satlin", output="linear", l1=0.001, max_iter=40, random_state=0)
    assert found.beta is not None
    assert found.model.rho_hat_.mean() == pytest.approx(0.2, rel=0.1)
    assert found.model.l1 == 0.001


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
def test_relu_codes_beside_pca():
    """Codes of relu units are compared as they are: activity is told from 0, and they are of use."""
    result = sf.compare_with_pca(X, Y, model=fitted("relu", n_components=32, l1=0.01), cv=3, random_state=0)
    codes = result.model.transform(X)
    assert result.sae.inactive == pytest.approx(np.mean(codes <= 0.1 * codes.max(axis=0)))
    assert result.sae.accuracy > 0.85
