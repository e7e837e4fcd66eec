"""Python's readers on any bytes: an error of their own kind that names the file, or a table or model of finite sizes.

``test_readers.py`` tries damage that hypothesis thinks of, ``atheris_readers.py`` what atheris finds.
"""

from __future__ import annotations

import io
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np

import sae_fast as sf
from sae_fast.conventions import MatFileError, read_mat, write_mat
from sae_fast.files._model_file import ModelFileError
from sae_fast.files._table import ArrayFileError
from sae_fast.streams._tables import read_table

X = np.random.default_rng(0).normal(size=(7, 3))


def _saved(write):
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _parquet(stream):
    import pandas as pd

    pd.DataFrame(X, columns=list("abc")).to_parquet(stream)


def _written(name, write):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        return path.read_bytes()


def _params():
    return sf.init_params(3, 2, random_state=0)


SEEDS = {
    "safetensors": lambda: _written("m", sf.Encoder(_params()).save),
    "npy": lambda: _saved(lambda stream: np.save(stream, X)),
    "npz": lambda: _saved(lambda stream: np.savez_compressed(stream, X=X)),
    "csv": lambda: ("a,b,c\n" + "\n".join(",".join(map(repr, row)) for row in X.tolist())).encode(),
    "parquet": lambda: _saved(_parquet),
    "mat": lambda: _written("m.mat", lambda path: write_mat(path, _params())),
}
ERRORS = {"safetensors": ModelFileError, "mat": MatFileError}


def try_bytes(kind, data, folder):
    """Read them as a file of this kind; AssertionError if that is neither refused in clear words nor whole."""
    path = Path(folder, f"any.{kind}")
    path.write_bytes(data)
    error = ERRORS.get(kind, ArrayFileError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", re.escape(str(path)), UserWarning)  # what a reader says of a file it takes
        warnings.filterwarnings("ignore", "Reading `.npy`", UserWarning)  # as Python 2 wrote it
        try:
            found = _read(kind, path)
        except error as refused:
            words = str(refused)
        else:
            assert all(array.size for array in found)
            return True
    assert str(path) in words, f"does not name the file: {words}"
    return False


def _read(kind, path):
    if kind == "safetensors":
        encoder = sf.load(path)
        return [encoder.W1, encoder.b1] if hasattr(encoder, "W1") else [layer.W1 for layer in encoder.layers]
    return read_mat(path) if kind == "mat" else [read_table(str(path)).values]
