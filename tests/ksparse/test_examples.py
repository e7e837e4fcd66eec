"""top_examples: those of the twin, which sorts a column of dense codes, from any source, whatever its blocks are."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference

N, D, H = 500, 6, 24


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(H, D)), np.zeros(H), rng.normal(size=(H, D)), np.zeros(D)
    weights[1][3] = -1e9
    X = rng.normal(size=(N, D))
    X[300:] = X[:200]  # every activation twice
    return weights, X


@pytest.mark.parametrize("n", [1, 7, N])
@pytest.mark.parametrize("batch", [1, 33, 1000])
def test_rows_of_dense_codes(example, n, batch, monkeypatch):
    """Of equal activations the earlier row; no more than excite the latent; several latents in one pass."""
    weights, X = example
    monkeypatch.setattr("sae_fast.ksparse._examples._ENTRIES", 10 * H)  # also blocks are cut
    encoder = sf.KSparseEncoder(*weights, k=3)
    latents = [5, 3, 0]
    wanted = reference.top_examples(reference.KSparseEncoder(*weights, k=3), X, latents, n)
    found = sf.top_examples(encoder, sf.open_source(X, batch_size=batch), latents, n)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_allclose(one.values, other.values, rtol=1e-12)
        assert (one.latent, one.density, one.n_samples) == (other.latent, other.density, other.n_samples)
    assert len(found[1].rows) == 0


def test_sources(example, tmp_path):
    """An array, a file and an iterator give the same; k counts."""
    weights, X = example
    encoder = sf.KSparseEncoder(*weights, k=3)
    np.save(tmp_path / "X.npy", X)
    from_array = sf.top_examples(encoder, X, np.int64(5), 4, k=1)
    for data in (tmp_path / "X.npy", iter([X[:100], X[100:]])):
        found = sf.top_examples(encoder, data, 5, 4, k=1)
        np.testing.assert_array_equal(found.rows, from_array.rows)
        np.testing.assert_array_equal(found.values, from_array.values)
    assert from_array.density < sf.top_examples(encoder, X, 5).density


def test_errors(example):
    """Latents that are not there, counts, other columns, other names, NaN."""
    weights, X = example
    encoder = sf.KSparseEncoder(*weights, k=3, feature_names=list("abcdef"))
    with pytest.raises(ValueError, match=r"latent must be in 0\.\.23, got 24"):
        sf.top_examples(encoder, X, [1, 24])
    with pytest.raises(TypeError, match="latent must be an integer, got 'x'"):
        sf.top_examples(encoder, X, ["x"])
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        sf.top_examples(encoder, X, 1, 0)
    with pytest.raises(ValueError, match="data must have 6 columns, as the model, got 5"):
        sf.top_examples(encoder, X[:, :5], 1)
    with pytest.raises(ValueError, match="contains NaN: row 1,"):
        sf.top_examples(encoder, np.vstack([X[:1], np.full(D, np.nan)]), 1)
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcdfe"))
    with pytest.raises(ValueError, match="column 5 of data must be 'e', as of the model, got 'f'"):
        sf.top_examples(encoder, frame, 1)
