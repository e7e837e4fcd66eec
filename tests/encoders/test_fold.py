"""fold(): one product, the codes of the whole chain."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

import sae_fast as sf
from sae_fast.encoders._frozen import thawed
from sae_fast.files import _model_file
from tests.helpers.estimators import correlated
from tests.helpers.hostile_files import serialised
from tests.helpers.networks import DTYPES, HIDDEN, TOLERANCE, error


def coder(**options):
    return sf.SparseAutoencoder(**{"n_components": 5, "max_iter": 15, "random_state": 0, "output": "linear"} | options)


AFFINE = {
    "unit": lambda: [sf.UnitScaler()],
    "unit over all": lambda: [sf.UnitScaler("tanh", margin=0.0, per_feature=False)],
    "pca": lambda: [sf.PCAWhitener(n_components=0.95)],
    "zca": lambda: [sf.ZCAWhitener(epsilon=0.1)],
    "zca of few directions": lambda: [sf.ZCAWhitener(n_components=4)],
    "standard": lambda: [StandardScaler()],
    "no mean": lambda: [StandardScaler(with_mean=False)],
    "no deviation": lambda: [StandardScaler(with_std=False)],
    "min-max": lambda: [MinMaxScaler((0.1, 0.9))],
    "max abs": lambda: [MaxAbsScaler()],
    "robust": lambda: [RobustScaler()],
    "scikit-learn's pca": lambda: [PCA(4)],
    "scikit-learn's pca, whitened": lambda: [PCA(whiten=True)],
    "incremental pca": lambda: [IncrementalPCA(6, whiten=True)],
    "chain": lambda: [sf.UnitScaler(), PCA(7), sf.ZCAWhitener(epsilon=0.1), MinMaxScaler(), sf.UnitScaler("tanh")],
    "pipelines": lambda: ["passthrough", make_pipeline(StandardScaler(), make_pipeline(sf.PCAWhitener())), None],
    "nothing": lambda: [],
}


def fitted(steps, X, **options):
    return Pipeline([(str(i), step) for i, step in enumerate([*steps, coder(**options)])]).fit(X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("steps", AFFINE.values(), ids=AFFINE)
def test_codes_are_those_of_the_chain(steps, hidden, dtype):
    """Each affine step, and any chain of them, gives the same codes: to 1e-12 in float64."""
    X = correlated(dtype=dtype)
    X[:, 3] = 0.3
    pipeline = fitted(steps(), X, hidden=hidden, beta=0.0 if hidden == "relu" else 0.1)
    for encoder in (sf.fold(pipeline), sf.fold(*(step for _, step in pipeline.steps))):
        assert encoder.dtype == pipeline[-1].components_.dtype  # IncrementalPCA gives float64
        assert encoder.hidden == hidden
        new = correlated(50, dtype=dtype, seed=1)
        tolerance = 1e-12 if dtype == np.float64 else 10 * TOLERANCE[dtype]
        assert error(encoder(new), pipeline.transform(new)) < tolerance


def test_whitened_colour_patches():
    """The chain of UFLDL's linear decoder on real colour patches, images to codes: 1e-12."""
    from sklearn.datasets import load_sample_images

    photographs = [image / 255 for image in load_sample_images().images]
    steps = (sf.PatchExtractor(8, 2000, random_state=0), sf.ZCAWhitener(epsilon=0.1), coder(n_components=20))
    pipeline = make_pipeline(*steps).fit(photographs)
    encoder = sf.fold(pipeline)
    patches = pipeline[0].transform(photographs)
    assert encoder.n_visible == 192
    assert error(encoder(patches), pipeline.transform(photographs)) < 1e-12
    np.testing.assert_array_equal(encoder.encode_one(patches[7]), encoder(patches)[7])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_models_own_scale(dtype, tmp_path):
    """fold() of a model with scale="minmax" gives its codes, and Encoder.load the same bits from its file."""
    X = correlated(dtype=dtype)
    model = coder(scale="minmax").fit(X)
    encoder = model.fold()
    assert error(encoder(X), model.transform(X)) < (1e-12 if dtype == np.float64 else TOLERANCE[dtype])
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(sf.Encoder.load(tmp_path / "model")(X), encoder(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(encoder))(X), encoder(X))
    whitener = sf.PCAWhitener().fit(X)
    model.fit(whitener.transform(X))
    assert error(sf.fold(whitener, model)(X), model.transform(whitener.transform(X))) < 10 * TOLERANCE[dtype]


