"""KSparseAutoencoder: what it learns, its contract with scikit-learn, sources, files, checkpoints, errors."""

from __future__ import annotations

import io
import pickle
import signal
import sys

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast import FitInterruptedWarning
from sae_fast.estimators import _checkpoint
from sae_fast.ksparse._recipes import RECIPES, plan_of
from sae_fast.ksparse._start import geometric_median

ARCHITECTURES = ("topk", "batchtopk", "jumprelu", "relu", "gated")
FEW = {"n_components": 48, "k": 3, "batch_size": 64, "learning_rate": 3e-3, "random_state": 0}


def combinations_of_atoms(n=3000, n_atoms=48, n_features=24, active=3, seed=0):
    """Samples that are sums of a few of known atoms, and the atoms."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(n_atoms, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    strengths = np.zeros((n, n_atoms))
    which = np.argsort(rng.random((n, n_atoms)), axis=1)[:, :active]
    np.put_along_axis(strengths, which, rng.uniform(0.5, 1.5, (n, active)), axis=1)
    return (strengths @ atoms).astype(np.float32), atoms


X, ATOMS = combinations_of_atoms()


def model(**options):
    """A small one."""
    return sf.KSparseAutoencoder(**FEW | {"max_iter": 2} | options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([sf.KSparseAutoencoder(6, k=1, max_iter=2, batch_size=16, random_state=0)])
def test_estimator_contract(estimator, check):
    """Every check of scikit-learn passes."""
    check(estimator)


@pytest.mark.parametrize("architecture", ["topk", "batchtopk", "jumprelu"])
def test_known_dictionary_is_found(architecture):
    """The directions that the samples are made of are among those that are learned: a mean cosine of 0.9 and more."""
    fitted = model(architecture=architecture, max_iter=25).fit(X)
    found = fitted.components_
    assert (ATOMS @ found.T).max(axis=1).mean() > 0.9
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert fitted.evaluate(X)["l0"] == pytest.approx(3, rel=0.25)
    assert fitted.history_["fvu"][-1] < 0.25
    assert len(set(fitted.history_["loss"])) == 25


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_codes_are_those_of_the_encoder(architecture):
    """transform, inverse_transform, reconstruct, score and evaluate are the frozen encoder's; codes are CSR."""
    fitted = model(architecture=architecture).fit(X)
    codes, encoder = fitted.transform(X), fitted.fold()
    assert isinstance(codes, scipy.sparse.csr_array)
    assert codes.dtype == np.float32
    assert codes.indices.dtype == np.int32
    assert codes.has_sorted_indices
    np.testing.assert_array_equal(codes.toarray(), encoder(X).toarray())
    np.testing.assert_array_equal(fitted.inverse_transform(codes), fitted.reconstruct(X))
    np.testing.assert_allclose(fitted.inverse_transform(codes.toarray()), fitted.reconstruct(X), rtol=1e-5)
    assert fitted.score(X) == 1 - encoder.evaluate(X)["fvu"]
    dense = clone(fitted).set_params(sparse_output=False).fit(X).transform(X)
    np.testing.assert_array_equal(dense, codes.toarray())


def test_k_of_a_call():
    """A call may ask for fewer latents than were trained."""
    fitted = model().fit(X)
    assert np.diff(fitted.transform(X, k=1).indptr).max() == 1
    assert fitted.evaluate(X, k=1)["l0"] <= 1


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64])
def test_samples_of_any_type(dtype):
    """Half precision is read as it lies, and gives what the same numbers in float32 give, to the bit."""
    rows = (X * 4).astype(dtype)
    same = rows.astype(np.float32)
    np.testing.assert_array_equal(model().fit(rows).components_, model().fit(same).components_)
    assert model(dtype="float64").fit(rows).transform(rows).dtype == np.float64


