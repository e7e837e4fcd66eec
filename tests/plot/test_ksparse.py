"""Plots of k-sparse codes: what they draw is what was measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import plot
from sae_fast.ksparse._compare import KSparseRow

RNG = np.random.default_rng(5)
W = RNG.normal(size=(40, 6))
ENCODER = sf.KSparseEncoder(W, np.full(40, -0.1), W, np.zeros(6), k=3)
X = RNG.normal(size=(300, 6))


def bars(ax):
    """Heights and edges of the histogram."""
    data = ax.patches[0].get_data()
    return data.values, data.edges


def listed(ax):
    """The lines beside it."""
    return ax.texts[-1].get_text().splitlines()


def test_densities():
    """Each latent that is alive is in one bar, at its density; dead ones are named."""
    wanted = ENCODER.evaluate(X)["density"]
    wanted[:2] = 0
    ax = plot.densities(wanted)
    heights, edges = bars(ax)
    assert heights.sum() == np.sum(wanted > 0)
    np.testing.assert_array_equal(heights, np.histogram(wanted[wanted > 0], edges)[0])
    assert f"{np.sum(wanted == 0)} of 40 latents dead" in [text.get_text() for text in ax.texts]
    np.testing.assert_array_equal(
        bars(plot.densities(ENCODER, X))[0], bars(plot.densities(ENCODER.evaluate(X)["density"]))[0]
    )


def test_densities_of_files_and_of_another_k(tmp_path):
    """Samples may be a file; k is that of the call."""
    np.save(tmp_path / "X.npy", X)
    found = bars(plot.densities(ENCODER, tmp_path / "X.npy", k=1))
    wanted = bars(plot.densities(ENCODER.evaluate(X, k=1)["density"]))
    np.testing.assert_array_equal(found[0], wanted[0])


@pytest.mark.parametrize("value", [1.0, 0.1, 0.01, 1e-7])
def test_densities_at_the_edges(value):
    """Powers of ten, and those of all samples, are not lost by rounding."""
    assert bars(plot.densities([value, value]))[0].sum() == 2


def test_all_dead():
    """There is a picture, of nothing."""
    ax = plot.densities(np.zeros(3))
    assert bars(ax)[0].sum() == 0
    assert ax.texts[0].get_text() == "3 of 3 latents dead"


def test_dead_latents():
    """A line for each, in per cent; of a model as of its history."""
    model = sf.KSparseAutoencoder(24, k=2, max_iter=3, batch_size=64, random_state=0).fit(X)
    single = plot.dead_latents(model)
    np.testing.assert_allclose(single.lines[0].get_ydata(), 100 * model.history_["dead"])
    ax = plot.dead_latents({"a": model, "b": {"dead": [0.5]}})
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert {text.get_text() for text in ax.texts} == {"a", "b"}
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [50.0])


def test_pareto():
    """Points of each model by L0, PCA where it takes as many bytes; hollow where another one has less of both."""
    rows = [
        KSparseRow("good", 8, 64.0, l0=8.0, fvu=0.1),
        KSparseRow("good", 4, 32.0, l0=4.0, fvu=0.3),
        KSparseRow("bad", 8, 64.0, l0=8.0, fvu=0.3),
        KSparseRow("bad", 2, 16.0, l0=2.0, fvu=0.6),
        KSparseRow("PCA", 16, 64.0, fvu=0.2),
        KSparseRow("dense", 64, 256.0),
    ]
    ax = plot.pareto(sf.KSparseComparison(rows, 100, "total"))
    curves = {str(line.get_label()): line for line in ax.lines if not str(line.get_label()).startswith("_")}
    assert set(curves) == {"good", "bad"}
    np.testing.assert_array_equal(curves["good"].get_xydata(), [[4, 0.3], [8, 0.1]])
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), [[8, 0.2]])
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    hollow = np.vstack([line.get_xydata() for line in marks if line.get_markerfacecolor() == "white"])
    np.testing.assert_array_equal(hollow, [[8, 0.3]])
    assert ax.get_yscale() == "log"
    rows[0] = rows[0]._replace(fvu=-0.5)  # "saebench" may be
    assert plot.pareto(sf.KSparseComparison(rows, 100, "saebench")).get_yscale() == "linear"


def test_one_latent():
    """All activations are in the histogram, the largest are listed; texts are not taken for formulas."""
    values = ENCODER(X).toarray()[:, 7]
    order = np.argsort(-values, kind="stable")[:8]
    ax = plot.latent(ENCODER, X, latent=7)
    heights, edges = bars(ax)
    np.testing.assert_array_equal(heights, np.histogram(values[values > 0], edges)[0])
    assert listed(ax) == [f"{values[row]:#.3g}  row {row}" for row in order]
    texts = [f"${row}\x1b_\n{'long ' * 30}" for row in range(len(X))]
    ax = plot.latent(ENCODER, X, latent=7, texts=texts)
    assert all(line.split("  ")[1].startswith(f"${row}_ long") for line, row in zip(listed(ax), order, strict=True))
    assert max(map(len, listed(ax))) < 70
    ax.get_figure().canvas.draw()


def test_a_latent_that_nothing_excites():
    """It has a picture, which says so."""
    silent = sf.KSparseEncoder(W, np.r_[-99.0, np.zeros(39)], W, np.zeros(6), k=3)
    ax = plot.latent(silent, X, latent=0)
    assert "excited by 0 % of 300 samples" in ax.get_title(loc="left")
    assert bars(ax)[0].sum() == 0


@pytest.mark.parametrize(
    ("draw", "error", "words"),
    [
        (lambda: plot.densities(ENCODER), ValueError, "X must be given"),
        (lambda: plot.densities([0.5, 1.5]), ValueError, r"densities must be in \[0, 1\], got 0.5 to 1.5"),
        (lambda: plot.densities([0.5, math.nan]), ValueError, "densities must be finite"),
        (lambda: plot.densities("model"), TypeError, "model must be a fitted k-sparse model or an array of densities"),
        (lambda: plot.densities([[0.5]]), ValueError, r"densities must have shape \(n_latents,\), got \(1, 1\)"),
        (lambda: plot.dead_latents(ENCODER), TypeError, "a KSparseEncoder has no history"),
        (lambda: plot.dead_latents([0.5]), TypeError, "models must be fitted KSparseAutoencoders"),
        (lambda: plot.dead_latents({}), ValueError, "models must hold at least one model"),
        (lambda: plot.dead_latents({"dead": []}), ValueError, "at least one epoch"),
        (lambda: plot.pareto([1]), TypeError, "comparison must be what compare_k_sparse gives, got list"),
        (lambda: plot.pareto(sf.KSparseComparison([], 1, "total")), ValueError, "comparison must have a code"),
        (
            lambda: plot.latent(ENCODER, X),
            ValueError,
            r"latent must be given for a k-sparse model: which one, in 0..39",
        ),
        (lambda: plot.latent(ENCODER, latent=3), ValueError, "X must be given"),
        (lambda: plot.latent(ENCODER, X, latent=40), ValueError, "latent must be in 0..39, got 40"),
        (lambda: plot.latent(ENCODER, X, latent=3, texts=["a"]), ValueError, "each of the 300 samples, got 1"),
        (lambda: plot.latent(ENCODER, X, np.ones(300), latent=3), ValueError, "y and units are not for one latent"),
        (lambda: plot.latent(W, X, latent=3), TypeError, "model must be a KSparseEncoder"),
    ],
)
def test_errors(draw, error, words):
    """They name the argument."""
    with pytest.raises(error, match=words):
        draw()
