"""Plots: what is drawn, and the errors."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import sae_fast as sf

from .test_estimator import model, patches


def test_filters_shows_one_tile_per_unit():
    """Each tile is the unit's weights, divided by the largest; lines between tiles are empty."""
    params = sf.init_params(12, 5, random_state=0)
    ax = sf.plot.filters(params, shape=(3, 4), n_columns=3)
    grid = np.ma.getdata(ax.images[0].get_array())
    assert grid.shape == (2 * 4 + 1, 3 * 5 + 1)
    tile = params.W1[4].reshape(3, 4) / np.abs(params.W1[4]).max()
    np.testing.assert_allclose(grid[5:8, 6:10], tile)
    assert np.isnan(grid[5:8, 11:15]).all()
    assert np.isnan(grid[4]).all()


def test_filters_takes_models_arrays_and_axes():
    """A fitted model, an array and axes of the user's own are taken; zero weights do not divide by zero."""
    fitted = model(n_components=4).fit(np.tile(patches(), 3)[:, :36])
    own = Figure().add_subplot()
    assert sf.plot.filters(fitted, ax=own) is own
    assert np.nanmax(np.abs(sf.plot.filters(np.zeros((2, 4))).images[0].get_array())) == 0


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        (np.ones((2, 5)), {}, "shape must be given: 5 weights do not fill a square tile"),
        (np.ones((2, 4)), {"shape": (3, 2)}, r"shape must have 4 pixels, got \(3, 2\)"),
        (np.ones((2, 4)), {"n_columns": 0}, "n_columns must be >= 1, got 0"),
        (np.ones(4), {}, r"model must have weights of shape \(n_hidden, n_visible\), got \(4,\)"),
    ],
)
def test_wrong_filters(weights, options, message):
    """What cannot be drawn is an error that says what was wanted."""
    with pytest.raises(ValueError, match=message):
        sf.plot.filters(weights, **options)


def test_loss_draws_the_curve_and_its_parts(tmp_path):
    """J and its parts over iterations; the picture can be saved."""
    fitted = model().fit(patches())
    ax = sf.plot.loss(fitted)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), fitted.loss_curve_)
    assert [line.get_label() for line in ax.lines] == ["J", "reconstruction", "weight decay", "sparsity"]
    assert ax.get_xlabel() == "iteration"
    ax.figure.savefig(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").stat().st_size > 1000
