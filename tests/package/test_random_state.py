"""random_state: one rule for every function, estimator and command."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from sae_fast.cli import main
from tests.helpers.estimators import patches

X = patches(60, 6)
Y = (X[:, 0] > 0.5).astype(int)
PARAMS = sf.init_params(6, 3, random_state=0)
IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 9))
MODEL = sf.SparseAutoencoder(3, max_iter=3, random_state=0).fit(X)
IDLE = MODEL.params_._replace(b1=np.array([-100.0, -100.0, 0.0]))
SHORT = {"max_iter": 3, "fine_tune_max_iter": 3}


def idle(random_state):
    model = sf.SparseAutoencoder(3, max_iter=3, random_state=0).fit(X)
    model.params_ = IDLE
    return sf.revive_units(model, X, random_state=random_state).params_


def reviving(random_state):
    revive = sf.ReviveUnits(X, every=1, random_state=random_state)
    return sf.train(IDLE, X, n_epochs=2, random_state=0, callback=revive)[0]


USES = {
    "init_params": lambda r: sf.init_params(6, 3, random_state=r),
    "reference.init_params": lambda r: reference.init_params(6, 3, random_state=r),
    "train": lambda r: sf.train(PARAMS, X, n_epochs=2, batch_size=9, random_state=r)[0],
    "reference.train": lambda r: reference.train(PARAMS, X, n_epochs=2, batch_size=9, random_state=r)[0],
    "revive_units": idle,
    "ReviveUnits": reviving,
    "SparseAutoencoder": lambda r: sf.SparseAutoencoder(3, max_iter=3, random_state=r).fit(X).params_,
    "partial_fit": lambda r: sf.SparseAutoencoder(3, solver="adam", random_state=r).partial_fit(X).params_,
    "StackedAutoencoder": lambda r: sf.StackedAutoencoder((4, 3), random_state=r, **SHORT).fit(X).encoder_,
    "StackedAutoencoderClassifier": lambda r: sf.StackedAutoencoderClassifier(
        (4, 3), random_state=r, early_stopping=True, **SHORT).fit(X, Y).encoder_,
    "suggest_beta": lambda r: sf.suggest_beta(X, 3, max_trials=1, max_iter=3, random_state=r).model.params_,
    "PatchExtractor": lambda r: sf.PatchExtractor(4, 20, random_state=r).fit_transform(IMAGES),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_one_rule(use):
    """Integers from 0 on and both kinds of generators repeat a run; all else is one error."""
    run = USES[use]
    for make in (lambda: 3, lambda: np.int64(3), lambda: 2**40, lambda: np.random.default_rng(3),
                 lambda: np.random.RandomState(3)):  # fmt: skip
        np.testing.assert_equal(run(make()), run(make()))
    wanted = "random_state must be an integer >= 0, a NumPy Generator or RandomState, or None, got"
    with pytest.raises(ValueError, match=f"{wanted} -1"):
        run(-1)
    for wrong in ("x", 1.5):
        with pytest.raises(TypeError, match=f"{wanted} {wrong!r}"):
            run(wrong)


@pytest.mark.parametrize("use", USES)
def test_seeds_make_a_difference(use):
    """Another seed gives another result, and so does no seed, twice."""
    run = USES[use]

    def differs(one, two):
        try:
            np.testing.assert_equal(one, two)
        except AssertionError:
            return True
        return False

    assert differs(run(3), run(4))
    assert differs(run(3), run(3 + 2**32))
    assert differs(run(None), run(None))


def test_a_generator_goes_on():
    """Estimators draw from a caller's Generator as from a RandomState: a second fit begins otherwise."""
    for generator in (np.random.default_rng(0), np.random.RandomState(0)):
        model = sf.SparseAutoencoder(3, max_iter=1, random_state=generator)
        first = model.fit(X).components_
        assert not np.array_equal(model.fit(X).components_, first)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_seed_shuffles(solver):
    """From the same start, another seed takes the samples in another order."""

    def run(seed):
        model = sf.SparseAutoencoder(
            3, solver=solver, batch_size=7, max_iter=1, warm_start=True, random_state=seed, learning_rate=0.01
        )
        model.params_ = PARAMS
        return model.fit(X).components_

    assert not np.array_equal(run(1), run(2))
    np.testing.assert_array_equal(run(1), run(1))


@pytest.mark.parametrize("kind", [sf.StackedAutoencoder, sf.StackedAutoencoderClassifier])
def test_the_seed_shuffles_fine_tuning(kind):
    """Fine-tuning from the same layers takes the samples in an order of its own seed."""
    first = sf.init_params(6, 4, random_state=0)
    second = sf.init_params(4, 3, random_state=0)

    def same_layers(info):
        given = {"layer 1 of 2": first, "layer 2 of 2": second}.get(info.stage)
        for live, wanted in zip(info.params, given or (), strict=given is not None):
            live[:] = wanted

    def run(seed):
        options = {"solver": "adam", "max_iter": 1, "fine_tune_solver": "adam", "fine_tune_max_iter": 1}
        model = kind((4, 3), batch_size=7, callback=same_layers, random_state=seed, **options).fit(X, Y)
        np.testing.assert_array_equal(model.before_fine_tuning().components_, first.W1)
        return model.components_

    assert not np.array_equal(run(1), run(2))
    np.testing.assert_array_equal(run(1), run(1))


def test_the_command_line_says_so_too(tmp_path, capsys):
    """A negative --random-state is an error that names it."""
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(SystemExit):
        main(["fit", str(tmp_path / "X.npy"), "-o", str(tmp_path / "m.safetensors"), "--random-state", "-1"])
    assert "--random-state: must be >= 0, got -1" in capsys.readouterr().err


def test_all_coders_are_judged_on_the_same_folds():
    """compare_with_pca follows the rule, and splits alike for all of its coders with a generator too."""
    model = sf.SparseAutoencoder(6, max_iter=3, random_state=0).fit(X)
    one, two = (sf.compare_with_pca(X, Y, model=model, cv=2, random_state=np.random.default_rng(3)) for _ in range(2))
    assert (one.pca.accuracy, one.raw.accuracy) == (two.pca.accuracy, two.raw.accuracy)
    assert one.pca.accuracy == pytest.approx(one.raw.accuracy, abs=0.04)  # PCA with all components turns the data
    with pytest.raises(ValueError, match=r"random_state must be an integer >= 0, .* got -1"):
        sf.compare_with_pca(X, random_state=-1)
