"""compare_k_sparse: a row for each model and k, beside scikit-learn's PCA of as many bytes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

import sae_fast as sf


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 10)) @ rng.normal(size=(10, 10)) + 3).astype(np.float32)
    W = rng.normal(size=(40, 10)).astype(np.float32)
    encoder = sf.KSparseEncoder(W, np.zeros(40, np.float32), W / 20, X.mean(axis=0), k=2)
    return X, encoder, rng


def test_rows(example):
    """Each model at each k, as evaluate and evaluate_retrieval have it; then PCA; then the vectors themselves."""
    X, encoder, _ = example
    threshold = sf.KSparseEncoder(
        encoder.W_enc, encoder.b_enc, encoder.W_dec, encoder.b_dec, activation="batchtopk", threshold=3.0
    )
    queries, relevant = X[:20] + 1, np.arange(20)
    found = sf.compare_k_sparse(
        {"topk": encoder, "by threshold": threshold}, X, k=(2, 4), queries=queries, relevant=relevant, fvu="openai"
    )
    assert [row.name for row in found.rows] == ["topk", "topk", "by threshold", "PCA", "PCA", "PCA", "dense"]
    for row, coder in zip(found.rows, (encoder, encoder, threshold), strict=False):
        figures = coder.evaluate(X, k=row.k, fvu="openai")
        assert [row.l0, row.fvu, row.cosine] == [figures[name] for name in ("l0", "fvu", "cosine")]
        assert row.n_bytes == 8 * row.l0
        codes = coder(queries, k=row.k), coder(X, k=row.k)
        assert row.ndcg == sf.evaluate_retrieval(*codes, relevant)["ndcg@10"]
    assert [row.k for row in found.rows[3:5]] == [4, 8]
    for row in found.rows[3:6]:
        pca = PCA(row.k).fit(X.astype(np.float64))
        scores = [pca.transform(part) for part in (queries, X)]
        back = pca.inverse_transform(scores[1])
        assert row.fvu == pytest.approx(np.mean(((back - X) ** 2).sum(1) / (X**2).sum(1)), rel=1e-4, abs=1e-12)
        assert row.ndcg == pytest.approx(sf.evaluate_retrieval(*scores, relevant)["ndcg@10"], abs=1e-3)
    assert found.rows[-1].recall == sf.evaluate_retrieval(queries, X, relevant)["recall@10"]
    assert math.isnan(found.rows[-1].fvu)


def test_table_and_json(example):
    """Columns with nothing in them are left out of the table, and None in JSON."""
    X, encoder, _ = example
    found = sf.compare_k_sparse(encoder, X)
    head, first, *_, last = str(found).splitlines()
    assert head.split() == ["k", "bytes", "L0", "FVU", "cosine", "bias", "dead"]
    assert first.split()[:4] == ["model", "2", "16", "2.0"]
    assert last == "over 300 samples; fvu by 'total'"
    rows = json.loads(json.dumps(found.to_dict(), allow_nan=False))["rows"]
    assert rows[0]["ndcg"] is None
    assert list(found.to_pandas()["name"]) == ["model", "PCA"]


def test_errors(example):
    """They name the argument."""
    X, encoder, rng = example
    W = rng.normal(size=(5, 9))
    narrow = sf.KSparseEncoder(W, np.zeros(5), W, np.zeros(9), k=1)
    with pytest.raises(ValueError, match="models must take 10 features, as X has, b takes 9"):
        sf.compare_k_sparse({"a": encoder, "b": narrow}, X)
    with pytest.raises(ValueError, match="models must hold at least one"):
        sf.compare_k_sparse({}, X)
    with pytest.raises(TypeError, match="models must be a KSparseEncoder"):
        sf.compare_k_sparse(W, X)
    with pytest.raises(ValueError, match="queries and relevant must be given together"):
        sf.compare_k_sparse(encoder, X, queries=X)
    with pytest.raises(ValueError, match="k must be <= 40"):
        sf.compare_k_sparse(encoder, X, k=[2, 41])
    with pytest.raises(ValueError, match="fvu must be 'total'"):
        sf.compare_k_sparse(encoder, X, fvu="r2")
