"""KSparseEncoder: the codes of its twin, for any shape, selection and number of threads."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse

import sae_fast as sf
from sae_fast import reference

pytestmark = pytest.mark.core

DTYPES = (np.float32, np.float64)
ACTIVATIONS = ("topk", "batchtopk", "jumprelu", "relu", "gated")
# Features, latents, k: narrow and odd ends of vectors and panels, lists that are cut again and again.
SHAPES = [(1, 1, 1), (5, 7, 7), (17, 33, 5), (48, 65, 1), (61, 257, 32), (16, 1000, 3), (64, 1031, 500), (900, 100, 10)]
ROWS = (1, 2, 16, 17, 65, 130)


def weights(d, h, dtype, rng, integers=True):
    """W_enc, b_enc, W_dec, b_dec; small integers, whose sums are exact and often equal."""
    shapes = (h, d), (h,), (h, d), (d,)
    if integers:
        return tuple(rng.integers(-2, 3, shape).astype(dtype) for shape in shapes)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def options_of(activation, h, k, dtype, rng):
    """What an activation needs."""
    if activation == "topk":
        return {"k": k}
    if activation == "batchtopk":
        return {"threshold": 3.0}
    if activation == "jumprelu":
        return {"threshold": rng.integers(0, 9, h).astype(dtype)}
    if activation == "gated":
        return {"b_gate": rng.integers(-3, 4, h).astype(dtype), "r_mag": np.zeros(h, dtype)}
    return {}


def pair(d, h, k, dtype, activation, seed=0, integers=True, **more):
    """An encoder and its twin."""
    rng = np.random.default_rng(seed)
    given = weights(d, h, dtype, rng, integers)
    options = options_of(activation, h, k, dtype, rng) | more
    encoders = (
        kind(*given, activation=activation, **options) for kind in (sf.KSparseEncoder, reference.KSparseEncoder)
    )
    return *encoders, rng


def same(got, wanted):
    """Two CSR arrays, to the bit."""
    assert got.shape == wanted.shape
    for a, b in ((got.indptr, wanted.indptr), (got.indices, wanted.indices), (got.data, wanted.data)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_codes_are_those_of_the_twin(shape, activation, dtype):
    """Where sums are exact, and many equal, codes are the same bits as NumPy's: ties go to the lower index."""
    encoder, twin, rng = pair(*shape, dtype, activation)
    for n in ROWS:
        X = rng.integers(-2, 3, (n, shape[0])).astype(dtype)
        codes = encoder(X)
        same(codes, twin(X))
        assert (codes.dtype, codes.indices.dtype, codes.indptr.dtype) == (dtype, np.int32, np.int32)
        assert isinstance(codes, scipy.sparse.csr_array)
        np.testing.assert_array_equal(encoder.decode(codes), twin.decode(codes))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_top_is_that_of_the_twin(shape, dtype):
    """The k largest in falling order, equal ones by rising index, for every k of a call; 0 where z <= 0."""
    encoder, twin, rng = pair(*shape, dtype, "topk")
    for n in ROWS:
        X = rng.integers(-2, 3, (n, shape[0])).astype(dtype)
        for k in {1, (shape[1] + 1) // 2, shape[1], None}:
            for got, wanted in zip(encoder.top(X, k=k), twin.top(X, k=k), strict=True):
                np.testing.assert_array_equal(got, wanted)
            same(encoder(X, k=k), twin(X, k=k))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_codes_of_real_numbers(activation, dtype):
    """Values are those of float64 arithmetic within rounding, and what is left out is no larger than what is kept."""
    encoder, _, rng = pair(300, 500, 20, dtype, activation, integers=False)
    X = rng.normal(size=(130, 300)).astype(dtype)
    wide = {name: np.asarray(getattr(encoder, name), np.float64) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
    options = {n: getattr(encoder, n) for n in ("k", "threshold", "b_gate", "r_mag")}
    wanted = reference.KSparseEncoder(**wide, activation=activation, **options).dense(X.astype(np.float64))
    codes = encoder(X).toarray()
    rounding = 300 * np.finfo(dtype).eps * 20
    both = (codes > 0) & (wanted > 0)
    np.testing.assert_allclose(codes[both], wanted[both], rtol=0, atol=rounding)
    differ = (codes > 0) != (wanted > 0)  # where z is as near its threshold as it can be computed
    assert differ.sum() <= (0 if dtype == np.float64 else 3)
    assert both.sum() > 500


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_bit_depends_on_threads_or_on_other_rows(activation, dtype):
    """1, 2, 3 and 8 threads, many rows, few rows and one row give the same bits."""
    encoder, _, rng = pair(96, 1031, 32, dtype, activation, integers=False)
    X = rng.normal(size=(257, 96)).astype(dtype)
    codes = encoder(X, n_threads=1)
    for n_threads in (2, 3, 8):
        same(encoder(X, n_threads=n_threads), codes)
        for n in (1, 2, 16, 17):
            same(encoder(X[:n], n_threads=n_threads), codes[:n])
        np.testing.assert_array_equal(encoder.decode(codes, n_threads=n_threads), encoder.decode(codes, n_threads=1))
    for i in (0, 100, 256):
        indices, values = encoder.encode_one(X[i])
        np.testing.assert_array_equal(indices, codes.indices[codes.indptr[i] : codes.indptr[i + 1]])
        np.testing.assert_array_equal(values, codes.data[codes.indptr[i] : codes.indptr[i + 1]])
    if activation == "topk":
        for n_threads in (2, 3, 8):
            for a, b in zip(encoder.top(X, n_threads=n_threads), encoder.top(X, n_threads=1), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", ["rising", "falling", "equal", "mixed"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_orders_that_cut_lists_at_each_panel(order, dtype):
    """Rising latents, each of which beats all before it, and equal ones; the k-th of numbers of all sizes and signs."""
    h = 3000
    z = {
        "rising": np.arange(h),
        "falling": -np.arange(h),
        "equal": np.ones(h),
        "mixed": np.where(np.arange(h) % 2, 1, -1) * 2.0 ** (np.arange(h) * 7 % 200 - 100),
    }[order].astype(dtype)
    zeros = np.zeros((h, 1), dtype)
    encoder = sf.KSparseEncoder(zeros, z, zeros, zeros[0], k=1)
    for k in (1, 40, 1600, h):
        for n in (1, 17):
            indices, values = encoder.top(np.ones((n, 1)), k=k)
            wanted = np.argsort(-z, kind="stable")[:k]
            np.testing.assert_array_equal(indices, np.broadcast_to(wanted, (n, k)))
            np.testing.assert_array_equal(values, np.broadcast_to(np.maximum(z[wanted], 0), (n, k)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_input_is_taken(dtype, tmp_path):
    """Other dtypes, strides, lists, frames and files are converted; float16 is read as it lies."""
    import pandas as pd

    encoder, twin, rng = pair(12, 40, 5, dtype, "topk")
    wide = rng.integers(-3, 4, (50, 24)).astype(np.float32)
    half = np.memmap(tmp_path / "half", np.float16, "w+", shape=(50, 12))
    half[:] = wide[:, ::2]
    some = wide[:, ::2]
    for data in (some, np.asfortranarray(some), wide[::-1, 1::2].astype(np.int16), half, some > 0, some.astype(">f8"),
                 some.tolist(), pd.DataFrame(some)):  # fmt: skip
        same(encoder(data), twin(np.asarray(data)))
    np.testing.assert_array_equal(encoder.encode_one(half[3])[0], encoder(half[3:4]).indices)


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_subtraction(dtype):
    """apply_b_dec_to_input=False leaves samples as they are; an encoder whose b_dec is 0 gives the same codes."""
    encoder, twin, rng = pair(12, 40, 5, dtype, "topk", apply_b_dec_to_input=False)
    X = rng.integers(-2, 3, (50, 12)).astype(dtype)
    same(encoder(X), twin(X))
    other = sf.KSparseEncoder(encoder.W_enc, encoder.b_enc, encoder.W_dec, np.zeros(12, dtype), k=5)
    same(other(X), encoder(X))
    assert (other.decode(other(X)) != encoder.decode(encoder(X))).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gates_open_strictly_above_zero(dtype):
    """The gate is y + b_gate > 0 and the value exp(r_mag) y + b_enc > 0: both strictly, and each on its own."""
    W = np.ones((4, 1), dtype)
    b_enc = np.array([1, 1, -2, 1], dtype)
    b_gate = np.array([-2, -1, 0, 0], dtype)
    r_mag = np.array([0, 0, 0, np.log(3)], dtype)
    encoder = sf.KSparseEncoder(W, b_enc, W, np.zeros(1, dtype), activation="gated", b_gate=b_gate, r_mag=r_mag)
    codes = encoder(np.array([[2.0], [1.0]])).toarray()
    np.testing.assert_allclose(codes, [[0, 3, 0, 7], [0, 0, 0, 4]], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_thresholds_are_strict_and_never_below_zero(dtype):
    """Z that equals its threshold is out; a threshold below 0 lets nothing in that is not positive."""
    zeros = np.zeros((4, 1), dtype)
    z = np.array([2, 1, 0, -1], dtype)
    for options, wanted in (
        ({"activation": "jumprelu", "threshold": np.array([2, 0.5, -1, -2], dtype)}, [0, 1, 0, 0]),
        ({"activation": "batchtopk", "threshold": 1.0}, [2, 0, 0, 0]),
        ({"activation": "relu"}, [2, 1, 0, 0]),
        ({"k": 4}, [2, 1, 0, 0]),
    ):
        encoder = sf.KSparseEncoder(zeros, z, zeros, zeros[0], **options)
        codes = encoder(np.ones((3, 1)))
        np.testing.assert_array_equal(codes.toarray(), np.broadcast_to(wanted, (3, 4)))
        assert codes.nnz == 3 * np.count_nonzero(wanted)


def test_codes_that_are_empty():
    """Rows, or all of them, without an active latent."""
    zeros = np.zeros((9, 2))
    encoder = sf.KSparseEncoder(zeros, -np.ones(9), zeros, np.array([3.0, 4.0]), k=2)
    codes = encoder(np.ones((20, 2)))
    assert codes.nnz == 0
    np.testing.assert_array_equal(encoder.decode(codes), np.broadcast_to([3.0, 4.0], (20, 2)))
    assert [len(a) for a in encoder.encode_one(np.ones(2))] == [0, 0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_save_load_pickle_and_repr(activation, tmp_path):
    """Files and pickles hold all of it, and it says what it is."""
    names = tuple("abcde")
    rng = np.random.default_rng(0)
    encoder = sf.KSparseEncoder(
        *weights(5, 33, np.float32, rng),
        activation=activation,
        feature_names=names,
        apply_b_dec_to_input=False,
        **options_of(activation, 33, 4, np.float32, rng),
    )
    X = rng.integers(-2, 3, (20, 5))
    encoder.save(tmp_path / "e")
    how = "topk, k=4" if activation == "topk" else activation
    for again in (
        sf.KSparseEncoder.load(tmp_path / "e"), sf.load(tmp_path / "e"), pickle.loads(pickle.dumps(encoder)),
    ):  # fmt: skip
        assert repr(again) == f"KSparseEncoder(5 -> 33, {how}, float32)"
        assert again.feature_names == names
        same(again(X), encoder(X))
        np.testing.assert_array_equal(again.decode(again(X)), encoder.decode(encoder(X)))
        assert not again.W_enc.flags.writeable


def test_it_keeps_copies():
    """Arrays that are changed afterwards change no code."""
    given = weights(5, 33, np.float32, np.random.default_rng(0))
    encoder = sf.KSparseEncoder(*given, k=3)
    X = np.ones((20, 5))
    codes, decoded = encoder(X), encoder.decode(encoder(X))
    for array in given:
        array[:] = 7
    same(encoder(X), codes)
    np.testing.assert_array_equal(encoder.decode(codes), decoded)
