"""KSparseEncoder.evaluate: figures are those of the twin, from all samples at once, and of their formulas by hand."""

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


FVU = ("total", "per_sample", "openai", "sparsify", "saebench")


def assert_same(found, wanted, rel):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=rel, abs=1e-12), name


@pytest.mark.parametrize("k", [None, 9])
def test_figures(example, k):
    """Those of the twin, of float16 samples; latents that are never active are counted as dead."""
    weights, X = example
    wide = [part.astype(np.float64) for part in weights]
    encoder, twin = sf.KSparseEncoder(*wide, k=3), reference.KSparseEncoder(*wide, k=3)
    for fvu in FVU:
        assert_same(encoder.evaluate(X, k, fvu=fvu), twin.evaluate(X.astype(np.float64), k, fvu=fvu), 1e-9)
    single = sf.KSparseEncoder(*weights, k=3).evaluate(X, k)
    wanted = reference.KSparseEncoder(*weights, k=3).evaluate(X, k)
    np.testing.assert_allclose(single.pop("density"), wanted.pop("density"), atol=1e-3)  # near ties of float32
    assert_same(single, wanted, 1e-5)
    assert single["dead"] >= 5 / H


@pytest.mark.parametrize("normalize", [None, "layer_norm"])
@pytest.mark.parametrize("activation", ["relu", "topk"])
@pytest.mark.parametrize("rows", ["random", "ties", "all alike", "zeros", "one", "short"])
def test_edges(rows, activation, normalize):
    """Equal activations, samples without variance or length, a sample alone: both divide, or do not, alike."""
    rng = np.random.default_rng(3)
    W = rng.integers(-2, 3, (8, 4)).astype(np.float64)
    weights = W, np.repeat([0.5, -1e6], [6, 2]), W / 8, np.zeros(4)
    options = {"activation": activation, "normalize": normalize, "k": 3 if activation == "topk" else None}
    samples = {
        "random": rng.normal(size=(20, 4)),
        "ties": rng.integers(-1, 2, (20, 4)).astype(np.float64),
        "all alike": np.tile([1.0, -2, 0, 4], (5, 1)),
        "zeros": np.zeros((5, 4)),
        "one": np.ones((1, 4)),
        "short": np.array([[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1e-9]]),
    }[rows]
    for fvu in FVU:
        found = sf.KSparseEncoder(*weights, **options).evaluate(samples, fvu=fvu)
        assert_same(found, reference.KSparseEncoder(*weights, **options).evaluate(samples, fvu=fvu), 1e-10)
    assert found["dead"] >= 2 / 8


@pytest.mark.parametrize(
    "kind", [sf.KSparseEncoder, pytest.param(reference.KSparseEncoder, marks=pytest.mark.reference)]
)
def test_figures_by_hand(kind):
    """Two samples, three latents: each figure worked out from its formula."""
    W = np.array([[1.0, 0], [0, 1], [-1, -1]])
    X = np.array([[4.0, 0], [0, 2]])
    encoder = kind(W, np.zeros(3), W / 2, np.zeros(2), activation="relu")  # to halves: errors 2 and 1, mean (2, 1)
    figures = encoder.evaluate(X)
    assert (figures["mse"], figures["cosine"], figures["relative_bias"]) == (1.25, 1, 0.5)
    assert (figures["l0"], figures["l1"], figures["dead"]) == (1, 3, pytest.approx(1 / 3))
    assert figures["density"].tolist() == [0.5, 0.5, 0]
    wanted = {"total": 5 / 10, "sparsify": 5 / 10, "per_sample": (4 / 5 + 1 / 5) / 2, "openai": 1 / 4}
    for fvu, value in (wanted | {"saebench": 2.5 / (10 - 5**2)}).items():
        assert encoder.evaluate(X, fvu=fvu)["fvu"] == pytest.approx(value), fvu


def test_what_is_reconstructed_exactly():
    """No variance is left unexplained, also where there is none; without active latents nothing divides by 0."""
    eye = np.eye(3)
    encoder = sf.KSparseEncoder(eye, np.zeros(3), eye, np.zeros(3), activation="relu")
    for fvu in FVU:
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


def test_sources(example, tmp_path):
    """A source, in blocks of its own, gives the figures of the array to the bit, and is checked as an array is."""
    weights, X = example
    encoder = sf.KSparseEncoder(*weights, k=3)
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    source = sf.open_source(tmp_path / "X.npy", batch_size=1000)
    found, wanted = encoder.evaluate(source, 5, fvu="openai"), encoder.evaluate(X, 5, fvu="openai")
    np.testing.assert_array_equal(found.pop("density"), wanted.pop("density"))
    assert found == wanted
    model = sf.KSparseAutoencoder(H, k=3, max_iter=1, random_state=0).fit(source)
    assert model.score(source) == model.score(X.astype(np.float32))
    with pytest.raises(TypeError, match="X must be samples in memory for this method of KSparseAutoencoder"):
        model.reconstruct(source)
    with pytest.raises(ValueError, match="X must have 12 columns, as the model, got 3"):
        encoder.evaluate(sf.open_source(np.ones((5, 3), np.float32)))
    with pytest.raises(ValueError, match="X must be a source that can be read again"):
        model.evaluate(iter([X]))
    with pytest.raises(ValueError, match="row 2, column 0"):
        encoder.evaluate(sf.open_source(np.where(np.arange(5)[:, None] == 2, np.nan, np.ones((5, D)))))
