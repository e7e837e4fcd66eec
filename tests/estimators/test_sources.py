"""Estimators learn from samples that are read block by block."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.network import _window_solver
from sae_fast.network._data import Data
from sae_fast.network._settings import check_autoencoder
from sae_fast.network._solvers import LbfgsSolver
from tests.helpers.estimators import SOLVERS, model, patches, stack


class Again:
    """Some rows at a time, as often as they are asked for."""

    def __init__(self, X, rows):
        self.X, self.rows, self.passes = X, rows, 0

    def __iter__(self):
        self.passes += 1
        for i in range(0, len(self.X), self.rows):
            yield self.X[i : i + self.rows]


def assert_same(got, wanted):
    """Every bit that a fit leaves."""
    for a, b in zip(got.params_, wanted.params_, strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("loss_curve_", "loss_parts_", "rho_hat_", "cost_", "n_iter_", "n_features_in_"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))


KINDS = {
    "sigmoid": {},
    "minmax": {"scale": "minmax"},
    "relu": {"hidden": "relu", "output": "linear", "beta": 0.0, "l1": 0.01},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_to_a_source_is_that_to_the_array(solver, kind, dtype):
    """Re-iterables, sources and spooled iterators give the model of the array, to the bit, with weights too."""
    X = patches(3000, 12, dtype)
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    options = {"solver": solver, "max_iter": 6, "learning_rate": 0.01} | KINDS[kind]
    for w in (None, weight):
        wanted = model(**options).fit(X, sample_weight=w)
        assert_same(model(**options).fit(Again(X, 701), sample_weight=w), wanted)
        assert_same(model(**options).fit(sf.open_source(X, batch_size=64), sample_weight=w), wanted)


@pytest.mark.parametrize(("beta", "passes"), [(3.0, 2), (0.0, 1)])
def test_passes_over_a_source(beta, passes):
    """An evaluation takes two, and one where no layer has a penalty on means."""

    class Sized(Again):
        def __len__(self):
            return len(self.X)

    source = Sized(patches(3000), 500)
    settings = check_autoencoder("sigmoid", "sigmoid", 0.1, beta, 1e-4)
    solver = LbfgsSolver(sf.init_params(12, 6, random_state=0), Data(source), None, settings)
    for _ in range(5):
        assert solver.step() is not None
    assert source.passes == passes * solver.n_evaluations


def test_the_scale_of_samples_over_a_source():
    """That of ufldl is the array's but for rounding."""
    X = patches(3000)
    wanted = model(scale="ufldl").fit(X).cost_.total
    assert model(scale="ufldl").fit(Again(X, 77)).cost_.total == pytest.approx(wanted, rel=1e-10)


def test_an_iterator_is_refused_or_spooled(tmp_path):
    """What can be read once is refused with the advice; spooled, it is read as often as needed, and nothing is left."""
    X = patches(1000)
    fitted = model().fit(X)
    before = fitted.params_.W1.copy()
    with pytest.raises(ValueError, match=r"gives its rows once.*spool=folder.*partial_fit"):
        fitted.fit(iter(Again(X, 100)))
    np.testing.assert_array_equal(fitted.params_.W1, before)
    assert_same(model().fit(iter(Again(X, 100)), spool=tmp_path), fitted)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="spool must be None"):
        model().fit(X, spool=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"spool must be a folder that exists, got .*nowhere'"):
        model().fit(iter(Again(X, 100)), spool=tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match="spool must be a folder that exists"):
        model().fit(iter(Again(X, 100)), spool=__file__)


