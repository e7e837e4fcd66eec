"""The C++ reader of model files, compiled and called from Python."""

from __future__ import annotations

import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.helpers.paths import ROOT

CSRC = ROOT / "csrc"
READER = [path for path in sorted((CSRC / "files").glob("*.cpp")) if path.stem != "load_encoder"]  # that needs kernels
FLAGS = ("-std=c++17", "-ffp-contract=off", f"-I{CSRC / 'include'}", f"-I{CSRC}")


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
        names = [ask("name", ctypes.c_char_p, i) for i in range(ask("n_names", ctypes.c_size_t))]
        texts = (ask(name, ctypes.c_char_p).decode() for name in ("kind", "checksum"))
        return Model(*texts, tuple(name.decode("utf-8", "surrogatepass") for name in names), layers)
    finally:
        ask("free", None)
