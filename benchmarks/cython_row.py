#!/usr/bin/env python3
"""One row, 784 -> 196, through the Cython API, beside a plain product that reads the packed weights once.

The plain product is ten lines of AVX-512, or AVX2, without bias and unit: what reading and multiplying must cost. What
an encoder takes beyond it is its sigmoid, and its calls. Both are timed without Python, in turn, and the best of many
is told. Needs Cython and a C compiler, and a quiet machine.

    benchmarks/cython_row.py                    # exits with 1 where an encoder takes more than 1.15 times as long
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sae_fast as sf
from tests.helpers.cython_build import build

MOST = 1.15
N_VISIBLE, N_HIDDEN = 784, 196

SOURCE = r'''
# cython: language_level=3, boundscheck=False
from sae_fast.cython_api cimport EncoderHandle, encoder_handle, encode_one_f32, encode_one_f64

cdef extern from *:
    """
    #include <immintrin.h>
    #include <time.h>

    static double seconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }

    /* z (n_panels, N vectors) = x W^T, W in panels (n_panels, n_in, N vectors), their sums in registers. As many rows
       of W at a time as make enough chains of multiply-adds to hide their latency. */
    #define PLAIN(NAME, T, V, MM, PS, N, ROWS)                                                                     \
    static void NAME(const T *x, int n_in, const T *W, int n_panels, T *z) {                                       \
        enum { LANES = sizeof(V) / sizeof(T) };                                                                    \
        for (int p = 0; p < n_panels; ++p, z += N * LANES) {                                                       \
            V s[N * ROWS];                                                                                         \
            for (int k = 0; k < N * ROWS; ++k) s[k] = MM##set1_##PS(0);                                            \
            for (int i = 0; i < n_in; i += ROWS, W += N * ROWS * LANES)                                            \
                for (int k = 0; k < N * ROWS; ++k)                                                                 \
                    s[k] = MM##fmadd_##PS(MM##set1_##PS(x[i + k / N]), MM##loadu_##PS(W + k * LANES), s[k]);       \
            for (int k = 0; k < N; ++k)                                                                            \
                MM##storeu_##PS(z + k * LANES, ROWS == 1 ? s[k] : MM##add_##PS(s[k], s[k + N * (ROWS - 1)]));      \
        }                                                                                                          \
    }
    #ifdef __AVX512F__
    enum { BYTES = 64, PANEL_F32 = 13, PANEL_F64 = 25 };
    PLAIN(plain_f32, float, __m512, _mm512_, ps, 13, 1)
    PLAIN(plain_f64, double, __m512d, _mm512_, pd, 25, 1)
    #else
    enum { BYTES = 32, PANEL_F32 = 5, PANEL_F64 = 7 };
    PLAIN(plain_f32, float, __m256, _mm256_, ps, 5, 2)
    PLAIN(plain_f64, double, __m256d, _mm256_, pd, 7, 2)
    #endif
    """
    const int BYTES, PANEL_F32, PANEL_F64
    double seconds() nogil
    void plain_f32(const float*, int, const float*, int, float*) nogil
    void plain_f64(const double*, int, const double*, int, double*) nogil

ctypedef fused real:
    float
    double

widths = {"float32": PANEL_F32 * BYTES // 4, "float64": PANEL_F64 * BYTES // 8}  # of panels


def race(encoder, const real[::1] x, real[::1] codes, const real[::1] W, real[::1] z, int n_panels, int n_times,
         int n_calls):
    """Seconds of a call, ours and the plain product's, each the best of n_times."""
    cdef const EncoderHandle* h = encoder_handle(encoder)
    cdef double best[2]
    cdef double began
    cdef int k, i, n_in = <int> x.shape[0]
    best[0] = best[1] = 1e9
    with nogil:
        for k in range(n_times):
            began = seconds()
            for i in range(n_calls):
                if real is float:
                    encode_one_f32(h, &x[0], &codes[0])
                else:
                    encode_one_f64(h, &x[0], &codes[0])
            best[0] = min(best[0], (seconds() - began) / n_calls)
            began = seconds()
            for i in range(n_calls):
                if real is float:
                    plain_f32(&x[0], n_in, &W[0], n_panels, &z[0])
                else:
                    plain_f64(&x[0], n_in, &W[0], n_panels, &z[0])
            best[1] = min(best[1], (seconds() - began) / n_calls)
    return best[0], best[1]
'''


def aligned(n: int, dtype: type) -> np.ndarray:
    """An array that begins at a line of the cache."""
    size = np.dtype(dtype).itemsize
    memory = np.empty(n * size + 64, np.uint8)
    begin = -memory.ctypes.data % 64
    return memory[begin : begin + n * size].view(dtype)


def main() -> int:
    if platform.machine() not in ("x86_64", "AMD64"):
        print("the plain product is written for x86-64")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        [user] = build(Path(folder), SOURCE, {"row": "c"}, ("-O3", "-march=native"))
    worst = 0.0
    for dtype in (np.float32, np.float64):
        params = sf.init_params(N_VISIBLE, N_HIDDEN, random_state=0, dtype=dtype)
        encoder, x = sf.Encoder(params), np.random.default_rng(0).random(N_VISIBLE).astype(dtype)
        width = user.widths[dtype.__name__]
        n_panels = -(-N_HIDDEN // width)
        padded = np.zeros((n_panels * width, N_VISIBLE), dtype)
        padded[:N_HIDDEN] = params.W1
        W, z = aligned(padded.size, dtype), aligned(n_panels * width, dtype)
        W[:] = padded.reshape(n_panels, width, N_VISIBLE).transpose(0, 2, 1).ravel()
        codes = np.empty(N_HIDDEN, dtype)
        ours, plain = user.race(encoder, x, codes, W, z, n_panels, 2000, 20)
        assert np.array_equal(codes, encoder.encode_one(x))
        np.testing.assert_allclose(z[:N_HIDDEN], params.W1 @ x, atol=1e-4)
        times = f"{ours * 1e6:.2f} us, plain product {plain * 1e6:.2f} us, {ours / plain:.2f} times as long"
        print(f"{dtype.__name__}: {times}")
        worst = max(worst, ours / plain)
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
