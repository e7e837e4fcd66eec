"""suggest_beta: the sparsity penalty's weight from the mean activation that is wanted."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import DataRangeWarning
from tests.helpers.estimators import patches
from tests.helpers.networks import HIDDEN


@pytest.mark.parametrize("hidden", HIDDEN)
def test_the_beta_found_does_it_and_a_smaller_one_does_not(hidden):
    """A fresh fit at the beta found has the wanted mean activation; at a third of it, it has not."""
    X = patches()
    options = {"hidden": hidden, "weight_decay": 1e-3}
    found = sf.suggest_beta(X, 6, rho=0.1, random_state=0, **options)

    def deviation(beta):
        fitted = sf.SparseAutoencoder(6, rho=0.1, beta=beta, random_state=3, max_iter=1000, **options).fit(X)
        return abs(fitted.rho_hat_.mean() / 0.1 - 1)

    assert deviation(found.beta) <= 0.12  # the tolerance of 0.1, and another start
    assert deviation(found.beta / 3) > 0.1
    assert found.message.startswith(f"beta = {found.beta:.4g}: mean activation")


def test_model_and_trials_are_those_of_the_fits():
    """The model is the one that met the tolerance, the trials have its mean activation and J, and beta is the least."""
    found = sf.suggest_beta(patches(), 6, rho=0.1, tol=0.05, random_state=0)
    met = [t for t in found.trials if abs(t.mean_activation - 0.1) <= 0.05 * 0.1]
    assert found.beta == min(t.beta for t in met)
    trial = next(t for t in met if t.beta == found.beta)
    assert (found.model.cost_, found.model.rho_hat_.mean()) == (trial.cost, trial.mean_activation)
    assert (found.model.beta, found.model.rho, found.model.warm_start) == (found.beta, 0.1, True)
    frame = found.to_pandas()
    assert list(frame) == ["beta", "mean_activation", "total", "reconstruction", "weight_decay", "sparsity", "n_iter"]
    assert len(frame) == len(found.trials) == len(str(found).splitlines()) - 2
    assert str(found).endswith(found.message)
    cost = found.model.cost_.total
    assert found.model.fit(patches()).cost_.total <= cost


def test_trials_start_from_the_nearest_fit_and_go_on_until_they_settle():
    """Each trial goes on from the fit of the nearest beta, for as many fits as its mean activation needs to settle."""
    X, rho, tol = patches(), 0.1, 0.03
    found = sf.suggest_beta(X, 6, rho=rho, tol=tol, max_iter=5, random_state=0)
    fits: dict[float, sf.SparseAutoencoder] = {}
    for trial in found.trials:
        nearest = min(fits, key=lambda beta, to=trial.beta: abs(math.log(beta / to)), default=None)
        first = sf.SparseAutoencoder(6, rho=rho, max_iter=5, random_state=0, warm_start=True)
        fitted = copy.copy(first if nearest is None else fits[nearest]).set_params(beta=trial.beta)
        n_iter, before, mean = 0, math.inf, math.nan
        while n_iter < 25 and not abs(mean - before) <= 0.1 * tol * rho:
            before = math.inf if n_iter == 0 else mean
            mean = fitted.fit(X).rho_hat_.mean()
            n_iter += fitted.n_iter_
        fits[trial.beta] = fitted
        assert (trial.n_iter, trial.mean_activation) == (n_iter, mean)
    assert len({trial.n_iter for trial in found.trials}) > 1


def test_a_seed_repeats_the_search():
    """The same random_state gives the same bits, on any number of threads."""
    one, two = (sf.suggest_beta(patches(), 4, rho=0.1, random_state=1, n_threads=n) for n in (1, 3))
    assert one.trials == two.trials
    np.testing.assert_array_equal(one.model.components_, two.model.components_)


def test_no_beta_does_it():
    """Where the range ends too early the message says how near it came, and the nearest fit is there."""
    found = sf.suggest_beta(patches(), 6, rho=0.01, tol=0.01, beta_range=(1e-4, 1e-3), random_state=0)
    assert found.beta is None
    nearest = min(found.trials, key=lambda t: abs(t.mean_activation - 0.01))
    assert found.model.beta == nearest.beta == 1e-3
    assert f"no beta gives a mean activation within 0.01 of rho = 0.01 (of {len(found.trials)} tried" in found.message
    assert f"the nearest is {nearest.mean_activation:.4g} at beta 0.001" in found.message
    assert len(sf.suggest_beta(patches(), 6, rho=0.01, tol=0.001, max_trials=1, random_state=0).trials) == 1


def test_every_beta_does_it():
    """Where the lowest beta already does it, it is given, and the message says that it is the range's end."""
    found = sf.suggest_beta(patches(), 6, rho=0.5, tol=0.9, beta_range=(0.01, 1.0), random_state=0)
    assert found.beta == 0.01
    assert "the lowest of the range" in found.message


def test_verbose_tells_each_trial(capsys):
    """verbose=1 prints a line for each trial, on stderr alone."""
    found = sf.suggest_beta(patches(), 4, rho=0.1, random_state=0, verbose=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == len(found.trials)
    assert captured.err.startswith("trial 1: beta 1, mean activation ")
    assert "(wanted 0.1 +- 0.01), J " in captured.err


def test_data_out_of_range_are_warned_of_once():
    """The warning of the fits about the range of the data comes once, not with every trial."""
    with pytest.warns(DataRangeWarning) as caught:
        sf.suggest_beta(patches() + 1, 4, rho=0.1, random_state=0, max_trials=3)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"rho": 1.5}, ValueError, r"rho must be in \(0, 1\), got 1.5"),
        ({"tol": 0}, ValueError, "tol must be > 0 and finite, got 0"),
        ({"beta_range": 3}, TypeError, r"beta_range must be a pair \(low, high\), got 3"),
        ({"beta_range": (1, 0.1)}, ValueError, r"0 < low < high, got \(1, 0.1\)"),
        ({"beta_range": (0, 1)}, ValueError, r"0 < low < high, got \(0, 1\)"),
        ({"max_trials": 0}, ValueError, "max_trials must be >= 1, got 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be >= 1, got 0"),
        ({"beta": 1.0}, TypeError, "suggest_beta takes no beta: the search sets it"),
        ({"wings": 2}, TypeError, "wings"),
        ({"hidden": "swish"}, ValueError, "hidden must be"),
    ],
)
def test_wrong_arguments_are_named(options, kind, message):
    """Each wrong argument is an error that names it."""
    with pytest.raises(kind, match=message):
        sf.suggest_beta(patches(), 4, **options)
    with pytest.raises(ValueError, match="NaN"):
        sf.suggest_beta(np.full((5, 3), np.nan), 4)


@pytest.mark.parametrize(("rho", "tol"), [(0.1, 0.1), (0.1, 0.03), (0.2, 0.1), (0.05, 0.2)])
def test_the_beta_found_is_the_smallest_to_within_a_tenth(rho, tol):
    """A beta a tenth smaller has failed, or the one found is within a tenth of the tolerance's edge."""
    found = sf.suggest_beta(patches(), 6, rho=rho, tol=tol, weight_decay=1e-3, random_state=0)
    too_far = [t.beta for t in found.trials if abs(t.mean_activation - rho) > tol * rho and t.beta < found.beta]
    edge = abs(found.model.rho_hat_.mean() - rho) / (tol * rho)
    assert found.beta <= 1.1 * max(too_far) or edge >= 1 / 1.1
