"""A fit begins anew whatever came before it, and one that fails leaves its estimator as it was."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import sae_fast as sf
from tests.helpers.estimators import patches

X = patches(120, 6)
OTHER = 0.5 + 0.4 * np.sin(7 * patches(90, 4))
FRAME = pd.DataFrame(X, columns=list("abcdef"))
IMAGES = np.random.default_rng(0).uniform(size=(4, 6, 6))
FIXED = {"random_state": 0, "rho": 0.2}
DEEP = {"max_iter": 5, "fine_tune_max_iter": 5, **FIXED}


def labels(samples):
    return (samples[:, 0] > 0.5).astype(int)


def fit(estimator, samples):
    return estimator.fit(samples, labels(np.asarray(samples)))


def coder(**options):
    return sf.SparseAutoencoder(3, max_iter=8, **FIXED | options)


def stack(**options):
    return sf.StackedAutoencoder((4, 3), **DEEP | options)


def classifier(**options):
    return sf.StackedAutoencoderClassifier((4, 3), head_max_iter=5, **DEEP | options)


# An estimator, and how it was used before: with names, other sizes, and what later fits do not set.
HISTORIES = {
    "lbfgs": (coder(), lambda e: fit(e.set_params(early_stopping=True, scale="minmax"), FRAME)),
    "adam": (coder(solver="adam"), lambda e: e.partial_fit(FRAME).partial_fit(FRAME)),
    "scale": (coder(scale="ufldl"), lambda e: fit(e.set_params(scale="none", output="tanh", n_components=5), FRAME)),
    "stack": (stack(), lambda e: fit(e.set_params(hidden_layer_sizes=(3, 3, 2)), FRAME)),
    "greedy stack": (stack(fine_tune=False), lambda e: fit(e.set_params(fine_tune=True), FRAME)),
    "classifier": (classifier(), lambda e: fit(e.set_params(early_stopping=True, class_weight="balanced"), FRAME)),
    "unit scaler": (sf.UnitScaler(), lambda e: e.partial_fit(FRAME).partial_fit(3 * FRAME)),
    "patch scaler": (sf.UFLDLScaler(), lambda e: e.partial_fit(FRAME).partial_fit(3 * FRAME)),
    "PCA": (sf.PCAWhitener(), lambda e: e.set_params(n_components=3).fit(FRAME)),
    "ZCA": (sf.ZCAWhitener(), lambda e: e.set_params(n_components=3).fit(FRAME)),
}


def state(estimator):
    """All that a fit has set, without the optimiser, which only runs show."""
    fitted = vars(estimator).keys() - estimator.get_params(deep=False).keys() - {"_trainer"}
    return copy.deepcopy({name: vars(estimator)[name] for name in fitted})


def assert_equal(one, two):
    assert one.keys() == two.keys()
    for name in one:
        if name == "scaler_" and one[name] is not None:
            assert_equal(vars(one[name]), vars(two[name]))
        elif name == "_before":
            assert_equal(one[name], two[name])
        else:
            np.testing.assert_equal(one[name], two[name], err_msg=name)


@pytest.mark.parametrize("case", HISTORIES)
def test_a_fit_begins_anew(case):
    """A used estimator is after fit what a new one is: to the bit, without a name or curve of what came before."""
    new, history = HISTORIES[case]
    used = history(clone(new))
    assert "feature_names_in_" in vars(used)
    used.set_params(**new.get_params())
    one, two = fit(used, OTHER), fit(clone(new), OTHER)
    assert_equal(state(one), state(two))
    assert "_trainer" not in vars(one)


@pytest.mark.parametrize("case", HISTORIES)
def test_all_that_a_fit_sets_is_listed(case):
    """No fitted attribute is missing among those that a fit takes away and gives back."""
    new, history = HISTORIES[case]
    for fitted in (history(clone(new)), fit(clone(new), X)):
        assert set(state(fitted)) <= set(fitted._learned)


def raising(info):
    raise RuntimeError("stop")


def interrupting(info):
    raise KeyboardInterrupt


FAILURES = {
    "NaN": ({}, X * np.nan, ValueError, "NaN"),
    "found out late": ({"output": "linear", "solver": "sgd", "learning_rate": 1e300, "epsilon": -1.0, "margin": -1.0},
             OTHER, ValueError, "diverged|epsilon must be|margin must be"),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("case", HISTORIES)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(case, failure):
    """After an error the earlier fit is still there, whole; one that was never fitted is not half fitted."""
    new, history = HISTORIES[case]
    options, samples, kind, message = FAILURES[failure]
    wrong = {k: v for k, v in options.items() if k in new.get_params()}
    for before in (clone(new), history(clone(new)), fit(clone(new), X)):
        was = state(before)
        before.set_params(**wrong)
        with pytest.raises(kind, match=message):
            fit(before, samples)
        assert_equal(state(before), was)


@pytest.mark.parametrize("callback", [raising, interrupting])
@pytest.mark.parametrize("case", ["lbfgs", "adam", "stack", "classifier"])
def test_a_fit_that_ends_in_a_callback_leaves_the_estimator_as_it_was(case, callback):
    """An exception in a callback leaves no half model, and nor does a warning of Ctrl-C that is an error."""
    new, _ = HISTORIES[case]
    for before in (clone(new), fit(clone(new), X)):
        was = state(before)
        before.set_params(callback=callback)
        if callback is interrupting:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # the warning that what there is was kept is then an error too
                with pytest.raises((KeyboardInterrupt, UserWarning)):
                    fit(before, OTHER)
        else:
            with pytest.raises(RuntimeError, match="stop"):
                fit(before, OTHER)
        assert_equal(state(before), was)


def test_partial_fit_goes_on_after_a_fit_that_failed():
    """The optimiser's state of earlier calls is not lost by a fit that raises."""
    model = coder(solver="adam").partial_fit(X).partial_fit(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan)
    straight = coder(solver="adam").partial_fit(X).partial_fit(X).partial_fit(X)
    assert_equal(state(model.partial_fit(X)), state(straight))


def test_images_after_a_table_leave_no_names():
    """ConvolvedFeatures that saw a frame, and then images, has no names of columns; a failing fit changes nothing."""
    features = sf.ConvolvedFeatures(sf.init_params(4, 2, random_state=0), (1, 4)).fit(FRAME)
    was = state(features)
    with pytest.raises(ValueError, match="W1 must have shape"):
        features.set_params(patch_size=(2, 3)).fit(IMAGES)
    assert_equal(state(features), was)
    features.set_params(patch_size=2).fit(IMAGES)
    assert "feature_names_in_" not in vars(features)
    assert features.n_features_in_ == 36


def test_revivals_begin_anew_with_each_training():
    """ReviveUnits counts and draws in a second training as in the first."""
    start = sf.init_params(6, 4, random_state=0)
    start.b1[:2] = -100
    revive = sf.ReviveUnits(X, every=2, random_state=0)
    runs = []
    for _ in range(2):
        params, _ = sf.train(start, X, n_epochs=5, random_state=0, callback=revive)
        runs.append((params, revive.n_revived))
    assert runs[0][1] > 0
    np.testing.assert_equal(runs[1], runs[0])


def test_a_shallow_copy_is_not_changed_by_fits_of_the_original():
    """What a copy holds is its own: later fits make new arrays."""
    model = fit(coder(), X)
    other = copy.copy(model)
    codes = other.transform(X)
    fit(model, OTHER)
    np.testing.assert_array_equal(other.transform(X), codes)
