"""Exported C gives the exact codes to the last digits, on every way through its source and on other machines."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.c_encoders import DTYPES, ULPS, Library, cast, compiler, exact_codes, layer, most_ulps, run

CASES = {
    "784 -> 196": [layer(784, 196, scale=0.05)],
    "saturated": [layer(300, 40, scale=5.0, bias=300.0)],
    "tanh": [layer(65, 33, "tanh", scale=0.2)],
    "tanh near zero": [layer(64, 25, "tanh", scale=1e-6, bias=1e-9)],
    "tanh saturated": [layer(9, 17, "tanh", scale=30.0)],
    "relu": [layer(33, 17, "relu")],
    "satlin": [layer(33, 17, "satlin", scale=0.1)],
    "stack": [layer(257, 65, scale=0.1), layer(65, 33, "tanh", scale=0.5), layer(33, 9, scale=0.5)],
    "stack of all units": [layer(7, 20, "relu"), layer(20, 16, "satlin"), layer(16, 8, "tanh"), layer(8, 1)],
    "saturated stack": [layer(65, 33), layer(33, 20, scale=20.0, bias=100.0)],
}
MACHINE = ("-march=native",) if os.uname().machine == "x86_64" else ()
WAYS = {
    "of this machine": ("-O2", *MACHINE),
    "baseline": ("-O2",),
    "not optimised": ("-O0", *MACHINE),
    "contracted": ("-std=gnu99", "-O3", *MACHINE),
    "without vectors": ("-O2", "-U__SSE2__", "-U__ARM_NEON"),
    "without vectors, contracted": ("-std=gnu99", "-O3", *MACHINE, "-U__SSE2__", "-U__AVX__", "-U__ARM_NEON"),
}


def made(folder, case, dtype):
    """The layers of a case, exported to ``digits.c``, and two samples."""
    layers = CASES[case]
    sf.export_c(layers[0] if len(layers) == 1 else sf.StackEncoder(layers), folder / "digits.c", dtype=dtype)
    return layers, np.random.default_rng(1).random((2, layers[0].n_visible)).astype(DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_codes_are_exact(tmp_path, case, dtype):
    """Within what the header promises, saturated units included, with what this machine's processor has."""
    layers, X = made(tmp_path, case, dtype)
    codes = Library(tmp_path, *WAYS["of this machine"]).encode(X)
    assert most_ulps(codes, exact_codes(layers, X, DTYPES[dtype])) <= ULPS[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["saturated", "saturated stack"])
@pytest.mark.parametrize("way", WAYS)
def test_codes_are_exact_however_it_is_compiled(tmp_path, way, case, dtype):
    """Also without vectors, without a fused multiply-add, and where the compiler fuses what it likes."""
    layers, X = made(tmp_path, case, dtype)
    codes = Library(tmp_path, *WAYS[way], cc=compiler("gcc")).encode(X)
    assert most_ulps(codes, exact_codes(layers, X, DTYPES[dtype])) <= ULPS[dtype]


