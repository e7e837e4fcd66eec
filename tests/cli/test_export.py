"""`sae-fast export`: models as C source, as a NumPy module, as ONNX."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main
from tests.helpers.estimators import model, patches


@pytest.fixture(name="path")
def _path(tmp_path, monkeypatch):
    """A model file in the working directory."""
    monkeypatch.chdir(tmp_path)
    model(max_iter=3).fit(patches()).save("model.safetensors")
    return "model.safetensors"


def test_writes_what_the_functions_write(tmp_path, path):
    """The same files, byte for byte."""
    main(["export", path, "--format", "c", "--prefix", "digits", "-o", "a.c", "--weights", "a.bin", "--dtype", "float"])
    (tmp_path / "b").mkdir()
    sf.export_c(path, "b/a.c", prefix="digits", weights="b/a.bin", dtype="float")
    main(["export", path, "--format", "numpy", "-o", "a.py", "--dtype", "float"])
    sf.export_numpy(path, "b/a.py", dtype=np.float32)
    for name in ("a.c", "a.h", "a.bin", "a.py", "a.npz"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_onnx_is_what_the_function_writes(tmp_path, path):
    """The same file, byte for byte, with each option."""
    pytest.importorskip("onnx")
    main(["export", path, "--format", "onnx", "-o", "a.onnx"])
    sf.onnx.to_onnx(path, "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    words = ["--dtype", "float", "--target-opset", "18", "--outputs", "reconstruction,codes"]
    main(["export", path, "--format", "onnx", "-o", "a.onnx", *words])
    sf.onnx.to_onnx(path, "b.onnx", 18, outputs=["reconstruction", "codes"], dtype=np.float32)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "c", "-o", "a.py"], "path must end in .c, got 'a.py'"),
        (["--format", "c", "-o", "1.c"], "prefix must be a C identifier"),
        (["--format", "c", "-o", "a.c", "--byte-order", "big"], "--byte-order is for --weights"),
        (["--format", "c", "-o", "a.c", "--weights", "model.safetensors"], "is the input model.safetensors itself"),
        (["--format", "numpy", "-o", "a.py", "--prefix", "a"], "--prefix is for --format c"),
        (["--format", "numpy", "-o", "a.py", "--byte-order", "big"], "--byte-order is for --format c"),
        (["--format", "numpy", "-o", "nowhere/a.py"], "nowhere"),
        (["--format", "numpy", "-o", "a.py", "--outputs", "codes"], "--outputs is for --format onnx"),
        (["--format", "onnx", "-o", "a.onnx", "--prefix", "a"], "--prefix is for --format c"),
        (["--format", "onnx", "-o", "a.onnx", "--clip", "ignore"], "--clip ignore is for --format c and numpy"),
        (["--format", "onnx", "-o", "a.onnx", "--outputs", "label"], "outputs must be one or several of codes, recon"),
        (["--format", "onnx", "-o", "a.onnx", "--target-opset", "3"], "target_opset must be from 13 to"),
        (["--format", "onnx", "-o", "a.py"], "path must end in .onnx, got 'a.py'"),
    ],
)
def test_wrong_words_are_told(tmp_path, capsys, path, words, message):
    """In one line on stderr, and nothing is written."""
    if "onnx" in words:
        pytest.importorskip("onnx")
    assert main(["export", path, *words]) == 1
    err = capsys.readouterr().err
    assert err.startswith("sae-fast: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
