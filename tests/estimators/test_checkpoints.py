"""Fits that are interrupted go on from their checkpoints to the same bits."""

from __future__ import annotations

import errno
import signal

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import FitInterruptedWarning
from sae_fast.files import _checkpoint_file
from sae_fast.network import _window_solver
from tests.helpers.estimators import SOLVERS, model, patches, stack


class Again:
    """Some rows at a time, as often as they are asked for."""

    def __init__(self, X):
        self.X = X

    def __iter__(self):
        for i in range(0, len(self.X), 130):
            yield self.X[i : i + 130]


def assert_same(got, wanted):
    """Every learned array, to the bit."""
    for name in vars(wanted):
        if not name.endswith("_") or name.startswith("_"):
            continue
        a, b = getattr(got, name), getattr(wanted, name)
        pairs = zip(a, b, strict=True) if isinstance(b, (tuple, list)) else [(a, b)]
        for x, y in pairs:
            for u, v in zip(x, y, strict=True) if isinstance(y, tuple) else [(x, y)]:
                if isinstance(v, (np.ndarray, float, int)):
                    np.testing.assert_array_equal(u, v)


KINDS = {
    "sigmoid": {},
    "judged": {"early_stopping": True, "scale": "minmax"},
    "relu": {"hidden": "relu", "output": "linear", "beta": 0.0, "l1": 0.01},
    "generator": {"random_state": 5},
}


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.parametrize("where", ["memory", "source", "windows"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_ctrl_c_and_go_on(tmp_path, monkeypatch, solver, kind, where):
    """Ctrl-C writes a last checkpoint, from which the fit goes on to the bits of one that was let."""
    if where == "windows":
        monkeypatch.setattr(_window_solver, "_WINDOW_BYTES", 12 * 8 * 100)
    X = patches(300) if where == "memory" else Again(patches(300))
    options = {"solver": solver, "max_iter": 8, "batch_size": 50} | KINDS[kind]
    made = options.get("random_state")

    def new(**more):
        seed = {} if made is None else {"random_state": np.random.Generator(np.random.PCG64(made))}
        return model(**options | seed | more)

    path = tmp_path / "run.ckpt"
    wanted = new().fit(X)

    def interrupt(info):
        if info.epoch == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(FitInterruptedWarning, match=r"run.ckpt resumes it"):
        new(callback=interrupt).fit(X, checkpoint=path)
    assert_same(new().fit(X, resume_from=path), wanted)
    # Its last checkpoint is at its end, where there is nothing left to do.
    new().fit(X, resume_from=path, checkpoint=path)
    seen = []
    assert_same(new(callback=seen.append).fit(X, resume_from=path), wanted)
    assert seen == []


class StopError(Exception):
    """Ends a fit as a kill would."""


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("stage", ["layer 1 of 2", "layer 2 of 2", "head", "fine-tuning"])
@pytest.mark.parametrize("classifier", [False, True])
def test_stacks_go_on_in_any_stage(tmp_path, classifier, stage, solver):
    """Finished layers come from the checkpoint, and the stage that was cut short goes on."""
    if stage == "head" and not classifier:
        pytest.skip("there is none")
    X = patches(200)
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    kind = sf.StackedAutoencoderClassifier if classifier else sf.StackedAutoencoder
    options = {"solver": solver, "max_iter": 6, "fine_tune_max_iter": 6, "fine_tune_solver": solver, "random_state": 0}

    def stop(info):
        if info.stage == stage and info.epoch == 3:
            raise StopError

    path = tmp_path / "run.ckpt"
    wanted = kind((6, 4), **options).fit(X, y)
    with pytest.raises(StopError):
        kind((6, 4), **options, callback=stop).fit(X, y, checkpoint=path, checkpoint_every=0)
    got = kind((6, 4), **options).fit(X, y, resume_from=path)
    assert_same(got, wanted)
    np.testing.assert_array_equal(got.transform(X), wanted.transform(X))
    if classifier:
        with pytest.raises(ValueError, match="checkpoint of other labels"):
            kind((6, 4), **options).fit(X, 1 - y, resume_from=path)


def test_more_iterations_may_follow(tmp_path):
    """A finished fit goes on with a larger max_iter, as one that had it from the beginning."""
    X, path = patches(), tmp_path / "run.ckpt"
    model(max_iter=5).fit(X, checkpoint=path)
    assert_same(model(max_iter=20).fit(X, resume_from=path), model(max_iter=20).fit(X))


def test_a_checkpoint_of_another_fit_is_refused(tmp_path):
    """Other settings, data, weights, models: each is named, and the estimator stays as it was."""
    X, path = patches(), tmp_path / "run.ckpt"
    model().fit(X, checkpoint=path)
    fitted = model().fit(X)
    before = fitted.params_
    for estimator, data, weight, words in (
        (fitted.set_params(rho=0.3), X, None, "other settings: rho was 0.2, and is 0.3"),
        (model(n_components=7), X, None, "other settings: n_components was 6, and is 7"),
        (model(random_state=1), X, None, "other settings: random_state was 0, and is 1"),
        (model(), X[1:], None, "other data: 300 samples of 12 features, float64, not 299 samples"),
        (model(), X.astype(np.float32), None, "other data: .*float64, not .*float32"),
        (model(), X[::-1], None, "other data, of the same size"),
        (model(), X, np.ones(len(X)), "other sample_weight"),
        (stack(), X, None, "another model: a SparseAutoencoder, not a StackedAutoencoder"),
    ):
        with pytest.raises(ValueError, match=words):
            estimator.fit(data, sample_weight=weight, resume_from=path)
    assert fitted.params_ is before


def test_a_damaged_checkpoint_is_refused(tmp_path):
    """Any changed byte, a cut, a model file, and a missing file or folder; a checkpoint is no model."""
    X, path, bad = patches(), tmp_path / "run.ckpt", tmp_path / "bad"
    model(max_iter=3).fit(X, checkpoint=path).save(tmp_path / "model")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for at in (*rng.integers(0, len(whole), 40).tolist(), len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        bad.write_bytes(changed)
        with pytest.raises(sf.ModelFileError):
            model(max_iter=3).fit(X, resume_from=bad)
    bad.write_bytes(whole[:-7])
    for name, words in (("bad", "damaged"), ("model", "no checkpoint")):
        with pytest.raises(sf.ModelFileError, match=words):
            model(max_iter=3).fit(X, resume_from=tmp_path / name)
    with pytest.raises(sf.ModelFileError, match="is a checkpoint of a fit, not a model"):
        sf.load(path)
    for arguments in ({"resume_from": tmp_path / "none"}, {"checkpoint": tmp_path / "none" / "run.ckpt"}):
        with pytest.raises(FileNotFoundError, match="none"):
            model(max_iter=3).fit(X, **arguments)
    with pytest.raises(ValueError, match="checkpoint_every must be >= 0"):
        model().fit(X, checkpoint=path, checkpoint_every=-1)
    for name in ("checkpoint", "resume_from"):
        with pytest.raises(TypeError, match=f"{name} must be a path, got 5"):
            model().fit(X, **{name: 5})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (sf.SparseAutoencoder, {}),
        (sf.StackedAutoencoder, {}),
        (sf.StackedAutoencoderClassifier, {"y": 1}),
        (sf.KSparseAutoencoder, {}),
    ],
)
@pytest.mark.parametrize("more", [{}, {"resume_from": "run.ckpt"}])
def test_how_often_without_a_file(kind, options, more):
    """``checkpoint_every`` alone would write nothing."""
    with pytest.raises(ValueError, match=r"checkpoint_every=5 needs checkpoint="):
        kind().fit(patches(), **options, **more, checkpoint_every=5)


def test_a_state_that_does_not_fit_is_refused(tmp_path):
    """A file that verifies, with arrays of another fit, is no reason to go on."""
    X, path = patches(), tmp_path / "run.ckpt"
    model(max_iter=3).fit(X, checkpoint=path)
    arrays, about = _checkpoint_file.read_checkpoint(path)
    for name in arrays:
        for other in ({k: v for k, v in arrays.items() if k != name}, arrays | {name: arrays[name][:-1]}):
            _checkpoint_file.write_checkpoint(path, other, about)
            if name in other and (name == "costs" or not arrays[name].size):
                continue  # a shorter history is one
            with pytest.raises(sf.ModelFileError, match="does not hold the state"):
                model(max_iter=3).fit(X, resume_from=path)
            about.pop("checksum", None)


def test_a_full_disk_while_checkpointing(tmp_path, monkeypatch):
    """The error names the file; the checkpoint before and the model are as they were. After Ctrl-C the fit is kept."""
    X, path = patches(), tmp_path / "run.ckpt"
    fitted = model(max_iter=3).fit(X, checkpoint=path)
    before, whole = fitted.params_, path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*run.ckpt"):
        fitted.fit(X, checkpoint=path, checkpoint_every=0)
    assert fitted.params_ is before
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["run.ckpt"]
    with pytest.warns(FitInterruptedWarning, match=r"no checkpoint was written: .*No space left"):
        model(callback=lambda i: i.epoch == 2 and signal.raise_signal(signal.SIGINT)).fit(X, checkpoint=path)
    assert path.read_bytes() == whole
