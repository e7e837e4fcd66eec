"""What happens around the iterations: callback, progress, stopping, warm start, Ctrl-C."""

from __future__ import annotations

import signal

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import FitInterruptedWarning
from tests.helpers.estimators import SOLVERS, assert_held_back, model, patches


@pytest.mark.parametrize("solver", SOLVERS)
def test_callback_sees_every_iteration_and_may_stop(solver):
    """The callback gets cost, mean activation and live parameters; a true result ends the fit."""
    seen = []

    def look(info):
        seen.append(info)
        return info.epoch == 5

    fitted = model(solver=solver, callback=look).fit(patches())
    assert [i.epoch for i in seen] == [1, 2, 3, 4, 5]
    assert fitted.n_iter_ == 5
    assert 0 < seen[-1].mean_activation < 1
    assert seen[-1].cost.total == pytest.approx(sum(seen[-1].cost[1:]))
    np.testing.assert_array_equal(seen[-1].params.W1, fitted.components_)


@pytest.mark.parametrize("solver", SOLVERS)
def test_early_stopping_keeps_the_best_parameters(solver):
    """With a validation part, the parameters are those that were best on it."""
    kept = []
    fitted = model(
        solver=solver, early_stopping=True, n_iter_no_change=3, max_iter=200, tol=1e-3,
        learning_rate=None if solver == "lbfgs" else 0.1, callback=lambda i: kept.append(i.params.W1.copy()),
    ).fit(patches())  # fmt: skip
    best = int(np.argmin(fitted.validation_curve_))
    np.testing.assert_array_equal(fitted.components_, kept[best])
    assert fitted.n_iter_ < 200


def ended_by(curve, tol, patience):
    """The iteration that ends it: the last of ``patience`` in a row that are not lower by ``tol`` of themselves."""
    best, waited = np.inf, 0
    for i, J in enumerate(curve, 1):
        best, waited = (J, 0) if J * (1 + tol) < best else (best, waited + 1)
        if waited == patience:
            return i
    return None


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("unit", [0.03, 1.0, 5.0])
def test_tol_is_a_part_of_the_cost(unit, solver):
    """Whatever the size of J, a fit ends where it has not fallen by tol of itself for so many iterations."""
    X = unit * np.random.default_rng(0).uniform(-1, 1, (60, 5))
    options = {"output": "linear", "beta": 0.0, "weight_decay": 0.0, "tol": 3e-3, "n_iter_no_change": 3}
    fitted = sf.SparseAutoencoder(
        3, solver=solver, learning_rate=None if solver == "lbfgs" else 0.05, momentum=0.0, batch_size=20,
        max_iter=2000, random_state=0, **options,
    ).fit(X)  # fmt: skip
    assert fitted.n_iter_ == ended_by(fitted.loss_curve_, 3e-3, 3) < 2000


def test_tol_ends_a_fit_that_stands_still():
    """A fit whose cost no longer falls ends before max_iter."""
    assert model(max_iter=5000, tol=1e-4).fit(patches()).n_iter_ < 5000


def test_warm_start_goes_on_from_the_last_parameters():
    """With warm_start a second fit starts where the first ended."""
    X = patches()
    fitted = model(warm_start=True, max_iter=10).fit(X)
    reached = fitted.cost_.total
    assert fitted.fit(X).loss_curve_[0] <= reached
    with pytest.raises(ValueError, match="warm_start needs the layer sizes of the last fit"):
        fitted.set_params(n_components=3).fit(X)


@pytest.mark.parametrize("solver", SOLVERS)
def test_ctrl_c_keeps_the_best_so_far(solver):
    """A real interrupt ends the fit with the best parameters, and a warning that says so."""
    best = {}

    def interrupt(info):
        if info.cost.total < best.get("J", np.inf):
            best.update(J=info.cost.total, W1=info.params.W1.copy())
        if info.epoch == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(FitInterruptedWarning, match="interrupted after 4 of 40"):
        fitted = model(solver=solver, callback=interrupt).fit(patches())
    np.testing.assert_array_equal(fitted.components_, best["W1"])
    assert fitted.n_iter_ == 4
    assert fitted.transform(patches()).shape == (300, 6)


def test_ctrl_c_inside_an_epoch():
    """An interrupt while the core works ends the epoch between minibatches and keeps the best parameters."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (60000, 200))

    def alarm(info):
        signal.setitimer(signal.ITIMER_REAL, 0.02)

    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with pytest.warns(FitInterruptedWarning):
            model(solver="adam", n_components=100, max_iter=500, callback=alarm).fit(X)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_verbose_reports_on_stderr(capsys):
    """verbose=1 prints iterations with J, its parts, mean activation and the time left, on stderr alone."""
    model(verbose=1).fit(patches())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "iteration 40/40: J " in captured.err
    assert "sparsity, mean activation" in captured.err
    assert "s left" in captured.err


def test_training_function_stops_by_callback():
    """train() hands the callback an EpochInfo and stops when it says so."""
    X = patches()
    params, history = sf.train(sf.init_params(12, 6, random_state=0), X, n_epochs=9, callback=lambda i: i.epoch == 2)
    assert len(history.cost) == 2
    assert params.W1.shape == (6, 12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_validation_samples_judge_and_are_not_trained_on(solver):
    """A held-back sample, or its weight, moves the validation curve and not the curve of training."""

    def curves(X, weight):
        fitted = model(solver=solver, max_iter=3, early_stopping=True, validation_fraction=0.25)
        fitted.fit(X, sample_weight=weight)
        return fitted.loss_curve_, fitted.validation_curve_

    assert_held_back(curves, patches(24), 6)


def stopped_at(curve, tol, patience):
    """The iteration at which patience with this curve ends, and how many did not improve before."""
    best, waited, failures = np.inf, 0, 0
    for i, value in enumerate(curve, start=1):
        if value < best - tol * abs(value):
            best, waited = value, 0
        else:
            waited, failures = waited + 1, failures + 1
        if waited == patience:
            return i, failures
    return len(curve), failures


@pytest.mark.parametrize("early_stopping", [False, True])
def test_patience_begins_anew_with_each_improvement(early_stopping):
    """A noisy fit ends when n_iter_no_change iterations in a row did not improve: earlier ones do not count."""
    options = {"solver": "sgd", "batch_size": 4, "learning_rate": 0.1, "momentum": 0.0, "beta": 0.3, "max_iter": 400}
    fitted = model(**options, tol=1e-3, n_iter_no_change=4, early_stopping=early_stopping).fit(patches())
    curve = fitted.validation_curve_ if early_stopping else fitted.loss_curve_
    end, failures = stopped_at(curve, 1e-3, 4)
    assert fitted.n_iter_ == end < 400
    assert failures > 6  # of them, more than the last four


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_interrupted_after_it_diverged_is_an_error(solver):
    """Ctrl-C in a fit that has no finite cost leaves no model of NaN."""

    def interrupt(info):
        signal.raise_signal(signal.SIGINT)

    X = 1e200 * patches()
    broken = model(solver=solver, output="linear", callback=interrupt, early_stopping=True)
    with pytest.raises((ValueError, KeyboardInterrupt), match=r"fit diverged|^$"):
        broken.fit(X)
    assert not hasattr(broken, "params_")
