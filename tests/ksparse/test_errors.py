"""What KSparseEncoder refuses, and in which words."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import sae_fast as sf

pytestmark = pytest.mark.core

W = np.ones((6, 3), np.float32)
B = np.zeros(6, np.float32)
C = np.zeros(3, np.float32)
ONES = np.ones(6, np.float32)


def encoder(**options):
    return sf.KSparseEncoder(W, B, W, C, **({"k": 2} | options))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"k": 0}, ValueError, "k must be >= 1, got 0"),
        ({"k": 7}, ValueError, "k must be <= 6, the number of latents, got 7"),
        ({"k": 2.0}, TypeError, "k must be an integer, got 2.0"),
        ({"k": None}, ValueError, "k must be given with activation='topk', got None"),
        ({"activation": "relu"}, ValueError, "k must be None with activation='relu', got 2"),
        ({"activation": "softmax"}, ValueError, "activation must be 'topk', .* or 'gated', got 'softmax'"),
        ({"threshold": 1.0}, ValueError, "threshold must be None with activation='topk', got 1.0"),
        ({"activation": "jumprelu", "k": None}, ValueError, "threshold must be given with activation='jumprelu'"),
        (
            {"activation": "jumprelu", "k": None, "threshold": 1.0},
            TypeError,
            "threshold must be a NumPy array, got float",
        ),
        ({"activation": "jumprelu", "k": None, "threshold": ONES[:5]}, ValueError, r"threshold must have shape \(6,\)"),
        ({"activation": "batchtopk", "k": None, "threshold": -1.0}, ValueError, "threshold must be >= 0 and finite"),
        ({"activation": "batchtopk", "k": None, "threshold": ONES}, TypeError, "threshold must be a real number"),
        ({"activation": "gated", "k": None, "b_gate": ONES}, ValueError, "r_mag must be given with activation='gated'"),
        (
            {"activation": "gated", "k": None, "b_gate": ONES, "r_mag": 100 * ONES},
            ValueError,
            "r_mag must have exponentials that float32 holds, got up to 100",
        ),
        ({"apply_b_dec_to_input": None}, TypeError, "apply_b_dec_to_input must be True or False, got None"),
        ({"feature_names": ["a"]}, ValueError, "feature_names must be 3 different names"),
    ],
)
def test_options(options, error, words):
    """Options that do not fit are named, with what was wanted."""
    with pytest.raises(error, match=words):
        encoder(**options)


@pytest.mark.parametrize(
    ("position", "value", "error", "words"),
    [
        (0, W.tolist(), TypeError, "W_enc must be a float32 or float64 NumPy array, got list"),
        (0, W.astype(np.float16), TypeError, "W_enc must be a float32 or float64 NumPy array, got float16"),
        (0, W[0], ValueError, r"W_enc must have shape \(n_latents, n_features\)"),
        (0, W[:0], ValueError, r"W_enc must have shape \(n_latents, n_features\)"),
        (0, W * np.nan, ValueError, "W_enc must be finite, got NaN"),
        (1, B.astype(np.float64), TypeError, "b_enc must have dtype float32, as W_enc has, got float64"),
        (1, B[:5], ValueError, r"b_enc must have shape \(6,\) to match W_enc, got \(5,\)"),
        (2, W.T, ValueError, r"W_dec must have shape \(6, 3\) to match W_enc, got \(3, 6\)"),
        (3, C + np.float32(np.inf), ValueError, "b_dec must be finite, got infinity"),
    ],
)
def test_weights(position, value, error, words):
    """Weights that do not fit on each other, or are not finite."""
    given = [W, B, W, C]
    given[position] = value
    with pytest.raises(error, match=words):
        sf.KSparseEncoder(*given, k=2)


@pytest.mark.parametrize("n", [1, 5, 16, 17, 300])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ["topk", "relu"])
def test_rows_that_are_not_finite(n, bad, activation):
    """NaN and infinity in the data are errors that name the first such row, however many rows and threads."""
    made = encoder(activation=activation, k=2 if activation == "topk" else None)
    X = np.ones((n, 3))
    X[n // 2 :, 1] = bad
    for n_threads in (1, 3):
        with pytest.raises(ValueError, match=f"X must be finite, got NaN or infinity in row {n // 2}"):
            made(X, n_threads=n_threads)
    with pytest.raises(ValueError, match=r"x must be finite, got NaN or infinity$"):
        made.encode_one(X[-1])
    if activation == "topk":
        with pytest.raises(ValueError, match="X must be finite"):
            made.top(X)


@pytest.mark.parametrize("activation", ["topk", "relu"])
def test_sums_out_of_range(activation):
    """Where z overflows, nothing is made up."""
    big = np.full((6, 3), 1e38, np.float32)
    big[:, 1] *= -1
    made = sf.KSparseEncoder(big, B, W, C, activation=activation, k=2 if activation == "topk" else None)
    X = np.ones((40, 3), np.float32)
    X[23:] = 1e3
    with pytest.raises(ValueError, match=r"X must have finite pre-activations, but .* leave the range .* row 23"):
        made(X)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda e: e(np.ones((2, 4))), ValueError, r"X must have shape \(n_samples, 3\), got \(2, 4\)"),
        (lambda e: e(np.ones((0, 3))), ValueError, "X must have at least one sample"),
        (lambda e: e(np.ones((2, 3), complex)), TypeError, "X must have a real dtype"),
        (lambda e: e(scipy.sparse.eye_array(3)), TypeError, "X must be a dense array"),
        (lambda e: e(np.ones((2, 3)), k=7), ValueError, "k must be <= 6"),
        (lambda e: e(np.ones((2, 3)), n_threads=0), ValueError, "n_threads must be >= 1"),
        (lambda e: e.top(np.ones((2, 3)), k=0), ValueError, "k must be >= 1"),
        (lambda e: e.encode_one(np.ones((1, 3))), ValueError, r"x must have shape \(3,\), got \(1, 3\)"),
        (lambda e: e.encode_one("abc"), TypeError, "x must"),
        (lambda e: e.decode(np.ones((2, 6))), TypeError, "codes must be a sparse array of SciPy, got ndarray"),
        (
            lambda e: e.decode(scipy.sparse.eye_array(5)),
            ValueError,
            r"codes must have shape \(n_samples, 6\), got \(5, 5\)",
        ),
        (lambda e: e.decode(scipy.sparse.eye_array(6), out=np.ones((6, 3))), TypeError, "out must have dtype float32"),
        (
            lambda e: e.decode(scipy.sparse.csr_array(np.diag([1, 0, 0, np.nan, 1, 1]))),
            ValueError,
            "codes must be finite, got NaN or infinity in row 3",
        ),
        (lambda e: e.decode(1e300 * scipy.sparse.eye_array(6)), ValueError, "codes must be finite, .* in row 0"),
        (lambda e: e.decode(1j * scipy.sparse.eye_array(6)), TypeError, "codes must have a real dtype"),
    ],
)
def test_calls(call, error, words):
    """Arguments of calls are named, with what was wanted."""
    with pytest.raises(error, match=words):
        call(encoder())


def test_top_is_of_topk_alone():
    """Others have no k."""
    with pytest.raises(ValueError, match=r"activation must be 'topk' for top\(\), got 'relu'"):
        encoder(activation="relu", k=None).top(np.ones((2, 3)))


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_codes_that_would_read_outside(kind):
    """Indices and rows that a damaged CSR array may have are refused before anything is read."""
    for indices, starts in (
        ([0, 6], [0, 2]),
        ([0, -1], [0, 2]),
        ([0, 1], [0, 3]),
        ([0, 1], [1, 2]),
        ([0, 1], [0, 2, 1, 2]),
    ):
        codes = scipy.sparse.csr_array((len(starts) - 1, 6), dtype=np.float32)
        codes.data, codes.indices = np.ones(2, np.float32), np.array(indices, kind)
        codes.indptr = np.array(starts, kind)
        with pytest.raises(ValueError, match="codes must be a CSR array whose indices"):
            encoder().decode(codes)


def test_decode_takes_any_sparse_array():
    """Other formats, dtypes and 64-bit indices decode to the same numbers; entries that are there twice add up."""
    made = sf.KSparseEncoder(W * np.arange(1, 7, dtype=np.float32)[:, None], B, W * 2, C + 1, k=2)
    codes = made(np.array([[1, 2, 3], [1, 0, 0]]))
    wanted = made.decode(codes)
    np.testing.assert_allclose(wanted, codes.toarray() @ made.W_dec + made.b_dec)
    wide = codes.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for other in (codes.tocsc(), codes.tocoo(), codes.astype(np.float64), wide):
        np.testing.assert_array_equal(made.decode(other), wanted)
    out = np.empty((2, 3), np.float32)
    assert made.decode(codes, out=out) is out
    twice = scipy.sparse.csr_array((np.ones(2), [3, 3], [0, 2]), shape=(1, 6))
    np.testing.assert_array_equal(made.decode(twice), [[5, 5, 5]])
