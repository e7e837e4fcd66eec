"""Exported NumPy modules: the same codes, from two small files and NumPy alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import sae_fast as sf
from tests.helpers.c_encoders import cast, layer
from tests.helpers.estimators import correlated, model, patches, stack

RTOL = {np.float32: 1e-4, np.float64: 1e-12}


def encode_of(path):
    """The function of the module, as somebody who imports it gets it."""
    space = {"__file__": str(path), "__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec"), space)
    return space["encode"]


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("unit", ["sigmoid", "tanh", "relu", "satlin"])
def test_codes_are_those_of_the_encoder(tmp_path, unit, dtype):
    """In the encoder's type, within what the docstring says; the other type rounds the weights."""
    encoder = cast(layer(64, 25, unit, scale=0.1, bias=0.1), dtype)
    X = np.random.default_rng(0).random((20, 64))
    sf.export_numpy(encoder, tmp_path / "encoder.py")
    codes = encode_of(tmp_path / "encoder.py")(X)
    assert codes.dtype == dtype
    np.testing.assert_allclose(codes, encoder(X), rtol=RTOL[dtype], atol=RTOL[dtype] / 100)
    for other in RTOL:
        sf.export_numpy(encoder, tmp_path / "other.py", dtype=other)
        codes = encode_of(tmp_path / "other.py")(X)
        assert codes.dtype == other
        np.testing.assert_allclose(codes, encoder(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("unit", ["sigmoid", "tanh", "satlin"])
def test_saturated_units_are_exact(tmp_path, unit, dtype):
    """Units that are off or on are so to the bit, and nothing warns."""
    encoder = cast(layer(3, 6, unit), dtype)
    X = np.array([[1e4, 1e4, 1e4], [-1e4, 1e4, 3e4]])
    sf.export_numpy(encoder, tmp_path / "encoder.py")
    codes = encode_of(tmp_path / "encoder.py")(X)
    assert set(codes.ravel().tolist()) <= {0.0, 1.0, -1.0}
    np.testing.assert_array_equal(codes, encoder(X))


def test_anything_that_folds_is_exported(tmp_path):
    """Models, stacks, classifiers and pipelines, and their files."""
    X = correlated()
    labels = np.arange(len(X)) % 3
    options = {"max_iter": 3, "fine_tune_max_iter": 2, "random_state": 0, "output": "linear"}
    fitted = [
        model(scale="minmax", max_iter=3).fit(X),
        model(hidden="relu", beta=0, output="linear", max_iter=3).fit(X),
        stack(max_iter=3, output="linear", fine_tune_max_iter=2).fit(X),
        sf.StackedAutoencoderClassifier((6, 4), **options).fit(X, labels),
    ]
    whitened = make_pipeline(sf.PCAWhitener(epsilon=0.1), fitted[0].__class__(4, max_iter=3, scale="minmax")).fit(X)
    path = tmp_path / "encoder.py"
    for thing in [*fitted, whitened, sf.fold(fitted[0]), sf.fold(fitted[2])]:
        wanted = thing.transform(X) if hasattr(thing, "transform") else thing(X)
        sf.export_numpy(thing, path)
        np.testing.assert_allclose(encode_of(path)(X), wanted, rtol=1e-9, atol=1e-11)
        if hasattr(thing, "save"):
            thing.save(tmp_path / "thing.safetensors")
            sf.export_numpy(tmp_path / "thing.safetensors", path)
            np.testing.assert_allclose(encode_of(path)(X), wanted, rtol=1e-9, atol=1e-11)


def test_module_needs_numpy_alone(tmp_path):
    """It is imported by its name where this package is not, and is short."""
    sf.export_numpy(sf.StackEncoder([layer(4, 3), layer(3, 2, "tanh")]), tmp_path / "encoder.py")
    code = (
        "import sys; sys.modules['sae_fast'] = None\n"
        "import numpy as np, encoder\n"
        "print(encoder.encode(np.zeros((5, 4))).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "(5, 2)\n", done.stderr
    assert len((tmp_path / "encoder.py").read_text().splitlines()) <= 35
    assert {path.name for path in tmp_path.iterdir()} <= {"encoder.py", "encoder.npz", "__pycache__"}


def test_whose_it_is(tmp_path):
    """The module, and C source, say who may use them."""
    sf.export_numpy(layer(4, 3), tmp_path / "a.py")
    sf.export_c(layer(4, 3), tmp_path / "a.c")
    for name in ("a.py", "a.h"):
        assert "The weights belong to whoever owns the model." in (tmp_path / name).read_text()


def test_weights_of_another_module_are_refused(tmp_path):
    """A .npz that does not belong to the module is an error, not other codes."""
    sf.export_numpy(layer(4, 3), tmp_path / "a.py")
    sf.export_numpy(layer(4, 3, seed=1), tmp_path / "b.py")
    (tmp_path / "a.npz").write_bytes((tmp_path / "b.npz").read_bytes())
    with pytest.raises(ImportError, match="belongs to another"):
        encode_of(tmp_path / "a.py")


def test_cut_data(tmp_path):
    """A model that cuts its data is refused unless the cut is left out."""
    fitted = sf.SparseAutoencoder(3, scale="ufldl", max_iter=3, random_state=0).fit(patches())
    with pytest.raises(ValueError, match="clip="):
        sf.export_numpy(fitted, tmp_path / "encoder.py")
    sf.export_numpy(fitted, tmp_path / "encoder.py", clip="ignore")
    fold = sf.fold(fitted, clip="ignore")
    np.testing.assert_allclose(encode_of(tmp_path / "encoder.py")(patches()), fold(patches()), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"path": "encoder.npz"}, ValueError, r"path must end in \.py, got 'encoder.npz'"),
        ({"path": ".py"}, ValueError, r"path must end in \.py"),
        ({"path": b"x.py"}, TypeError, "path must be a path"),
        ({"path": "a.py", "dtype": "int32"}, TypeError, "dtype must be float32 or float64, got int32"),
        ({"path": "a.py", "model": model()}, ValueError, "not fitted"),
    ],
)
def test_wrong_arguments(tmp_path, monkeypatch, arguments, error, words):
    """The error names the argument, what it was and what is wanted, and no file is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        sf.export_numpy(**{"model": layer(3, 2)} | arguments)
    assert not list(tmp_path.iterdir())
