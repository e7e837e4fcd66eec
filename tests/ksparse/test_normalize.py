"""Samples that are normalised one by one, and decoders of another width."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference

RNG = np.random.default_rng(5)
N, D = 70, 13
W, V = RNG.normal(size=(N, D)), RNG.normal(size=(N, D))
B, C = RNG.normal(size=N), RNG.normal(size=D)
X = RNG.normal(size=(90, D)) * RNG.uniform(0.1, 50, (90, 1)) + RNG.normal(size=(90, 1))


def pair(dtype, **options):
    given = [a.astype(dtype) for a in (W, B, V, C)]
    return [kind(*given, k=6, **options) for kind in (sf.KSparseEncoder, reference.KSparseEncoder)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("how", ["layer_norm", "length"])
def test_codes_and_reconstructions_of_normalised_samples(dtype, subtract, how):
    """Those of the formula, for any number of rows; reconstructions in the units of samples that are given."""
    ours, twin = pair(dtype, normalize=how, apply_b_dec_to_input=subtract)
    rows = X.astype(dtype)
    inner = rows - rows.mean(axis=1, keepdims=True)
    scaled = inner / (inner.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    if how == "length":
        scaled = rows * np.sqrt(D) / np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = pair(np.float64, apply_b_dec_to_input=subtract)[1].dense(scaled.astype(np.float64))
    close = {"rtol": 1e-5, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    codes = ours(rows)
    np.testing.assert_allclose(codes.toarray(), wanted, **close)
    np.testing.assert_allclose(twin.dense(rows), wanted, **close)
    for part in (rows[:9], rows[:1], rows[:40, ::-1][:, ::-1]):
        assert np.array_equal(ours(part).toarray(), codes.toarray()[: len(part)])
    for n_threads in (1, 2, 3, 8):
        assert np.array_equal(ours(rows, n_threads=n_threads).data, codes.data)
    size = (
        inner.std(axis=1, ddof=1, keepdims=True) if how == "layer_norm" else np.sqrt((rows**2).mean(1, keepdims=True))
    )
    level = rows.mean(axis=1, keepdims=True) if how == "layer_norm" else 0
    found = ours.decode(codes, X=rows)
    np.testing.assert_allclose(found, ours.decode(codes) * size + level, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found, twin.decode(twin(rows), X=rows), rtol=1e-4, atol=1e-3)
    error = ((found - rows.astype(np.float64)) ** 2).mean()
    assert ours.evaluate(rows)["mse"] == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("how", ["layer_norm", "length"])
def test_samples_without_size(how):
    """Constant rows and zeros have codes; what is not finite, or leaves the range, is named."""
    ours, twin = pair(np.float64, normalize=how)
    flat = np.stack([np.zeros(D), np.full(D, 3.0 if how == "layer_norm" else 0.0)])
    np.testing.assert_allclose(ours(flat).toarray(), twin.dense(flat), rtol=1e-12, atol=1e-12)
    for value, words in (
        (np.nan, "X must be finite, got NaN or infinity in row 1"),
        (1e200, "range of the type in row 1"),
    ):
        bad = X[:3].copy()
        bad[1, 4] = value
        with pytest.raises(ValueError, match=words):
            ours(bad)


def test_normalize_is_stored(tmp_path):
    """In files and pickles; files without it are as they were."""
    ours, _ = pair(np.float32, normalize="length")
    ours.save(tmp_path / "a.safetensors")
    for again in (sf.load(tmp_path / "a.safetensors"), pickle.loads(pickle.dumps(ours))):
        assert again.normalize == "length"
        assert np.array_equal(again(X).data, ours(X).data)
    assert "normalize='length'" in repr(ours)
    with pytest.raises(ValueError, match=r"normalize must be .*layer_norm.* or None, got 'batch'"):
        pair(np.float32, normalize="batch")


def test_decoders_of_another_width(tmp_path):
    """Transcoders: outputs of the decoder's width, nothing subtracted; what needs the samples' width says so."""
    out = RNG.normal(size=(N, 4))
    ours = sf.KSparseEncoder(W, B, out, C[:4], k=5, apply_b_dec_to_input=False)
    codes = ours(X)
    np.testing.assert_allclose(ours.decode(codes), codes.toarray() @ out + C[:4], rtol=1e-12, atol=1e-12)
    ours.save(tmp_path / "t.safetensors")
    again = sf.load(tmp_path / "t.safetensors")
    assert again.n_outputs == 4
    assert np.array_equal(again.decode(codes), ours.decode(codes))
    with pytest.raises(ValueError, match="is a transcoder: 13 features, 4 outputs"):
        ours.evaluate(X)
    with pytest.raises(ValueError, match="go with apply_b_dec_to_input=False"):
        sf.KSparseEncoder(W, B, out, C[:4], k=5)