def test_a_full_disk_while_spooling(tmp_path):
    """An error that names the folder; nothing is left, and the model is as it was."""
    code = (
        "import resource, sys, numpy as np, sae_fast as sf\n"
        "model = sf.SparseAutoencoder(3, max_iter=2)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: model.fit(iter([np.full((5000, 8), 0.5)] * 3), spool=sys.argv[1])\n"
        "except OSError as error: print(error)\n"
        "assert not hasattr(model, 'params_')\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert str(tmp_path) in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_epochs_over_several_windows(monkeypatch):
    """Blocks of the source do not matter, the seed does; each window is shuffled, and all samples are learned from."""
    monkeypatch.setattr(_window_solver, "_WINDOW_BYTES", 12 * 8 * 600)
    X = patches(3000)
    options = {"solver": "adam", "max_iter": 30, "batch_size": 50, "learning_rate": 0.01}
    first = model(**options).fit(Again(X, 700))
    assert_same(model(**options).fit(Again(X, 37)), first)
    assert not np.array_equal(model(**options | {"random_state": 1}).fit(Again(X, 700)).params_.W1, first.params_.W1)
    in_memory = model(**options).fit(X)
    assert not np.array_equal(first.params_.W1, in_memory.params_.W1)
    assert first.cost_.total == pytest.approx(in_memory.cost_.total, rel=0.05)
    assert first.loss_curve_[-1] < 0.9 * first.loss_curve_[0]
    weight = np.ones(len(X))
    weight[:700] = 0
    weighted = model(**options).fit(Again(X, 700), sample_weight=weight)
    assert weighted.cost_.total == pytest.approx(model(**options).fit(X[700:]).cost_.total, rel=0.05)


@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
def test_partial_fit_takes_any_source(scale, monkeypatch):
    """Iterators too; windows go on one from another."""
    X = patches(1000)
    options = {"solver": "sgd", "scale": scale, "batch_size": 50}
    wanted = model(**options).partial_fit(X).partial_fit(X)
    assert_same(model(**options).partial_fit(Again(X, 70)).partial_fit(iter(Again(X, 33))), wanted)
    monkeypatch.setattr(_window_solver, "_WINDOW_BYTES", 12 * 8 * 500)
    halves = model(**options | {"scale": "none"}).partial_fit(X[:500]).partial_fit(X[500:])
    windows = model(**options | {"scale": "none"}).partial_fit(iter(Again(X, 33)))
    np.testing.assert_array_equal(windows.params_.W1, halves.params_.W1)
    assert windows.n_iter_ == 1
    assert windows.loss_curve_[0] == pytest.approx(halves.loss_curve_.mean())


def test_partial_fit_takes_back_a_source_that_fails():
    """After an error in a later block the model is as it was."""
    X = patches(1000)
    bad = X.copy()
    bad[900, 3] = np.nan
    fitted, other = (model(solver="adam").partial_fit(X) for _ in range(2))
    with pytest.raises(ValueError, match="contains NaN: row 900, column 3 "):
        fitted.partial_fit(Again(bad, 100))
    assert_same(fitted.partial_fit(X), other.partial_fit(X))


def test_codes_and_scores_of_a_source():
    """They are those of the array."""
    X = patches(1000)
    fitted = model(scale="minmax").fit(X)
    np.testing.assert_array_equal(fitted.transform(Again(X, 130)), fitted.transform(X))
    np.testing.assert_array_equal(fitted.score_samples(iter(Again(X, 130))), fitted.score_samples(X))
    assert fitted.score(Again(X, 130)) == fitted.score(X)


def test_a_stack_reads_sources():
    """Codes and scores of a source are those of the array; the classifier's fit says what it needs."""
    X = patches(600)
    fitted = stack(max_iter=5, fine_tune=False).fit(X)
    np.testing.assert_array_equal(fitted.transform(Again(X, 130)), fitted.transform(X))
    np.testing.assert_array_equal(fitted.transform(Again(X, 130), layer=0), fitted.transform(X, layer=0))
    assert fitted.score(Again(X, 130)) == fitted.score(X)
    with pytest.raises(TypeError, match=r"this method of StackedAutoencoderClassifier, got a source: fit StackedAuto"):
        sf.StackedAutoencoderClassifier((4, 3)).fit(Again(X, 130), X[:, 0] > 0.5)


@pytest.mark.parametrize("kind", ["sigmoid", "relu"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_stack_fitted_to_a_source_is_that_to_the_array(solver, kind, tmp_path):
    """Layer by layer and fine-tuned, to the bit, with weights and spooled too; and resumed from a checkpoint."""
    X = patches(1500)
    options = {
        "solver": solver,
        "fine_tune_solver": solver,
        "max_iter": 4,
        "fine_tune_max_iter": 3,
        "learning_rate": 0.01,
    }
    options |= {k: v for k, v in KINDS[kind].items() if k != "scale"}
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    for w in (None, weight):
        wanted = stack((6, 5, 4), **options).fit(X, sample_weight=w)
        assert_same_stack(stack((6, 5, 4), **options).fit(Again(X, 301), sample_weight=w), wanted)
    wanted = stack((6, 5, 4), **options).fit(X)
    assert_same_stack(stack((6, 5, 4), **options).fit(iter(Again(X, 130)), spool=tmp_path), wanted)

    def stop(info):
        return info.stage == "layer 3 of 3" and info.epoch == 2

    path = tmp_path / "run.ckpt"
    with pytest.raises(RuntimeError, match="enough"):
        stack((6, 5, 4), **options, callback=raising(stop)).fit(Again(X, 64), checkpoint=path, checkpoint_every=0)
    assert_same_stack(stack((6, 5, 4), **options).fit(Again(X, 90), resume_from=path), wanted)


def raising(when):
    def callback(info):
        if when(info):
            raise RuntimeError("enough")

    return callback


def assert_same_stack(got, wanted):
    for a, b in zip((*got.encoder_, *got.decoder_), (*wanted.encoder_, *wanted.decoder_), strict=True):
        np.testing.assert_array_equal(a.W, b.W)
        np.testing.assert_array_equal(a.b, b.b)
    for name in ("fine_tune_loss_curve_", "cost_", "n_iter_", "n_features_in_"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))
    for a, b in zip((*got.loss_curves_, *got.rho_hat_), (*wanted.loss_curves_, *wanted.rho_hat_), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("scale", ["none", "minmax"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_samples_of_a_source_are_held_out(solver, scale):
    """The same ones as of an array, so that the fit is the same to the bit, where it stops too; with weights."""
    X = patches(2000)
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    options = {"solver": solver, "scale": scale, "max_iter": 8, "learning_rate": 0.01, "early_stopping": True}
    for w in (None, weight):
        wanted = model(**options).fit(X, sample_weight=w)
        got = model(**options).fit(Again(X, 301), sample_weight=w)
        assert_same(got, wanted)
        np.testing.assert_array_equal(got.validation_curve_, wanted.validation_curve_)
    assert 0 < len(wanted.validation_curve_) == wanted.n_iter_


def test_held_out_samples_over_several_windows(monkeypatch, tmp_path):
    """Blocks of the source do not matter; a run that ends within an epoch is resumed to the same bits."""
    monkeypatch.setattr(_window_solver, "_WINDOW_BYTES", 12 * 8 * 600)
    X = patches(3000)
    options = {"solver": "adam", "max_iter": 4, "batch_size": 50, "learning_rate": 0.01, "early_stopping": True}
    wanted = model(**options).fit(Again(X, 700))
    assert_same(model(**options).fit(Again(X, 37)), wanted)

    class Breaking(Again):
        def __iter__(self):
            for i, block in enumerate(super().__iter__()):
                if self.passes == 6 and i == 3:
                    raise RuntimeError("enough")
                yield block

    path = tmp_path / "run.ckpt"
    with pytest.raises(RuntimeError, match="enough"):
        model(**options).fit(Breaking(X, 700), checkpoint=path, checkpoint_every=0)
    assert_same(model(**options).fit(Again(X, 64), resume_from=path), wanted)


def test_bad_sources_leave_the_model_as_it_was():
    """Other rows in a later pass, an early end, another width, NaN, too few weights: clear errors."""
    X = patches(1000)
    fitted = model().fit(X)
    before = fitted.params_.W1

    class Changing(Again):
        def __iter__(self):
            for block in super().__iter__():
                yield block + 0.001 * (self.passes > 2)

    class Ending(Again):
        def __iter__(self):
            for i, block in enumerate(super().__iter__()):
                if self.passes < 5 or i < 3:
                    yield block

    class Narrowing(Again):
        def __iter__(self):
            for i, block in enumerate(super().__iter__()):
                yield block[:, :5] if i > 2 else block

    for source, words in (
        (Changing(X, 100), "same in every pass"),
        (Ending(X, 100), "must give 1000 rows|must be the same in every pass"),
        (Narrowing(X, 100), "must have 12 columns"),
        (Again(np.where(X > 0.89, np.nan, X), 100), "contains NaN"),
        (Again(X[:0], 100), "at least one row"),
    ):
        with pytest.raises(ValueError, match=words):
            fitted.fit(source)
        assert fitted.params_.W1 is before
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        fitted.fit(Again(X, 100), sample_weight=np.ones(7))
    with pytest.raises(ValueError, match="must have 12 features, as the model, got a source of 5"):
        fitted.transform(Again(X[:, :5], 100))


@pytest.mark.unsanitized
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_fit_takes_no_memory_for_its_rows(tmp_path):
    """A file of several times the memory that is allowed gives the model of the same rows in memory."""
    n, v = 160_000, 64
    X = patches(n, v, np.float32)
    np.save(tmp_path / "X.npy", np.tile(X, (3, 1)))  # 123 MB
    code = (
        "import resource, sys, numpy as np, sae_fast as sf\n"
        "sf.SparseAutoencoder(8, max_iter=1).fit(np.full((9, 64), 0.5, np.float32) + np.eye(9, 64, dtype=np.float32))\n"
        "status = open('/proc/self/status').read()\n"
        "used = int(status.split('VmSize:')[1].split()[0]) << 10\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (96 << 20), used + (96 << 20)))\n"
        "source = sf.open_source(sys.argv[1], batch_size=4096)\n"
        "try: np.empty(source.n_features * len(source), np.float32)\n"
        "except MemoryError: pass\n"
        "else: raise AssertionError('there is more memory than there should be')\n"
        "model = sf.SparseAutoencoder(8, max_iter=2, random_state=0).fit(source)\n"
        "print(model.cost_.total.hex(), *(J.hex() for J in model.loss_curve_.tolist()))\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "X.npy")]
    environment = os.environ | {"OMP_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    wanted = sf.SparseAutoencoder(8, max_iter=2, random_state=0).fit(np.tile(X, (3, 1)))
    assert done.stdout.split() == [wanted.cost_.total.hex(), *(J.hex() for J in wanted.loss_curve_.tolist())]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_columns_in_another_order_than_the_models():
    """They are refused, as scikit-learn does, with what takes them in the model's order."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(patches(50)[:, :3], columns=list("abc"))
    fitted = model(max_iter=3).fit(frame)
    with pytest.raises(ValueError, match=r"wanted 'a', got 'c' \(open_source\(..., columns=model.feature_names_in_\)"):
        fitted.transform(sf.open_source(frame[["c", "b", "a"]]))
    in_order = sf.open_source(frame[["c", "b", "a"]], columns=fitted.feature_names_in_)
    np.testing.assert_array_equal(fitted.transform(in_order), fitted.transform(frame))
