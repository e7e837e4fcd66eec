"""Exported C: compiled as users would, loaded, run on emulated machines, and compared with exact codes."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess

import mpmath as mp
import numpy as np
import pytest

import sae_fast as sf

DTYPES = {"float": np.float32, "double": np.float64}
# Units in the last place that the headers promise; the last of several layers multiplies the roundings of those below.
ULPS = {"float": 1, "double": 2}
WARNINGS = ("-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")
DIGITS = 60
_loaded = itertools.count()


def compiler(*names):
    """The first of these compilers that is installed; the test is skipped where there is none."""
    for name in names:
        if shutil.which(name):
            return name
    return pytest.skip(f"no {' or '.join(names)}")


def run(*command, **options):
    """Run it, and show what it says where it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stderr[:4000]
    return done.stdout


def layer(n_in, n_out, unit="sigmoid", *, scale=1.0, bias=1.0, seed=0):
    """An encoder with random weights."""
    rng = np.random.default_rng([seed, n_in, n_out])
    W, b = rng.normal(0, scale, (n_out, n_in)), rng.normal(0, bias, n_out)
    return sf.Encoder([W, b, np.zeros((n_in, n_out)), np.zeros(n_in)], hidden=unit)


def cast(encoder, dtype):
    """The encoder in another type."""
    W, b = encoder.W1.astype(dtype), encoder.b1.astype(dtype)
    return sf.Encoder([W, b, np.zeros_like(W.T), np.zeros(W.shape[1], dtype)], hidden=encoder.hidden)


class Library:
    """``digits.c`` in ``folder`` as a shared library, called with arrays."""

    def __init__(self, folder, *flags, prefix="digits", cc=None, weights=None):
        # A name that has been loaded before would be taken for the library of that time.
        path = folder / f"{prefix}.{next(_loaded)}.so"
        flags = flags or ("-O2",)
        run(cc or compiler("cc", "gcc"), "-std=c99", *flags, "-shared", "-fPIC", "-o", path, folder / f"{prefix}.c")
        self._prefix, self._library, self._weights = prefix, ctypes.CDLL(str(path)), weights
        self.macros = {
            words[1].removeprefix(f"{prefix.upper()}_"): words[2]
            for words in (line.split() for line in (folder / f"{prefix}.h").read_text().splitlines())
            if words[:1] == ["#define"] and len(words) > 2
        }

    def function(self, name):
        """A function by its name without the prefix."""
        return getattr(self._library, f"{self._prefix}_{name}")

    def encode(self, X):
        """Codes by ``digits_encode_rows``, after ``digits_encode`` has given the same bits."""
        codes = np.full((len(X), int(self.macros["N_CODES"])), 9, X.dtype)
        one_by_one = codes.copy()
        first = [] if self._weights is None else [ctypes.c_void_p(self._weights)]
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (X, codes)]
        assert self.function("encode_rows")(*first, pointers[0], ctypes.c_ssize_t(len(X)), pointers[1]) == 0
        for x, code in zip(np.ascontiguousarray(X), one_by_one):
            assert self.function("encode")(*first, *(ctypes.c_void_p(a.ctypes.data) for a in (x, code))) == 0
        np.testing.assert_array_equal(codes, one_by_one)
        return codes


_UNITS = {
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "relu": lambda z: max(z, mp.mpf(0)),
    "satlin": lambda z: min(max(z, mp.mpf(0)), mp.mpf(1)),
}


def exact_codes(layers, X, dtype):
    """Codes without rounding, for weights rounded to ``dtype``."""
    with mp.workdps(DIGITS):
        found = []
        for row in X.tolist():
            a = [mp.mpf(value) for value in row]
            for k in layers:
                W, b = k.W1.astype(dtype).astype(np.float64), k.b1.astype(dtype).astype(np.float64)
                a = [_UNITS[k.hidden](mp.fdot(zip(w, a)) + mp.mpf(c)) for w, c in zip(W.tolist(), b.tolist())]
            found.append(a)
        return found


def most_ulps(codes, exact):
    """The largest error in units of the last place of the exact code, in the type of the codes."""
    info = np.finfo(codes.dtype)
    worst = 0.0
    with mp.workdps(DIGITS):
        for code, wanted in zip(codes.ravel().tolist(), itertools.chain.from_iterable(exact)):
            exponent = max(mp.frexp(wanted)[1] - 1, info.minexp)
            worst = max(worst, float(abs(mp.mpf(code) - wanted) / mp.ldexp(1, int(exponent) - info.nmant)))
    return worst
