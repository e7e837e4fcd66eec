"""Pictures of models with units that have no upper bound, with other losses and with l1."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import plot
from tests.helpers.estimators import patches

X = patches()


@pytest.fixture(name="relu", scope="module")
def _relu():
    return sf.SparseAutoencoder(
        6, hidden="relu", output="linear", beta=0, l1=0.001, loss="huber", max_iter=30, random_state=0
    ).fit(X)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_histogram_reaches_as_far_as_relu_units_do(relu):
    """All activations are counted, and those above 0 are active."""
    codes = 5 * relu.transform(X)
    for ax in (plot.activations(codes, hidden="relu"), plot.activations(sf.Params(5 * relu.params_.W1,
               5 * relu.params_.b1, *relu.params_[2:]), X, hidden="relu")):  # fmt: skip
        assert ax.get_xlim() == (0, pytest.approx(codes.max()))
        assert ax.patches[0].get_data().values.sum() == codes.size
        assert texts(ax) == [f"{100 * np.mean(codes > 0):.1f} % active (> 0)"]
    assert plot.activations(relu, X, threshold=1.5).texts[0].get_text().endswith("(> 1.5)")
    with pytest.raises(ValueError, match=r"codes must be in \[0, 1\]"):
        plot.activations(codes + 1)
    with pytest.raises(ValueError, match="codes must be >= 0, got -1"):
        plot.activations(codes - 1, hidden="relu")
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\), got 1.5"):
        plot.activations([[0.5]], threshold=1.5)


def test_mean_activations_of_relu_units_have_no_wanted_one(relu):
    """Means are drawn as they are, dead units marked, without the line of rho."""
    relu.params_.b1[0] += 10
    for ax in (plot.mean_activations(relu), plot.mean_activations(relu, X)):
        assert not any("rho$ =" in text for text in texts(ax))
    assert plot.mean_activations(relu, X).get_ylim()[1] > 10
    relu.params_.b1[0] -= 10
    assert plot.mean_activations([0.5, 7.0], hidden="relu").get_ylim()[1] > 7
    with pytest.raises(ValueError, match=r"mean activations must be in \[0, 1\]"):
        plot.mean_activations([0.5, 7.0])


def test_no_penalty_curve_of_relu_units(relu):
    """KL is for units whose mean activation has an upper bound."""
    with pytest.raises(ValueError, match=r"rho must be a model with units whose mean .* upper bound, got 'relu'"):
        plot.kl_penalty(relu)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, {"reconstruction", "weight decay", "sparsity"}),
        ({"l1": 0.01}, {"reconstruction", "weight decay", "sparsity (KL, L1)"}),
        ({"l1": 0.01, "beta": 0, "loss": "cross_entropy"}, {"cross-entropy loss", "weight decay", "sparsity (L1)"}),
        ({"beta": 0, "loss": "absolute"}, {"absolute loss", "weight decay"}),
    ],
)
@pytest.mark.parametrize("kind", ["lines", "stacked"])
def test_curves_say_what_they_are_of(options, labels, kind):
    """The parts of J are named by the loss and the penalties that the model was fitted with."""
    model = sf.SparseAutoencoder(6, rho=0.2, max_iter=20, random_state=0, **options).fit(X)
    assert set(texts(plot.loss(model, kind=kind))) == labels | {"$J$"}


@pytest.mark.parametrize("kind", ["lines", "stacked"])
def test_curves_with_gaps(kind):
    """Epochs whose penalty was infinite are gaps in the curve, and the rest of it sets the scale."""
    model = sf.SparseAutoencoder(6, rho=0.2, max_iter=20, random_state=0, solver="adam").fit(X)
    model.loss_curve_[[3, 19]] = model.loss_parts_[[3, 19], 2] = np.inf
    ax = plot.loss(model, kind=kind)
    assert np.isfinite(ax.get_ylim()).all()
    ax.figure.canvas.draw()


def test_summaries(relu):
    """The summary has what matters to the units: l1 and the loss, and neither rho nor beta for relu."""
    figure = plot.summary(relu, X, shape=(3, 4))
    title = figure.get_suptitle()
    assert "L1 = 0.001" in title
    assert "huber loss" in title
    assert "rho" not in title
    figure.canvas.draw()
    stack = sf.StackedAutoencoder((6, 4), hidden="relu", output="linear", beta=0, l1=0.001, max_iter=10,
                                  fine_tune_max_iter=5, random_state=0).fit(X)  # fmt: skip
    plot.summary(stack, X, shape=(3, 4)).canvas.draw()