def test_a_file_is_folded_without_scikit_learn(tmp_path):
    """Where a model is deployed, NumPy and safetensors are enough."""
    X = correlated()
    model = coder(scale="minmax").fit(X)
    model.save(tmp_path / "model")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['scipy'] = None\n"
        "import numpy as np, sae_fast as sf\n"
        f"codes = sf.Encoder.load({str(tmp_path / 'model')!r})(np.load({str(tmp_path / 'X.npy')!r}))\n"
        f"np.save({str(tmp_path / 'codes.npy')!r}, codes)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), model.fold()(X))


def test_a_cut_is_folded_only_on_demand(tmp_path):
    """What cuts is refused; with clip="ignore" the codes are right where nothing is cut, and only there."""
    X = correlated()
    X[::10] *= 3
    scaler = sf.UFLDLScaler().fit(X)
    flat = np.abs(X - X.mean(axis=1, keepdims=True)).max(axis=1)
    inside = flat <= scaler.limit_
    assert 0 < inside.sum() < len(X)
    chain, own = fitted([sf.UFLDLScaler()], X), coder(scale="ufldl").fit(X)
    own.save(tmp_path / "own")
    folds = {
        "UFLDLScaler cuts data": (chain, lambda **o: sf.fold(chain, **o)),
        "UFLDLScaler cuts": (own, lambda **o: own.fold(**o)),
        "scale='ufldl', which cuts": (own, lambda **o: sf.Encoder.load(tmp_path / "own", **o)),
    }
    for message, (model, fold) in folds.items():
        with pytest.raises(ValueError, match=message):
            fold()
        codes, wanted = fold(clip="ignore")(X), model.transform(X)
        assert error(codes[inside], wanted[inside]) < 1e-12
        assert np.abs(codes[~inside] - wanted[~inside]).max() > 1e-6
    for clipped in (sf.UnitScaler(clip=True), MinMaxScaler(clip=True)):
        pipeline = fitted([clipped], X)
        with pytest.raises(ValueError, match=f"{type(clipped).__name__} cuts data"):
            sf.fold(pipeline)
        assert error(sf.fold(pipeline, clip="ignore")(X), pipeline.transform(X)) < 1e-12


