"""evaluate_retrieval: the twin's nDCG and recall, and scikit-learn's nDCG, of rankings over all documents."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import ndcg_score
from sklearn.preprocessing import normalize

import sae_fast as sf
from sae_fast import reference

N_QUERIES, N_DOCUMENTS = 41, 130


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_QUERIES, 9)), rng.normal(size=(N_DOCUMENTS, 9))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Several blocks of queries and of documents, and last ones that are no whole block."""
    monkeypatch.setattr("sae_fast.ksparse._retrieval._BYTES", 7 * 8 * N_DOCUMENTS)
    monkeypatch.setattr("sae_fast.ksparse._retrieval._COLUMNS", 50)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_array])
def test_graded_gains(vectors, similarity, form):
    """Gains of several documents, none for some queries, as an array or sparse: scikit-learn's figures."""
    rng = np.random.default_rng(1)
    gains = rng.integers(1, 5, (N_QUERIES, N_DOCUMENTS)) * (rng.random((N_QUERIES, N_DOCUMENTS)) < 0.06)
    gains[3] = 0
    found = sf.evaluate_retrieval(*vectors, form(gains), at=(1, 10, 500), similarity=similarity)
    assert list(found) == ["ndcg@1", "recall@1", "ndcg@10", "recall@10", "ndcg@500", "recall@500"]
    wanted = reference.evaluate_retrieval(*vectors, gains, at=(1, 10, 500), similarity=similarity)
    assert found == pytest.approx(wanted, rel=1e-12)
    some = gains.any(axis=1)
    queries, documents = vectors if similarity == "dot" else map(normalize, vectors)
    for n in (1, 10, 500):  # no two similarities are equal
        assert wanted[f"ndcg@{n}"] == pytest.approx(ndcg_score(gains[some], (queries @ documents.T)[some], k=n))
    assert found["recall@500"] == 1


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_one_relevant_document_and_sparse_codes(similarity):
    """Sparse codes give what their dense arrays give, with their many equal similarities: earlier documents first."""
    rng = np.random.default_rng(2)
    queries, documents = (rng.integers(1, 4, (n, 12)) * (rng.random((n, 12)) < 0.2) for n in (N_QUERIES, N_DOCUMENTS))
    documents[5] = 0
    relevant = rng.integers(0, N_DOCUMENTS, N_QUERIES)
    gains = np.zeros((N_QUERIES, N_DOCUMENTS))
    gains[np.arange(N_QUERIES), relevant] = 1
    codes = [sparse.csr_array(part.astype(np.float64)) for part in (queries, documents)]
    found = sf.evaluate_retrieval(*codes, relevant, at=10, similarity=similarity)
    assert found == pytest.approx(reference.evaluate_retrieval(queries, documents, relevant, similarity=similarity))
    assert sf.evaluate_retrieval(*codes, gains, at=10, similarity=similarity) == pytest.approx(found)


@pytest.mark.parametrize("function", [sf.evaluate_retrieval, reference.evaluate_retrieval])
def test_ranks_by_hand(function):
    """The third of equal documents has rank 3; a query that nothing answers is left out."""
    documents, queries = np.array([[1.0, 0], [0, 0], [1, 0], [1, 0]]), np.array([[2.0, 1], [1, 1], [0, 0]])
    gains = np.array([[0, 0, 0, 2], [0, 0, 0, 0], [0, 1, 0, 3]])
    found = function(queries, documents, gains, at=(2, 3))
    ideal = 3 + 1 / np.log2(3)
    assert found["recall@2"] == pytest.approx((0 + 1 / 2) / 2)
    assert found["recall@3"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["ndcg@2"] == pytest.approx((1 / np.log2(3)) / ideal / 2)
    assert found["ndcg@3"] == pytest.approx((1 / np.log2(4) + (1 / np.log2(3)) / ideal) / 2)


def test_half_precision(vectors):
    """float16 is summed in float32, blocks of documents at a time."""
    halves = [part.astype(np.float16) for part in vectors]
    relevant = np.arange(N_QUERIES)
    wide = [part.astype(np.float32) for part in halves]
    assert sf.evaluate_retrieval(*halves, relevant) == sf.evaluate_retrieval(*wide, relevant)


def test_what_is_given_stays(vectors):
    """Gains of zero that are stored are no relevant documents, and stay in the caller's array."""
    gains = sparse.csr_array(np.ones((N_QUERIES, N_DOCUMENTS)))
    gains.data[1:] = 0
    found = sf.evaluate_retrieval(*vectors, gains, at=N_DOCUMENTS)
    assert found[f"recall@{N_DOCUMENTS}"] == 1
    assert gains.nnz == N_QUERIES * N_DOCUMENTS


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"queries": np.ones((2, 3))}, ValueError, "queries must have 9 columns, as documents, got 3"),
        ({"queries": np.ones(9)}, ValueError, r"queries must have shape \(n, n_features\)"),
        ({"queries": sparse.csr_array(np.ones((41, 9)))}, TypeError, "both be dense or both be sparse"),
        ({"documents": np.full((130, 9), np.inf)}, ValueError, "documents must be finite"),
        ({"relevant": np.zeros(40, int)}, ValueError, r"relevant must have shape \(41,\), a document for each"),
        ({"relevant": np.full(41, 130)}, ValueError, "relevant must be in 0..129, got 130 to 130"),
        ({"relevant": np.zeros(41)}, TypeError, "relevant must be numbers of documents, integers, got float64"),
        (
            {"relevant": [[0], *[[1, 2]] * 40]},
            ValueError,
            "relevant must be the number of one document .* several lengths",
        ),
        ({"relevant": -np.ones((41, 130))}, ValueError, "relevant must hold gains >= 0"),
        ({"relevant": np.zeros((41, 130))}, ValueError, "at least one query, got none"),
        ({"relevant": np.ones((41, 3))}, ValueError, r"relevant must have shape \(41,\) or \(41, 130\), got \(41, 3\)"),
        ({"at": 0}, ValueError, "at must be >= 1"),
        ({"at": ()}, ValueError, "at must name at least one"),
        ({"similarity": "l2"}, ValueError, "similarity must be 'cosine' or 'dot', got 'l2'"),
    ],
)
def test_errors(vectors, change, error, words):
    """They name the argument."""
    given = {"queries": vectors[0], "documents": vectors[1], "relevant": np.zeros(N_QUERIES, int)} | change
    with pytest.raises(error, match=words):
        sf.evaluate_retrieval(**given)