def test_unit_of_the_samples_does_not_matter():
    """Samples times 1024 give the same dictionary, to the bit, and codes times 1024."""
    one, other = model(architecture="jumprelu").fit(X), model(architecture="jumprelu").fit(X * 1024)
    np.testing.assert_array_equal(one.components_, other.components_)
    np.testing.assert_allclose(other.transform(X * 1024).toarray(), 1024 * one.transform(X).toarray(), rtol=1e-5)


def test_threads_do_not_matter():
    """The same bits on 1, 2, 3 and 8 threads."""
    found = [model(n_threads=n).fit(X).components_.tobytes() for n in (1, 2, 3, 8)]
    assert len(set(found)) == 1


def test_a_source_gives_what_an_array_gives(tmp_path):
    """A file or an iterable of arrays of one window gives the array's bits; memory maps too."""
    np.save(tmp_path / "X.npy", X)
    wanted = model().fit(X)
    pieces = [X[:1000], X[1000:1001], X[1001:]]
    for given in (
        sf.open_source(tmp_path / "X.npy", batch_size=77),
        pieces,
        np.load(tmp_path / "X.npy", mmap_mode="r"),
    ):
        source = sf.open_source(given) if isinstance(given, list) else given
        found = model().fit(source)
        assert found.components_.tobytes() == wanted.components_.tobytes()
    codes = wanted.transform(sf.open_source(pieces))
    np.testing.assert_array_equal(codes.toarray(), wanted.transform(X).toarray())
    assert model().fit(iter(pieces), spool=tmp_path).components_.tobytes() == wanted.components_.tobytes()


def test_partial_fit_learns():
    """Calls go on from one another, and after a fit; pickles go on with a new optimiser."""
    fitted = model()
    for _ in range(12):
        fitted.partial_fit(X)
    assert fitted.n_iter_ == len(fitted.history_["loss"]) == 12
    assert fitted.history_["fvu"][-1] < 0.5 * fitted.history_["fvu"][0]
    again = pickle.loads(pickle.dumps(fitted)).partial_fit(X)
    assert again.n_iter_ == 13
    with pytest.raises(ValueError, match="n_components must stay 48 in partial_fit, got 9"):
        fitted.set_params(n_components=9).partial_fit(X)


@pytest.mark.parametrize("groups", [(8, 40), (8, 48)])
def test_matryoshka(groups):
    """Groups are given by sizes or by ends; the first one then does better without the others."""
    nested, plain = model(matryoshka=groups, max_iter=8).fit(X), model(max_iter=8).fit(X)

    def error_of_first(fitted):
        codes = fitted.transform(X)[:, :8]
        return float(((codes @ fitted.components_[:8] + fitted.encoder_.b_dec - X) ** 2).sum())

    assert error_of_first(nested) < error_of_first(plain)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_learn(recipe, architecture):
    """Every recipe lowers the fraction of variance that is unexplained, with every architecture."""
    fitted = model(recipe=recipe, architecture=architecture, max_iter=3, learning_rate=1e-3).fit(X[:1000])
    assert fitted.history_["fvu"][-1] < fitted.history_["fvu"][0]


def test_schedules():
    """The rate rises over a tenth of the minibatches at most, and falls at the end; k falls to its own."""
    given = {"learning_rate": 1.0, "warm_up": 1000, "decay": 0.2, "k_anneal": 0.5}
    plan = plan_of("openai", given, 4, (100, 20), 1000, 100)
    rates = [plan.learning_rate(i) for i in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:81] == [1.0] * 72
    assert rates[99] == pytest.approx(0.05)
    assert [plan.k_of(i) for i in (0, 25, 50, 99)] == [20, 12, 4, 4]
    assert plan.dead_after == 1000
    rate = plan_of("openai", {}, 4, (2**16, 20), 1000, 100).learning_rate(0)
    assert rate == pytest.approx(1e-4)  # half of that for 2^14


