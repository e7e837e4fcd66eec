"""The C++ reader of model files, compiled, called from Python and held against Python's own.

``tests/files/test_cpp_reader.py`` tries some damaged and hostile files; for many run, in a checkout::

    python -m tests.helpers.cpp_reader 100000      # in all; a quarter of an hour
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.files._model_file import ModelFileError
from tests.helpers.hostile_files import KINDS, Generator
from tests.helpers.paths import ROOT

CSRC = ROOT / "csrc"
READER = [path for path in sorted((CSRC / "files").glob("*.cpp")) if path.stem != "load_encoder"]  # that needs kernels
FLAGS = ("-std=c++17", "-ffp-contract=off", f"-I{CSRC / 'include'}", f"-I{CSRC}")

READ = [kind for kind in KINDS if kind.split()[0] in ("SparseAutoencoder", "Encoder", "StackEncoder")]


class RefusedError(Exception):
    """In the words of the reader."""


class Layer(NamedTuple):
    W: np.ndarray
    b: np.ndarray
    unit: str


class Model(NamedTuple):
    kind: str
    checksum: str
    feature_names: tuple[str, ...]
    layers: list[Layer]


@functools.cache
def library():
    """The reader as a shared library; the test is skipped where there is no compiler."""
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"no {compiler[0]}")
    path = Path(tempfile.mkdtemp(), "reader.so")
    objects, running = [], []
    for source in [*READER, Path(__file__).with_name("model_reader.cpp")]:
        objects.append(path.with_name(f"{source.stem}.o"))
        command = [*compiler, *FLAGS, "-O1", "-fPIC", "-fvisibility=hidden", "-c", str(source), "-o", str(objects[-1])]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, words = process.communicate(timeout=600)
        assert process.returncode == 0, words
    subprocess.run([*compiler, "-shared", *map(str, objects), "-o", str(path)], check=True, timeout=600)
    found = ctypes.CDLL(str(path))
    shutil.rmtree(path.parent)
    return found


def _function(name, result, *arguments):
    function = getattr(library(), f"model_{name}")
    function.restype, function.argtypes = result, arguments
    return function


def exact_sum(terms):
    """Of float64."""
    terms = np.ascontiguousarray(terms, np.float64)
    return _function("exact_sum", ctypes.c_double, ctypes.c_void_p, ctypes.c_size_t)(terms.ctypes.data, len(terms))


def parse(data, *, ignore_clip=False):
    """The model that bytes hold."""
    return _model(
        _function("parse", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)(
            data, len(data), int(ignore_clip)
        )
    )


def read(path, *, ignore_clip=False):
    """The model in a file."""
    return _model(
        _function("read", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)(os.fsencode(path), int(ignore_clip))
    )


def _model(model):
    def ask(name, result, *arguments):
        kinds = [ctypes.c_void_p, *(ctypes.c_size_t if isinstance(a, int) else ctypes.c_void_p for a in arguments)]
        return _function(name, result, *kinds)(model, *arguments)

    try:
        if not ask("is_good", ctypes.c_int):
            raise RefusedError(ask("error", ctypes.c_char_p).decode())
        dtype = np.float64 if ask("is_double", ctypes.c_int) else np.float32
        layers = []
        for k in range(ask("n_layers", ctypes.c_size_t)):
            sizes = (ctypes.c_ssize_t * 2)()
            unit = ask("layer", ctypes.c_char_p, k, ctypes.cast(sizes, ctypes.c_void_p)).decode()
            W, b = np.empty((sizes[1], sizes[0]), dtype), np.empty(sizes[1], dtype)
            ask("arrays", None, k, *(ctypes.c_void_p(a.ctypes.data) for a in (W, b)))
            layers.append(Layer(W, b, unit))
        names, size = [], ctypes.c_size_t()
        for i in range(ask("n_names", ctypes.c_size_t)):
            text = ask("name", ctypes.c_void_p, i, ctypes.byref(size))
            names.append(ctypes.string_at(text, size.value))
        texts = (ask(name, ctypes.c_char_p).decode() for name in ("kind", "checksum"))
        return Model(*texts, tuple(name.decode("utf-8", "surrogatepass") for name in names), layers)
    finally:
        ask("free", None)


def by_python(path):
    """The encoder of a file by Python's reader, None where it is refused."""
    for load in (lambda p: sf.Encoder.load(p, clip="ignore"), sf.StackEncoder.load):
        try:
            return load(path)
        except ModelFileError:
            pass
    return None


def check_equal(found, encoder):
    """The same layers, bit by bit."""
    layers = getattr(encoder, "layers", (encoder,))
    assert [layer.unit for layer in found.layers] == [layer.hidden for layer in layers]
    assert found.feature_names == (encoder.feature_names or ())
    for layer, wanted in zip(found.layers, layers, strict=True):
        for array, other in ((layer.W, wanted.W1), (layer.b, wanted.b1)):
            assert array.dtype == other.dtype
            assert array.tobytes() == other.tobytes()


def judge(path):
    """Both readers say the same of a file; "refused" or "equal"."""
    encoder = by_python(path)
    try:
        found = read(path, ignore_clip=True)
    except RefusedError as refused:
        words = str(refused)
        assert re.fullmatch(f"{re.escape(str(path))} [ -~]{{1,900}}", words), words
        if "read in Python alone" in words:
            return "refused"
        assert encoder is None or "nested too deeply" in words, words
        return "refused"
    assert encoder is not None
    check_equal(found, encoder)
    return "equal"


def main(n):
    """Judge n damaged and hostile files of the kinds that C++ reads; AssertionError at the first that is misjudged."""
    warnings.simplefilter("error")
    began = time.perf_counter()
    counts = {"refused": 0, "equal": 0}
    path = Path(tempfile.mkdtemp(), "m.safetensors")
    for kind in READ:
        generator = Generator(kind, 21, path.parent)
        for _ in range(-(-n // len(READ))):
            path.write_bytes(next(generator)[0])
            counts[judge(path)] += 1
    words = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"{sum(counts.values())} files: {words}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]))
