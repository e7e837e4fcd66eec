"""Models as ONNX: the same codes, reconstructions, labels and probabilities in ONNX Runtime."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

import sae_fast as sf
from sae_fast.files import read_tensors
from sae_fast.onnx._parts import parts_of
from sae_fast.onnx._proof import evaluate
from tests.helpers.c_encoders import cast, layer
from tests.helpers.estimators import correlated, model, stack
from tests.helpers.onnx_models import about, run

onnx = pytest.importorskip("onnx")
HIDDEN = ("sigmoid", "tanh", "relu", "satlin")
OUTPUT = ("sigmoid", "tanh", "linear", "relu", "satlin")
RTOL = {np.float32: 1e-5, np.float64: 1e-12}  # relative, what the documentation promises
X = correlated()
Y = np.arange(len(X)) % 3


def classifier(**options):
    return sf.StackedAutoencoderClassifier(
        (6, 4), **{"output": "linear", "max_iter": 5, "fine_tune_max_iter": 5, "random_state": 0} | options
    )


def compare(fitted, dtype, data=X):
    """Every output against NumPy's in float64; what rounding makes of the largest one is allowed to the others."""
    data = data.astype(dtype)
    made = sf.onnx.to_onnx(fitted, dtype=dtype)
    found = run(made, data)
    wanted = evaluate(parts_of(fitted), data.astype(np.float64))
    for name in found.keys() - {"label"}:
        assert found[name].dtype == dtype
        np.testing.assert_allclose(
            found[name], wanted[name], rtol=RTOL[dtype], atol=RTOL[dtype] * abs(wanted[name]).max()
        )
    return found


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("unit", HIDDEN)
def test_codes_are_right_to_their_own_size(unit, dtype):
    """A code of 1e-10 has as many digits as one of 0.5; ONNX's own Sigmoid has none left there."""
    W = np.array([[k / 4] for k in range(-100, 81)])
    encoder = cast(sf.Encoder([W, np.zeros(len(W)), W.T, np.zeros(1)], hidden=unit), dtype)
    data = np.array([[1.0], [0.5]], dtype)
    codes = run(sf.onnx.to_onnx(encoder), data)["codes"]
    wanted = evaluate(parts_of(encoder), data.astype(np.float64))["codes"]
    np.testing.assert_allclose(codes, wanted, rtol=RTOL[dtype] / 10)
    assert unit != "sigmoid" or wanted.min() < 2e-11


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("unit", ["sigmoid", "tanh", "satlin"])
def test_saturated_units(unit, dtype):
    """Units that are off or on are so, and nothing is NaN; 0 is what is below the smallest normal number."""
    encoder = cast(layer(3, 6, unit), dtype)
    data = np.array([[1e4, 1e4, 1e4], [-1e4, 1e4, 3e4]], dtype)
    codes = run(sf.onnx.to_onnx(encoder), data)["codes"]
    np.testing.assert_allclose(codes, encoder(data), rtol=0, atol=np.finfo(dtype).tiny)
    assert set(np.unique(encoder(data))) <= {0, 1, -1}


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
@pytest.mark.parametrize(("hidden", "output"), [*zip(HIDDEN, OUTPUT), ("sigmoid", "satlin"), ("tanh", "tanh")])
def test_units_and_scales(hidden, output, scale, dtype):
    """Codes and reconstructions of every unit, in the units of the samples."""
    data = X if scale != "none" else (X - X.min()) / np.ptp(X)
    fitted = model(hidden=hidden, output=output, scale=scale, beta=0 if hidden == "relu" else 3, max_iter=5).fit(data)
    far = np.concatenate([data, data * 5 - 7])
    found = compare(fitted, dtype, far)
    assert list(found) == ["codes", "reconstruction"]
    if dtype == np.float64:
        np.testing.assert_allclose(found["codes"], fitted.transform(far), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["reconstruction"], fitted.reconstruct(far), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize(
    "steps",
    [
        [sf.UnitScaler(clip=True)],
        [sf.UFLDLScaler(output="tanh")],
        [sf.PCAWhitener(n_components=4, epsilon=0.1)],
        [sf.ZCAWhitener(epsilon=0.1), sf.UnitScaler()],
        [StandardScaler(), MinMaxScaler(clip=True), PCA(4), sf.UFLDLScaler(), sf.UnitScaler(clip=True)],
        [RobustScaler(), sf.UFLDLScaler(), sf.UnitScaler()],
        ["passthrough", StandardScaler(with_mean=False)],
    ],
)
def test_steps_before(steps, dtype):
    """Whatever affine maps and cuts come first, in any order; new samples are cut as in training."""
    fitted = make_pipeline(*steps, model(output="linear", max_iter=5)).fit(X)
    far = np.concatenate([X, X * 3 + 1])
    found = compare(fitted, dtype, far)
    assert list(found) == ["codes"]
    np.testing.assert_allclose(found["codes"], fitted.transform(far), rtol=1e-3, atol=1e-5)


def test_features_far_from_zero_lose_no_digits():
    """In float32 too, where folding them into the weights would leave three digits."""
    data = 1000 + np.random.default_rng(0).uniform(-0.5, 0.5, (200, 5)).astype(np.float32)
    fitted = model(scale="minmax", max_iter=5).fit(data)
    wanted = evaluate(parts_of(fitted), data.astype(np.float64))["codes"]
    np.testing.assert_allclose(run(sf.onnx.to_onnx(fitted, dtype=np.float32), data)["codes"], wanted, rtol=2e-6)


@pytest.mark.parametrize("dtype", RTOL)
def test_stacks(dtype):
    """Codes of the last layer, and through the decoder back; an encoder of several layers."""
    fitted = stack(max_iter=5, output="linear", hidden=("relu", "tanh"), beta=0, weight_decay=1e-3).fit(X)
    found = compare(fitted, dtype)
    np.testing.assert_allclose(found["reconstruction"], fitted.reconstruct(X), rtol=1e-3, atol=1e-4)
    encoder = sf.fold(fitted)
    assert list(compare(encoder, dtype)) == ["codes"]


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize(
    "labels",
    [Y * 7 - 3, np.array(["a", "b", "two words"])[Y], Y > 0, Y.astype(float), np.array(["x", "y", "z"], object)[Y]],
)
def test_classifiers(labels, dtype):
    """Labels of any kind, and probabilities; in a pipeline too, and codes if they are asked for."""
    fitted = make_pipeline(StandardScaler(), classifier()).fit(X, labels)
    found = compare(fitted, dtype)
    assert list(found) == ["label", "probabilities"]
    assert found["label"].tolist() == fitted.predict(X).tolist()
    np.testing.assert_allclose(found["probabilities"], fitted.predict_proba(X), rtol=1e-4)
    made = sf.onnx.to_onnx(fitted, outputs=("codes", "label"))
    assert list(run(made, X)) == ["codes", "label"]


@pytest.mark.parametrize("n", [0, 1, 3, 1000])
def test_any_number_of_samples(n):
    """The first axis has no size of its own."""
    encoder = layer(7, 5)
    data = np.random.default_rng(0).random((n, 7))
    codes = run(sf.onnx.to_onnx(encoder), data)["codes"]
    assert codes.shape == (n, 5)
    if n > 0:
        np.testing.assert_allclose(codes, encoder(data), rtol=1e-13)


@pytest.mark.parametrize("opset", [13, 17, 18, None])
def test_opsets(opset):
    """From the oldest to the newest, with an operator whose form has changed among them; IR 8 wherever it will do."""
    opset = opset or min(onnx.defs.onnx_opset_version(), 21)
    fitted = model(scale="ufldl", max_iter=5).fit(X)
    made = sf.onnx.to_onnx(fitted, target_opset=opset)
    assert [entry.version for entry in made.opset_import] == [opset]
    assert made.ir_version == 8 or opset > 18
    np.testing.assert_allclose(run(made, X)["codes"], fitted.transform(X), rtol=1e-9)


def test_metadata(tmp_path):
    """Version, parts, names of features and checksums, which differ as the models do."""
    table = pd.DataFrame(X, columns=[f"größe {k}" for k in range(X.shape[1])])
    fitted = model(scale="minmax", max_iter=3).fit(table)
    fitted.save(tmp_path / "model.safetensors")
    told = about(sf.onnx.to_onnx(tmp_path / "model.safetensors"))
    assert json.loads(told["feature_names"]) == list(table.columns)
    assert told["sae_fast_version"] == sf.__version__
    assert told["model"] == "UnitScaler, 9 -> 6 (sigmoid) -> 9 (sigmoid)"
    assert told["model_file_checksum"] == read_tensors(tmp_path / "model.safetensors").about["checksum"]
    again = about(sf.onnx.to_onnx(fitted))
    assert again["checksum"] == told["checksum"]
    assert "model_file_checksum" not in again
    other = model(scale="minmax", max_iter=4).fit(table)
    assert about(sf.onnx.to_onnx(other))["checksum"] != told["checksum"]


def test_files(tmp_path):
    """Models, stacks, classifiers and encoders from their files; the same bytes each time."""
    path = tmp_path / "model.onnx"
    things = [model(max_iter=3, output="linear").fit(X), stack(max_iter=3, output="linear").fit(X)]
    things += [classifier().fit(X, Y), sf.fold(things[0]), sf.fold(things[1])]
    for thing in things:
        thing.save(tmp_path / "thing.safetensors")
        made = sf.onnx.to_onnx(tmp_path / "thing.safetensors", path)
        written = path.read_bytes()
        assert onnx.load(path) == made
        sf.onnx.to_onnx(tmp_path / "thing.safetensors", path)
        assert path.read_bytes() == written
        first = next(iter(run(path, X).values()))
        wanted = thing.predict(X) if hasattr(thing, "predict") else sf.fold(thing)(X)
        np.testing.assert_allclose(first, wanted, rtol=1e-12)


def test_nothing_is_written_that_runs_otherwise(tmp_path, monkeypatch):
    """The proof before writing finds a model whose numbers are others; the old file stays."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    pytest.importorskip("onnxruntime")
    make = sf.onnx._to_onnx.add_outputs

    def wrong(graph, x, parts, names):
        make(graph, x, parts._replace(encoder=[(W, b + 0.01, unit) for W, b, unit in parts.encoder]), names)

    monkeypatch.setattr(sf.onnx._to_onnx, "add_outputs", wrong)
    with pytest.raises(RuntimeError, match="gives other codes than NumPy for 1 samples"):
        sf.onnx.to_onnx(layer(7, 5), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"path": "encoder.bin"}, ValueError, r"path must end in \.onnx, got 'encoder.bin'"),
        ({"path": 7}, TypeError, "path must be a path"),
        ({"target_opset": 12}, ValueError, "target_opset must be from 13 to .* got 12"),
        ({"target_opset": 10_000}, ValueError, "which this onnx knows, got 10000"),
        ({"target_opset": 17.0}, TypeError, "target_opset must be an integer, got 17.0"),
        ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64, got float16"),
        ({"outputs": "label"}, ValueError, "outputs must be one or several of codes for this model, got 'label'"),
        ({"outputs": ()}, ValueError, "outputs must be one or several of codes"),
        ({"outputs": ["codes", "codes"]}, ValueError, "outputs must be one or several of codes"),
        ({"model": model()}, ValueError, "not fitted"),
        ({"model": StandardScaler().fit(X)}, TypeError, "got StandardScaler; skl2onnx.to_onnx"),
        ({"model": make_pipeline(LogisticRegression())}, TypeError, "got LogisticRegression; skl2onnx.to_onnx"),
        ({"model": 3}, TypeError, "model must be an autoencoder"),
        ({"model": "nowhere.safetensors"}, FileNotFoundError, "nowhere"),
        (
            {"model": sf.ConvolvedFeatures(sf.init_params(4, 2, random_state=0), 2)},
            TypeError,
            "ConvolvedFeatures cannot be converted to ONNX: .* give them its features",
        ),
        ({"model": layer(3, 2, scale=1e60), "dtype": np.float32}, ValueError, "overflow float32"),
    ],
)
def test_wrong_arguments(tmp_path, monkeypatch, arguments, error, words):
    """The error names the argument, what it was and what is wanted, and no file is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        sf.onnx.to_onnx(**{"model": layer(3, 2), "path": "encoder.onnx"} | arguments)
    assert not list(tmp_path.iterdir())


def test_without_onnx(monkeypatch):
    """It says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install \"sae-fast\[onnx\]\""):
        sf.onnx.to_onnx(layer(3, 2))
