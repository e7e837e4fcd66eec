"""Codes as search engines take them, and in a pipeline of scikit-learn's."""

from __future__ import annotations

import copy
import json
import pickle
import re

import numpy as np
import pytest
from scipy import sparse

import sae_fast as sf

RNG = np.random.default_rng(3)
W = RNG.normal(size=(40, 12)).astype(np.float32)
X = RNG.normal(size=(30, 12)).astype(np.float32)
ENCODER = sf.KSparseEncoder(W, np.full(40, -4, np.float32), W, np.zeros(12, np.float32), k=5)
CODES = ENCODER(X)  # some samples have fewer than 5 active latents, and some none


def test_codes_are_scipys():
    """And stay codes where SciPy keeps the class: rows, copies, pickles."""
    assert isinstance(CODES, sparse.csr_array)
    assert 0 in np.diff(CODES.indptr)
    plain = CODES.to_csr()
    assert type(plain) is sparse.csr_array
    assert plain.data is CODES.data or np.shares_memory(plain.data, CODES.data)
    for same in (CODES[:], CODES[np.arange(30)], copy.deepcopy(CODES), pickle.loads(pickle.dumps(CODES)), 1 * CODES):
        assert type(same) is sf.SparseCodes
        assert np.array_equal(same.toarray(), plain.toarray())
    np.testing.assert_allclose(CODES @ W, plain.toarray() @ W, rtol=1e-5, atol=1e-5)
    model = sf.KSparseAutoencoder(16, k=2, max_iter=1, batch_size=16, random_state=0).fit(X)
    for codes in (model.transform(X), model.transform(iter([X[:20], X[20:]]))):
        assert type(codes) is sf.SparseCodes
        assert len(codes.to_qdrant()) == 30


def test_qdrant_and_milvus():
    """Latents and values of each sample, as Python's numbers, through JSON and back."""
    dense = CODES.toarray()
    for one, other, row in zip(json.loads(json.dumps(CODES.to_qdrant())), CODES.to_milvus(), dense, strict=True):
        assert one["indices"] == np.nonzero(row)[0].tolist()
        assert np.array_equal(np.array(one["values"], np.float32), row[row > 0])
        assert other == dict(zip(one["indices"], one["values"], strict=True))
        assert all(type(k) is int and type(v) is float for k, v in other.items())


def test_pgvector():
    """A text whose latents count from 1, which reads back to the last bit of float32."""
    for text, row in zip(CODES.to_pgvector(), CODES.toarray(), strict=True):
        found = re.fullmatch(r"\{(.*)\}/40", text)
        pairs = [pair.split(":") for pair in found[1].split(",") if pair]
        assert [int(k) - 1 for k, _ in pairs] == np.nonzero(row)[0].tolist()
        assert np.array_equal(np.array([v for _, v in pairs], np.float32), row[row > 0])


def test_elasticsearch():
    """Names of latents are strings."""
    for one, row in zip(CODES.to_elasticsearch(), CODES.toarray(), strict=True):
        assert {int(k): np.float32(v) for k, v in one.items()} == {int(j): row[j] for j in np.nonzero(row)[0]}


def test_any_sparse_array_can_be_given():
    """With indices in any order, entries twice, zeros, other dtypes; it is left as it is."""
    twice = sparse.csr_array((np.array([2, 1, 3, 0]), [3, 3, 1, 0], [0, 4]), shape=(1, 5))
    codes = sf.SparseCodes(twice)
    assert codes.to_milvus() == [{1: 3.0, 3: 3.0}]
    assert codes.nnz == 4
    assert sf.SparseCodes(sparse.coo_array(np.eye(2))).to_pgvector() == ["{1:1}/2", "{2:1}/2"]
    assert sf.SparseCodes((2, 3)).to_pgvector() == ["{}/3", "{}/3"]


def _one(value, n_latents=4, dtype=np.float64):
    return sf.SparseCodes((np.array([1, value], dtype), [0, 1], [0, 1, 2]), shape=(2, n_latents))


@pytest.mark.parametrize(
    ("codes", "engine", "words"),
    [
        (_one(-0.5), "to_milvus", "no negative values for Milvus, got -0.5 in row 1"),
        (_one(-0.5), "to_elasticsearch", "positive values, of at least 1.18e-38, for Elasticsearch, got -0.5 in row 1"),
        (_one(1e-40), "to_elasticsearch", "positive values, of at least 1.18e-38"),
        (_one(np.nan), "to_qdrant", "finite float32 values for Qdrant, got nan in row 1"),
        (_one(1e39), "to_pgvector", "finite float32 values for pgvector, got inf in row 1"),
        (_one(1, 2**32 + 1), "to_qdrant", "at most 4294967296 latents for Qdrant, got 4294967297"),
        (_one(1, 2**32), "to_milvus", "at most 4294967295 latents for Milvus, got 4294967296"),
        (_one(1, 10**9 + 1), "to_pgvector", "at most 1000000000 latents for pgvector"),
        (
            sf.SparseCodes(np.ones((2, 1001))),
            "to_pgvector",
            "at most 1000 active latents for an HNSW index .* got 1001",
        ),
    ],
)
def test_limits_of_engines(codes, engine, words):
    """What an engine would refuse, or store as something else, is an error that says what it takes."""
    with pytest.raises(ValueError, match=words):
        getattr(codes, engine)()


def test_limits_of_pgvector_without_an_index():
    """16,000 active latents."""
    assert sf.SparseCodes(np.ones((1, 1001))).to_pgvector(indexed=False)[0].endswith("1001:1}/1001")
    with pytest.raises(ValueError, match="at most 16000 active latents for a sparsevec, got 16001 in row 0"):
        sf.SparseCodes(np.ones((1, 16001))).to_pgvector(indexed=False)
    with pytest.raises(TypeError, match="codes must have a real dtype, got complex128"):
        sf.SparseCodes(np.ones((1, 2), complex)).to_qdrant()


def test_a_classifier_of_codes():
    """KSparseAutoencoder and LogisticRegression in a pipeline: CSR from one to the other."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    y = (X[:, 0] > 0).astype(int)
    sparse_codes = sf.KSparseAutoencoder(32, k=8, max_iter=5, batch_size=10, random_state=0)
    pipeline = make_pipeline(sparse_codes, LogisticRegression(C=100)).fit(X, y)
    assert pipeline.score(X, y) > 0.8
    assert np.array_equal(pipeline.predict(X), pipeline[1].predict(pipeline[0].transform(X).toarray()))