def test_codes_over_the_whole_range(tmp_path):
    """The exponential is right from 0 down to where it is no more than subnormal, and beyond."""
    one = sf.Encoder([np.ones((1, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1)])
    sf.export_c(one, tmp_path / "digits.c")
    z = np.concatenate([np.random.default_rng(0).uniform(-750, 50, 3000), -np.geomspace(1e-300, 1e-3, 50), [-0.0]])
    codes = Library(tmp_path).encode(z[:, None])
    assert most_ulps(codes, exact_codes([one], z[:, None], np.float64)) <= 1
    assert Library(tmp_path).encode(np.array([[-746.0], [-1e308], [40.0], [1e308]])).ravel().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_are_those_of_the_encoder(tmp_path, dtype):
    """They differ from the package's own by no more than its rounding."""
    layers, X = made(tmp_path, "stack", dtype)
    encoder = sf.StackEncoder([cast(k, DTYPES[dtype]) for k in layers])
    rtol = {"float": 1e-5, "double": 1e-13}[dtype]
    np.testing.assert_allclose(Library(tmp_path).encode(X), encoder(X), rtol=rtol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite(tmp_path, dtype):
    """NaN makes the codes of its own row NaN; an infinity saturates; sums out of range are infinite or NaN."""
    positive = sf.Encoder([np.full((3, 20), 0.5), np.zeros(3), np.zeros((20, 3)), np.zeros(20)], hidden="relu")
    upper = layer(3, 4, "tanh")
    sf.export_c(sf.StackEncoder([positive, upper]), tmp_path / "digits.c", dtype=dtype)
    sf.export_c(positive, tmp_path / "lower.c", dtype=dtype)
    X = np.ones((5, 20), DTYPES[dtype])
    X[1, 7], X[2, 0], X[3, 3], X[4] = np.nan, np.inf, -np.inf, np.finfo(X.dtype).max
    codes = Library(tmp_path, prefix="lower").encode(X)
    assert codes[0].tolist() == [10, 10, 10]
    assert np.isnan(codes[1]).all()
    assert codes[2:].tolist() == [[np.inf] * 3, [0] * 3, [np.inf] * 3]
    codes = Library(tmp_path).encode(X)
    assert np.isfinite(codes[[0, 3]]).all()
    assert np.isnan(codes[1]).all()


def test_sums_of_huge_and_tiny_numbers(tmp_path):
    """Weights at both ends of the range of double, whose products are in it, give what they should."""
    W = np.array([[1e300, 1e-300], [-1e300, 0.0]])
    big = sf.Encoder([W, np.zeros(2), np.zeros((2, 2)), np.zeros(2)], hidden="tanh")
    sf.export_c(big, tmp_path / "digits.c")
    X = np.array([[1e-300, 0.0], [0.0, 1e300], [1e300, 1e300]])
    for way in ("of this machine", "without vectors"):
        codes = Library(tmp_path, *WAYS[way]).encode(X)
        np.testing.assert_allclose(codes, np.tanh([[1, -1], [1, 0], [np.inf, -np.inf]]), rtol=1e-15)


MAIN = """
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "digits.h"
int main(int n_words, char **words)
{
    static uint64_t weights[1 << 15]; /* aligned for any type */
    TYPE x[DIGITS_N_FEATURES], codes[DIGITS_N_CODES];
    FILE *file = fopen(words[1], "rb");
    size_t n_bytes = file ? fread(weights, 1, sizeof weights, file) : 0;
    int i, code = digits_check(weights, n_bytes);
    if (code) return code;
    for (i = 0; i < DIGITS_N_FEATURES; ++i) x[i] = (TYPE)strtod(words[2 + i], NULL);
    if (n_words != 2 + DIGITS_N_FEATURES || digits_encode(weights, x, codes)) return 99;
    for (i = 0; i < DIGITS_N_CODES; ++i) printf("%.17g\\n", (double)codes[i]);
    return 0;
}
"""
MACHINES = {"arm64": ("aarch64", "aarch64-linux-gnu-gcc", "little"), "s390x": ("s390x", "s390x-linux-gnu-gcc", "big")}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("machine", MACHINES)
def test_codes_are_exact_on_other_machines(tmp_path, machine, dtype):
    """An emulated arm64 and an emulated big-endian machine, which refuses weights in the wrong byte order."""
    name, cc, order = MACHINES[machine]
    compiler(cc), compiler(f"qemu-{name}")
    layers = CASES["saturated stack"]
    for byte_order in ("little", "big"):
        sf.export_c(
            sf.StackEncoder(layers),
            tmp_path / "digits.c",
            dtype=dtype,
            weights=tmp_path / f"{byte_order}.bin",
            byte_order=byte_order,
        )
    (tmp_path / "main.c").write_text(MAIN.replace("TYPE", dtype))
    program = tmp_path / "program"
    run(cc, "-std=c99", "-O2", "-static", "-o", program, tmp_path / "main.c", tmp_path / "digits.c")
    x = np.random.default_rng(1).random((1, 65)).astype(DTYPES[dtype])
    words = [f"qemu-{name}", program, tmp_path / f"{order}.bin", *map(repr, x[0].astype(float).tolist())]
    codes = np.array([run(*words).split()], DTYPES[dtype])
    assert most_ulps(codes, exact_codes(layers, x, DTYPES[dtype])) <= ULPS[dtype]
    words[2] = tmp_path / {"little": "big.bin", "big": "little.bin"}[order]
    other_byte_order = 5
    assert subprocess.run(list(map(str, words)), capture_output=True, timeout=60).returncode == other_byte_order
