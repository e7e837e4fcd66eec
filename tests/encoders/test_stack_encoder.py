"""StackEncoder: a stack with its weights packed, alone or with the preprocessing before it."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sae_fast as sf
from sae_fast.files._model_file import ModelFileError
from tests.helpers.estimators import correlated
from tests.helpers.networks import DTYPES, TOLERANCE

OPTIONS = {"max_iter": 10, "fine_tune_max_iter": 4, "random_state": 0, "output": "linear"}
LABELS = np.arange(200) % 3


def fitted(dtype=np.float64, kind=sf.StackedAutoencoder):
    """A pipeline that whitens before a stack of a tanh and two sigmoid layers, and its data."""
    X = correlated(dtype=dtype)
    model = kind((7, 5, 4), hidden=("tanh", "sigmoid", "sigmoid"), **OPTIONS)
    return make_pipeline(StandardScaler(), PCA(6, whiten=True), sf.UnitScaler(), model).fit(X, LABELS), X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [sf.StackedAutoencoder, sf.StackedAutoencoderClassifier])
def test_fold_gives_the_codes_of_the_chain(kind, dtype):
    """The lowest layer takes up the steps before, the others stay: the codes are the same, to 1e-12 in float64."""
    pipeline, _ = fitted(dtype, kind)
    encoder, new = sf.fold(pipeline), correlated(50, dtype=dtype, seed=1)
    tolerance = 1e-12 if dtype == np.float64 else 10 * TOLERANCE[dtype]
    wanted = pipeline.transform(new)
    np.testing.assert_allclose(encoder(new), wanted, rtol=tolerance)
    assert encoder(new).dtype == dtype
    for folded, layer in zip(encoder.layers[1:], pipeline[-1].encoder_[1:], strict=True):
        np.testing.assert_array_equal(folded.W1, layer.W)
    again = sf.fold(pipeline[:-1], sf.fold(pipeline[-1]))
    np.testing.assert_array_equal(again(new), encoder(new))


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_alone_it_gives_the_bits_of_the_stack(n_threads, monkeypatch):
    """Without steps before, codes are those of transform to the last bit, for any threads and blocks; out is filled."""
    monkeypatch.setattr("sae_fast.encoders._stack_encoder._BLOCK", 64)
    X = correlated()
    model = sf.StackedAutoencoder((7, 5), **OPTIONS).fit(X)
    encoder = sf.fold(model)
    wanted = model.transform(X)
    np.testing.assert_array_equal(encoder(X, n_threads=n_threads), wanted)
    np.testing.assert_array_equal(encoder(np.asfortranarray(X)[::-1]), wanted[::-1])
    np.testing.assert_array_equal(encoder.encode_one(X[3]), wanted[3])
    out = np.empty_like(wanted)
    assert encoder(X, out=out, n_threads=n_threads) is out
    np.testing.assert_array_equal(out, wanted)


def test_files_and_pickles(tmp_path):
    """What is saved or pickled comes back with the same codes, with NumPy and safetensors alone."""
    pipeline, X = fitted(np.float32)
    encoder, path = sf.fold(pipeline), tmp_path / "encoder.safetensors"
    wanted = encoder(X)
    encoder.save(path)
    np.testing.assert_array_equal(sf.StackEncoder.load(path)(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(encoder))(X), wanted)
    code = f"import sys, sae_fast; sae_fast.StackEncoder.load({str(path)!r}); assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    pipeline[-1].save(tmp_path / "stack.safetensors")
    from_model = sf.StackEncoder.load(tmp_path / "stack.safetensors")
    prepared = pipeline[:-1].transform(X)
    np.testing.assert_array_equal(from_model(prepared), pipeline[-1].transform(prepared))


def test_files_of_other_kinds_name_their_reader(tmp_path):
    """Each reader says which one to take instead; a damaged file is refused."""
    pipeline, X = fitted()
    path, single = tmp_path / "encoder.safetensors", tmp_path / "single.safetensors"
    sf.fold(pipeline).save(path)
    sf.SparseAutoencoder(3, **{k: OPTIONS[k] for k in ("max_iter", "random_state", "output")}).fit(X).save(single)
    with pytest.raises(ModelFileError, match=r"StackEncoder of 3 layers, .* read it with sae_fast\.StackEncoder\.load"):
        sf.Encoder.load(path)
    assert repr(sf.load(path)) == repr(sf.StackEncoder.load(path))
    with pytest.raises(ModelFileError, match=r"read it with sae_fast\.Encoder\.load"):
        sf.StackEncoder.load(single)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        sf.StackEncoder.load(path)


def test_errors():
    """Wrong layers, data and outputs are named; a stack in the middle of a chain is refused."""
    pipeline, X = fitted()
    encoder = sf.fold(pipeline)
    lower, upper = encoder.layers[:2]
    with pytest.raises(TypeError, match="layers must be a sequence of at least one Encoder, got"):
        sf.StackEncoder(())
    with pytest.raises(ValueError, match=r"layers must fit: layers\[1\] takes 9 features, the one below has 5 units"):
        sf.StackEncoder((upper, lower))
    with pytest.raises(TypeError, match="layers must have one dtype, got float32, float64"):
        sf.StackEncoder((sf.fold(lower, dtype=np.float32), upper))
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 9\), got \(200, 8\)"):
        encoder(X[:, 1:])
    with pytest.raises(ValueError, match="X must"):
        encoder(X[:0])
    with pytest.raises(ValueError, match=r"out must have shape \(200, 4\)"):
        encoder(X, out=np.empty((200, 5)))
    with pytest.raises(ValueError, match="n_threads must be"):
        encoder(X, n_threads=0)
    with pytest.raises(TypeError, match="got StackedAutoencoder; an autoencoder can only be the last step"):
        sf.fold(pipeline[-1], upper)
    assert repr(encoder) == "StackEncoder(9 -> 7 -> 5 -> 4, tanh, sigmoid, sigmoid, float64)"


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_with_kinks(dtype, tmp_path):
    """A stack of relu, satlin and sigmoid units: codes by NumPy, one by one, in out, from files, pickles and folds."""
    X = correlated(dtype=dtype)
    units = ("relu", "satlin", "sigmoid")
    model = sf.StackedAutoencoder((7, 6, 4), hidden=units, beta=0.0, l1=0.001, **OPTIONS)
    pipeline = make_pipeline(StandardScaler(), PCA(6, whiten=True), model).fit(X)
    encoder, data = sf.fold(pipeline), X.astype(np.float64)
    wanted = pipeline[:-1].transform(data)
    functions = (lambda z: np.maximum(z, 0), lambda z: np.clip(z, 0, 1), lambda z: 1 / (1 + np.exp(-z)))
    for (W, b), f in zip(model.encoder_, functions, strict=True):
        wanted = f(wanted @ W.T.astype(np.float64) + b)
    codes = encoder(X)
    np.testing.assert_allclose(codes, wanted, rtol=0, atol=1e-12 if dtype == np.float64 else 2e-5)
    encoder.save(tmp_path / "e")
    for again in (sf.StackEncoder.load(tmp_path / "e"), sf.load(tmp_path / "e"), pickle.loads(pickle.dumps(encoder))):
        assert repr(again) == f"StackEncoder(9 -> 7 -> 6 -> 4, relu, satlin, sigmoid, {np.dtype(dtype)})"
        out = np.empty_like(codes)
        assert again(X, out=out) is out
        np.testing.assert_array_equal(out, codes)
        np.testing.assert_array_equal(again.encode_one(X[7]), codes[7])


def test_filters_are_single_layers():
    """ConvolvedFeatures, which slides one layer over images, refuses a stack."""
    pipeline, _ = fitted()
    with pytest.raises(TypeError, match=r"encoder must be .*a filter is a single layer, got StackEncoder\(9 -> 7"):
        sf.ConvolvedFeatures(pipeline, 3).fit(np.zeros((2, 6, 6)))