def test_encoder_dtype_and_weights():
    """An encoder can be folded again, in either dtype; its weights are what it multiplies by, and cannot be written."""
    X = correlated()
    model = coder(scale="minmax").fit(X)
    small = model.fold(dtype=np.float32)
    assert small.dtype == np.float32
    assert error(small(X), model.transform(X)) < 10 * TOLERANCE[np.float32]
    standard = StandardScaler().fit(X)
    encoder = sf.fold(standard, sf.Encoder(model.params_))
    z = standard.transform(X) @ model.params_.W1.T + model.params_.b1
    np.testing.assert_allclose(X @ encoder.W1.T + encoder.b1, z, atol=1e-12)
    with pytest.raises(ValueError, match="read-only"):
        encoder.W1[0, 0] = 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_encoder_is_a_file(dtype, tmp_path):
    """What fold() made of a pipeline comes back from its file bit for bit; damage and other uses are errors."""
    X = correlated(dtype=dtype)
    path = tmp_path / "encoder"
    encoder = sf.fold(fitted([sf.PCAWhitener(n_components=4)], X, hidden="tanh"))
    encoder.save(path)
    again = sf.Encoder.load(path)
    assert repr(again) == repr(encoder)
    np.testing.assert_array_equal(again(X), encoder(X))
    same = sf.load(path)
    assert repr(same) == repr(encoder)
    np.testing.assert_array_equal(same(X), encoder(X))
    whole = path.read_bytes()
    for at in (20, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(_model_file.ModelFileError):
            sf.Encoder.load(path)


@pytest.mark.parametrize(
    ("arrays", "hidden", "message"),
    [
        ({"W1": np.zeros((2, 3))}, "tanh", "b1 is missing"),
        ({"W1": np.zeros(3), "b1": np.zeros(2)}, "tanh", r"W1 must have shape \(n, n\), got \(3,\)"),
        ({"W1": np.zeros((2, 3)), "b1": np.zeros(3)}, "tanh", r"b1 must have shape \(2\), got \(3,\)"),
        (
            {"W1": np.zeros((2, 3), int), "b1": np.zeros(2, int)},
            "tanh",
            "W1 must have dtype float32 or float64, got int",
        ),
        ({"W1": np.zeros((2, 3)), "b1": np.array([0, np.nan])}, "tanh", "b1 must be finite, got NaN"),
        ({"W1": np.zeros((2, 3)), "b1": np.zeros(2)}, "swish", "hidden must be 'sigmoid', .*, got 'swish'"),
    ],
)
def test_a_file_that_holds_no_encoder_is_an_error(arrays, hidden, message, tmp_path):
    """Contents that are verified, but no encoder, are refused; and they are not written either."""
    about = {"format": 2, "kind": "Encoder", "hidden": hidden}
    with pytest.raises((TypeError, ValueError), match=f"e cannot be written: {message}"):
        _model_file.write_tensors(tmp_path / "e", arrays, about)
    (tmp_path / "e").write_bytes(serialised(arrays, about | {"versions": {}}))
    for load in (sf.load, sf.Encoder.load):
        with pytest.raises(_model_file.ModelFileError, match=f"does not hold an Encoder: {message}"):
            load(tmp_path / "e")


X = correlated(40)
MODEL = coder(max_iter=2).fit(X)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: sf.fold(), TypeError, "steps must end with .* or an encoder, got no steps"),
        (lambda: sf.fold(MODEL, StandardScaler()), TypeError, "last step must be .*, got StandardScaler"),
        (lambda: sf.fold(make_pipeline(MODEL, LogisticRegression())), TypeError, "got LogisticRegression"),
        (lambda: sf.fold(Normalizer(), MODEL), TypeError, "affine transformers that fold.. knows, got Normalizer"),
        (lambda: sf.fold(PowerTransformer(), MODEL), TypeError, "got PowerTransformer"),
        (lambda: sf.fold(MODEL, MODEL), TypeError, "got SparseAutoencoder"),
        (lambda: sf.fold(StandardScaler(), MODEL), NotFittedError, "StandardScaler"),
        (lambda: sf.fold(coder()), NotFittedError, "SparseAutoencoder"),
        (lambda: sf.fold(PCA(4).fit(X), MODEL), ValueError, "PCA gives 4 features, the next one takes 9"),
        (lambda: sf.fold(StandardScaler().fit(X[:, :8]), MODEL), ValueError, "StandardScaler gives 8 features"),
        (lambda: sf.fold(MODEL, clip="no"), ValueError, "clip must be 'error' or 'ignore', got 'no'"),
        (lambda: sf.fold(MODEL, dtype=int), TypeError, "dtype must be float32 or float64, got int64"),
        (lambda: sf.fold(sf.UnitScaler().fit(X * 1e-60), MODEL, dtype="f4"), ValueError, "they overflow float32"),
    ],
)  # fmt: skip
def test_errors(call, kind, message):
    """What cannot be folded is an error that names the step."""
    with pytest.raises(kind, match=message):
        call()


def test_frozen_steps_are_what_they_hold():
    """Where scikit-learn freezes a step, a pipeline of steps or the model, once or twice, their fold is the same."""
    pipeline = fitted([StandardScaler(), sf.PCAWhitener(n_components=4)], X)
    scaler, whitener, model = (step for _, step in pipeline.steps)
    wanted = sf.fold(pipeline)
    for steps in (
        (FrozenEstimator(pipeline),),
        (FrozenEstimator(scaler), whitener, FrozenEstimator(FrozenEstimator(model))),
        (make_pipeline(FrozenEstimator(make_pipeline(scaler, whitener)), model),),
    ):
        found = sf.fold(*steps)
        np.testing.assert_array_equal(found.W1, wanted.W1)
        np.testing.assert_array_equal(found.b1, wanted.b1)
    assert thawed(FrozenEstimator(FrozenEstimator(model))) is model
    assert thawed(None) is None