def test_geometric_median():
    """Of points on a line it is the median; where most are equal, it is they."""
    points = np.array([[0.0, 0], [1, 0], [2, 0], [50, 0], [100, 0]])
    np.testing.assert_allclose(geometric_median(points, max_iter=2000, tol=1e-12), [2, 0], atol=1e-3)
    np.testing.assert_allclose(geometric_median(np.array([[1.0, 2]] * 5 + [[9, 9]])), [1, 2], atol=1e-4)
    np.testing.assert_array_equal(geometric_median(np.ones((3, 2))), [1, 1])
    many = np.random.default_rng(0).exponential(size=(1001, 3))  # more than are read at a time
    away = many - geometric_median(many, tol=1e-9)
    directions = away / np.linalg.norm(away, axis=1, keepdims=True)
    np.testing.assert_allclose(directions.sum(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_file(architecture, tmp_path):
    """What is saved is read again, whole."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    fitted = model(architecture=architecture, matryoshka=(8, 40)).fit(frame)
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    again = sf.load(path)
    assert again.get_params() | {"matryoshka": (8, 40)} == fitted.get_params()
    np.testing.assert_array_equal(again.transform(frame).toarray(), fitted.transform(frame).toarray())
    assert again.n_iter_ == 2
    np.testing.assert_array_equal(again.history_["loss"], fitted.history_["loss"])
    with pytest.raises(ValueError, match="feature names"):
        again.transform(frame[frame.columns[::-1]])
    again.partial_fit(frame)


class StopError(Exception):
    """What ends a fit as a kill would."""


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["array", "source"])
def test_killed_and_resumed(architecture, kind, tmp_path, monkeypatch):
    """A fit that ends at a checkpoint, and goes on from it, gives the bytes of one that nobody ended."""
    monkeypatch.setattr("sae_fast.network._window_solver._WINDOW_BYTES", 1 << 16)

    def samples():
        return X if kind == "array" else sf.open_source(X, batch_size=333)

    wanted, path = tmp_path / "wanted.safetensors", tmp_path / "run.ckpt"
    model(architecture=architecture).fit(samples()).save(wanted)
    write, n = _checkpoint.Keeper.write, []

    def stop(keeper, state):
        write(keeper, state)
        n.append(keeper)
        if len(n) == 61:  # in the second epoch of 47 minibatches
            raise StopError

    monkeypatch.setattr(_checkpoint.Keeper, "write", stop)
    with pytest.raises(StopError):
        model(architecture=architecture).fit(samples(), checkpoint=path, checkpoint_every=0)
    found = model(architecture=architecture).fit(samples(), resume_from=path)
    found.save(tmp_path / "found.safetensors")
    assert (tmp_path / "found.safetensors").read_bytes() == wanted.read_bytes()
    with pytest.raises(ValueError, match="other settings: k was 3, and is 4"):
        model(architecture=architecture, k=4).fit(samples(), resume_from=path)


def test_interrupt_keeps_what_was_learned():
    """Ctrl-C ends a fit with the parameters so far, and a warning."""

    def interrupt(info):
        if info["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.warns(FitInterruptedWarning, match="after 94 minibatches; the parameters so far are kept"):
        fitted = model(max_iter=9, callback=interrupt).fit(X)
    assert fitted.n_iter_ == 2
    np.testing.assert_array_equal(fitted.components_, model().fit(X).components_)


def test_interrupt_in_the_first_epoch(monkeypatch, tmp_path):
    """What there was of it is its history: the model can be stored, told of, and learned on; a checkpoint goes on."""

    class Stderr(io.StringIO):
        def write(self, text):
            if "minibatch 23/" in text:
                signal.raise_signal(signal.SIGINT)
            return len(text)

    monkeypatch.setattr(sys, "stderr", Stderr())
    wanted, path = model(max_iter=5).fit(X), tmp_path / "checkpoint"
    with pytest.warns(FitInterruptedWarning, match="in epoch 1 of 5, after 23 minibatches"):
        fitted = model(max_iter=5, verbose=1).fit(X, checkpoint=path)
    assert fitted.n_iter_ == 1
    assert 0 < fitted.history_["fvu"][0] < np.inf
    fitted.save(tmp_path / "model.safetensors")
    assert (sf.load(tmp_path / "model.safetensors").transform(X) != fitted.transform(X)).nnz == 0
    assert fitted.partial_fit(X).n_iter_ == 2
    resumed = model(max_iter=5).fit(X, resume_from=path)
    np.testing.assert_array_equal(resumed.components_, wanted.components_)
    np.testing.assert_array_equal(resumed.history_["fvu"], wanted.history_["fvu"])


def test_callback_and_progress(capsys):
    """A true result ends the fit; progress tells loss, FVU, L0, dead share, speed and time left."""
    seen = []
    fitted = model(max_iter=5, verbose=1, callback=lambda info: seen.append(info) or info["epoch"] == 2).fit(X)
    assert fitted.n_iter_ == 2
    assert seen[1]["fvu"] == fitted.history_["fvu"][1]
    words = capsys.readouterr().err
    for word in ("minibatch 1/235: loss ", "FVU ", "L0 3", "dead ", "samples/s", "s left"):
        assert word in words


def test_pipeline_with_a_classifier():
    """Codes go into scikit-learn's own estimators as they are."""
    y = X[:, 0] > 0
    pipeline = make_pipeline(model(), LogisticRegression()).fit(X, y)
    assert pipeline.score(X, y) > 0.7
    assert list(pipeline[:1].get_feature_names_out()[:2]) == ["ksparseautoencoder0", "ksparseautoencoder1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k must be >= 1, got 0"),
        ({"k": 49}, "k must be <= n_components = 48, got 49"),
        ({"k": 2.5}, "k must be an integer"),
        ({"architecture": "top"}, "architecture must be 'topk'"),
        ({"recipe": "mine"}, "recipe must be 'openai'"),
        (
            {"matryoshka": (8, 30)},
            r"matryoshka must be sizes of groups that add up to n_components = 48.*got \(8, 30\)",
        ),
        ({"matryoshka": 8}, "matryoshka must be a sequence of integers or None, got 8"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', got 'float16'"),
        ({"learning_rate": 0}, "learning_rate must be > 0"),
        ({"decay": 1.5}, r"decay must be in \[0, 1\], got 1.5"),
        ({"aux_k": -1}, "aux_k must be >= 0, got -1"),
        ({"sparse_output": "yes"}, "sparse_output must be True or False, got 'yes'"),
        ({"learning_rate": 1e30}, "fit diverged after .*choose a smaller learning_rate"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_arguments(options, words):
    """Errors name argument, value and what was wanted; an earlier fit stays as it was."""
    fitted = model().fit(X)
    before = fitted.components_.tobytes()
    with pytest.raises((TypeError, ValueError), match=words):
        fitted.set_params(**options).fit(X)
    assert fitted.components_.tobytes() == before


def test_wrong_samples():
    """NaN, infinity, other widths and text are refused; NaN with its row."""
    fitted = model().fit(X)
    bad = X.copy()
    bad[17, 3] = np.nan
    for method in (model().fit, model().partial_fit, fitted.transform, fitted.evaluate):
        with pytest.raises(ValueError, match="X contains NaN: row 17, column 3 "):
            method(bad)
    with pytest.raises(ValueError, match="24 features"):
        fitted.transform(X[:, :5])
    with pytest.raises(ValueError, match="X is an iterator"):
        model().fit(iter([X]))
    with pytest.raises(ValueError, match=r"got a path: give open_source\('X.npy'\)"):
        model().fit("X.npy")
    for method in (model().fit, model().partial_fit):
        with pytest.raises(ValueError, match="rows whose mean length float32, the dtype of the model, holds, got inf"):
            method(X.astype(np.float64) * 1e200)
