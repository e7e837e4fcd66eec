"""KSparseEncoder.evaluate: its figures are those of their formulas, over all rows at once."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference

N, D, H = 9000, 12, 40  # more rows than are read at a time


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(H, D)).astype(np.float32)
    weights = W, np.zeros(H, np.float32), (W / 10).astype(np.float32), rng.normal(size=D).astype(np.float32)
    weights[1][:5] = -1e6  # never active
    return weights, (rng.normal(size=(N, D)) + 2).astype(np.float16)


@pytest.mark.parametrize("k", [None, 9])
def test_figures(example, k):
    """Each figure, from dense codes of the twin."""
    weights, X = example
    twin = reference.KSparseEncoder(*weights, k=3)
    codes, rows = twin.dense(X, k), X.astype(np.float64)
    x_hat = codes.astype(np.float64) @ weights[2] + weights[3]
    error, spread = ((x_hat - rows) ** 2).sum(1), ((rows - rows.mean(0)) ** 2).sum(1)
    size = (rows**2).sum(1)
    inner = (rows * x_hat).sum(1)
    wanted = {
        "mse": np.mean((x_hat - rows) ** 2),
        "cosine": np.mean(inner / np.linalg.norm(rows, axis=1) / np.linalg.norm(x_hat, axis=1)),
        "relative_bias": (x_hat**2).sum() / inner.sum(),
        "l0": np.count_nonzero(codes) / N,
        "l1": codes.sum(dtype=np.float64) / N,
        "dead": np.mean((codes > 0).sum(0) == 0),
    }
    encoder = sf.KSparseEncoder(*weights, k=3)
    for fvu, value in {
        "total": error.sum() / spread.sum(),
        "sparsify": error.sum() / spread.sum(),
        "per_sample": np.mean(error / spread),
        "openai": np.mean(error / size),
        "saebench": error.mean() / (size.mean() - np.mean(rows**2) ** 2),
    }.items():
        found = encoder.evaluate(X, k, fvu=fvu)
        assert found["fvu"] == pytest.approx(value, rel=1e-5)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    assert found["dead"] >= 5 / H
    np.testing.assert_allclose(found["density"], np.mean(codes > 0, axis=0), atol=1e-3)


def test_what_is_reconstructed_exactly():
    """No variance is left unexplained, also where there is none; without active latents nothing divides by 0."""
    eye = np.eye(3)
    encoder = sf.KSparseEncoder(eye, np.zeros(3), eye, np.zeros(3), activation="relu")
    for fvu in ("total", "per_sample", "openai", "sparsify", "saebench"):
        assert encoder.evaluate(np.ones((4, 3)), fvu=fvu)["fvu"] == 0.0
    found = encoder.evaluate(-np.ones((4, 3)), fvu="openai")
    assert (found["fvu"], found["cosine"], found["l0"], found["dead"]) == (1.0, 0.0, 0.0, 1.0)


def test_errors(example):
    """Unknown definitions, and what a call refuses."""
    encoder = sf.KSparseEncoder(*example[0], k=3)
    with pytest.raises(ValueError, match=r"fvu must be 'total', .* or 'saebench', got 'r2'"):
        encoder.evaluate(example[1], fvu="r2")
    with pytest.raises(ValueError, match="k must be <= 40"):
        encoder.evaluate(example[1], k=41)
    with pytest.raises(ValueError, match="X must be finite"):
        encoder.evaluate(np.full((3, D), np.nan))
