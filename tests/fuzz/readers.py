"""Python's readers on any bytes: an error of their own kind that names the file, or a table or model of finite sizes.

``test_readers.py`` tries damage that hypothesis thinks of. Long runs are atheris's, which watches the branches taken::

    pip install atheris
    python -m tests.fuzz.readers parquet --seconds 600        # or .safetensors, npy, npz, csv, mat
"""

from __future__ import annotations

import argparse
import io
import os
import sys
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


def main(argv=None):
    """Run libFuzzer on one reader, by atheris."""
    import atheris

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.readers", description="Fuzz a reader by atheris.")
    parser.add_argument("kind", choices=SEEDS)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args(argv)
    folder = tempfile.mkdtemp()
    Path(folder, "corpus").mkdir()
    Path(folder, "corpus", "seed").write_bytes(SEEDS[arguments.kind]())
    options = [f"-max_total_time={arguments.seconds}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=8192"]
    atheris.Setup(
        [sys.argv[0], os.path.join(folder, "corpus"), *options, f"-artifact_prefix={folder}/"],
        lambda data: try_bytes(arguments.kind, data, folder),
    )
    atheris.instrument_all()
    atheris.Fuzz()


if __name__ == "__main__":
    main()
