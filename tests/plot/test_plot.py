"""Plots: what is drawn, on what, and the errors."""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import sae_fast as sf
from sae_fast import plot
from sae_fast.plot._style import _apart
from tests.helpers.estimators import model, patches
from tests.helpers.networks import make


@pytest.fixture(name="fitted", scope="module")
def _fitted():
    return model().fit(patches())


def pixels(ax):
    return np.ma.filled(ax.images[0].get_array().astype(float), np.nan)


# Filters


def test_filters_shows_one_tile_per_unit():
    """Each tile is the unit's weights, divided by the largest; lines between tiles and unused tiles are empty."""
    params = sf.init_params(12, 5, random_state=0)
    grid = pixels(plot.filters(params, shape=(3, 4), n_columns=3))
    rows, columns = 3 * 6, 4 * 6  # each weight is a square of 6 x 6
    assert grid.shape == (2 * (rows + 1) + 1, 3 * (columns + 1) + 1)
    for unit, W in enumerate(params.W1):
        top, left = (unit // 3) * (rows + 1) + 1, (unit % 3) * (columns + 1) + 1
        wanted = (W.reshape(3, 4) / np.abs(W).max()).repeat(6, axis=0).repeat(6, axis=1)
        np.testing.assert_allclose(grid[top : top + rows, left : left + columns], wanted)
    assert np.isnan(grid[:: rows + 1]).all()
    assert np.isnan(grid[:, :: columns + 1]).all()
    assert np.isnan(grid[rows + 1 :, 2 * (columns + 1) :]).all()


@pytest.mark.parametrize("channels_last", [True, False])
def test_colour_filters(channels_last):
    """Colour is one picture whichever the order of the channels; 0 is mid-grey, lines are transparent."""
    W = np.random.default_rng(0).normal(size=(2, 4, 5, 3))
    W[0, 0, 0] = 0
    flat = (W if channels_last else np.moveaxis(W, -1, 1)).reshape(2, -1)
    grid = pixels(plot.filters(flat, shape=(4, 5, 3) if channels_last else (3, 4, 5)))
    zoom = 5
    np.testing.assert_array_equal(grid[1, 1], (0.5, 0.5, 0.5, 1))
    tile = grid[1 : 1 + 4 * zoom : zoom, 1 : 1 + 5 * zoom : zoom]
    np.testing.assert_allclose(tile[..., :3], 0.5 + 0.5 * W[0] / np.abs(W[0]).max())
    assert (grid[0, :, 3] == 0).all()


def test_filters_take_models_arrays_and_axes(fitted):
    """A fitted model, an array, a plain tuple and axes of the user's own are taken; zeros do not divide by zero."""
    own = Figure().add_subplot()
    assert plot.filters(fitted, shape=(3, 4), ax=own) is own
    params = sf.init_params(9, 3, random_state=0)
    for same in (params, tuple(params), list(params), params.W1, params.W1.tolist()):
        np.testing.assert_array_equal(pixels(plot.filters(same)), pixels(plot.filters(params)))
    assert np.nanmax(np.abs(pixels(plot.filters(np.zeros((2, 4)))))) == 0


def test_deeper_filters_are_combinations_of_the_first():
    """Of a list of weights, pairs or models, a layer shows the product of the weights up to it."""
    first, second = sf.init_params(9, 4, random_state=0), sf.init_params(4, 5, random_state=1)
    wanted = pixels(plot.filters(second.W1 @ first.W1))
    chains = (
        [first.W1, second.W1],
        [(first.W1, first.b1), (second.W1, second.b1)],
        [first, second],
    )
    for chain in chains:
        np.testing.assert_allclose(pixels(plot.filters(chain)), wanted)
        np.testing.assert_allclose(pixels(plot.filters(chain, layer=0)), pixels(plot.filters(first)))
    with pytest.raises(ValueError, match=r"layer must be in 0\.\.1 \(or count from the end\), got 2"):
        plot.filters(chains[0], layer=2)
    with pytest.raises(ValueError, match=r"each layer must take what the one before gives: \(4, 9\), then \(4, 9\)"):
        plot.filters([first.W1, first.W1])


def test_inverse_takes_filters_back_to_pixels():
    """A matrix multiplies from the right; a whitener gives its linear part, without the mean it adds."""
    X = np.random.default_rng(0).normal(3, 1, (200, 9)) * np.arange(1, 10)
    whitener = PCA(4, whiten=True).fit(X)
    W = np.random.default_rng(1).normal(size=(3, 4))
    matrix = whitener.components_ * np.sqrt(whitener.explained_variance_)[:, None]
    wanted = pixels(plot.filters(W @ matrix))
    np.testing.assert_allclose(pixels(plot.filters(W, inverse=matrix)), wanted)
    np.testing.assert_allclose(pixels(plot.filters(W, inverse=whitener)), wanted, atol=1e-12)
    with pytest.raises(ValueError, match=r"inverse must have shape \(4, n_pixels\), got \(9, 9\)"):
        plot.filters(W, inverse=np.eye(9))


def test_units_and_contrast():
    """Chosen units in their order; with common contrast a weak unit is pale."""
    W = np.array([[1.0, -1, 1, 1], [0.1, 0.1, -0.1, 0.1]])
    np.testing.assert_array_equal(pixels(plot.filters(W, units=[1])), pixels(plot.filters(W[1:])))
    assert np.nanmax(pixels(plot.filters(W, units=[1, 0], n_columns=1))[:25]) == 1
    assert np.nanmax(pixels(plot.filters(W, units=[1, 0], n_columns=1, contrast="all"))[:25]) == 0.1


@pytest.mark.parametrize("n_units", [1, 25, 196, 500])
@pytest.mark.parametrize("side", [8, 28])
def test_new_figures_show_whole_pixels(n_units, side):
    """On a new figure each pixel of the grid covers a whole number of dots, so that lines are equally wide."""
    ax = plot.filters(np.ones((n_units, side * side)))
    ax.figure.draw_without_rendering()
    dots = ax.get_window_extent().width / pixels(ax).shape[1]
    assert dots == pytest.approx(round(dots), abs=1e-3)
    assert dots >= 1
    assert max(ax.figure.get_size_inches()) <= 7.5


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        (np.ones((2, 5)), {}, "shape must be given: 5 weights do not fill a square"),
        (np.ones((2, 4)), {"shape": (3, 2)}, r"shape must be \(rows, columns\) or .* with 4 pixels, got \(3, 2\)"),
        (np.ones((2, 4)), {"shape": 4}, "shape must be .* got 4"),
        (np.ones((2, 16)), {"shape": (2, 4, 2)}, r"shape must have 3 channels, last or first, got \(2, 4, 2\)"),
        (np.ones((2, 4)), {"n_columns": 0}, "n_columns must be >= 1, got 0"),
        (np.ones((2, 4)), {"units": [2]}, r"units must be in 0\.\.1, got 2"),
        (np.ones((2, 4)), {"units": []}, r"units must be a list of unit numbers, got \[\]"),
        (np.ones((2, 4)), {"contrast": "high"}, "contrast must be 'unit' or 'all', got 'high'"),
        (np.full((2, 4), np.nan), {}, "the weights of model must be finite"),
        (np.ones(4), {}, r"model must have weights of shape \(n_hidden, n_visible\), got \(4,\)"),
        ([], {}, "model must have weights of shape"),
    ],
)
def test_wrong_filters(weights, options, message):
    """What cannot be drawn is an error that says what was wanted."""
    with pytest.raises(ValueError, match=message):
        plot.filters(weights, **options)


def test_what_is_no_model():
    """Other things are a TypeError, an estimator that is not fitted says so."""
    with pytest.raises(TypeError, match="model must be a fitted model, Params or an array of weights, got str"):
        plot.filters("weights")
    with pytest.raises(NotFittedError):
        plot.filters(model())
    with pytest.raises(TypeError, match="model must be a fitted model or History, got str"):
        plot.loss("history")
    with pytest.raises(TypeError, match="model must be a fitted model or Params, got str"):
        plot.latent("codes", patches())
    with pytest.raises(TypeError, match="can reconstruct"):
        plot.reconstructions("model", patches())


# Cost


def test_loss_draws_the_curve_and_its_parts(fitted):
    """J and its parts over iterations, named at their ends, whose heights keep apart."""
    ax = plot.loss(fitted)
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_array_equal(lines["$J$"], fitted.loss_curve_)
    for i, name in enumerate(("reconstruction", "weight decay", "sparsity")):
        np.testing.assert_array_equal(lines[name], fitted.loss_parts_[:, i])
    assert {text.get_text() for text in ax.texts} == set(lines)
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert min(np.diff(heights)) > 0.04
    assert 0 <= heights[0] <= heights[-1] <= 1
    assert ax.get_xlabel() == "iteration of L-BFGS"
    assert ax.get_yscale() == "log"


def test_names_at_the_edge_move_as_little_as_they_must():
    """Far ones stay; near ones share the move; all end within the axes."""
    np.testing.assert_allclose(_apart([0.1, 0.5, 0.9], 0.1), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(_apart([0.5, 0.5, 0.9], 0.1), [0.45, 0.55, 0.9])
    np.testing.assert_allclose(_apart([0.98, 1.3], 0.1), [0.9, 1.0])
    np.testing.assert_allclose(_apart([-3.0, 0.0], 0.1), [0.0, 0.1])


def test_stacked_loss_adds_up(fitted):
    """Areas are the parts one upon the other, and their top is J; the scale is linear."""
    ax = plot.loss(fitted, kind="stacked")
    third = [area.get_paths()[0].vertices for area in ax.collections]
    tops = [corners[corners[:, 0] == 3, 1].max() for corners in third]
    np.testing.assert_allclose(tops, np.cumsum(fitted.loss_parts_[2]))
    assert tops[2] == pytest.approx(fitted.loss_curve_[2])
    assert ax.get_yscale() == "linear"
    with pytest.raises(ValueError, match="scale must be 'linear' for stacked areas"):
        plot.loss(fitted, kind="stacked", scale="log")


def test_loss_of_epochs_validation_and_stacks():
    """Epochs, a validation curve, a History, a single epoch, and layers of a stack."""
    early = model(solver="adam", early_stopping=True, max_iter=5).fit(patches())
    ax = plot.loss(early, scale="linear")
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_array_equal(lines["validation"], early.validation_curve_)
    assert ax.get_xlabel() == "epoch"
    params, X = make(50, 9, 4)
    _, history = sf.train(params, X, n_epochs=1, beta=0.0, weight_decay=0.0)
    only = plot.loss(history)
    assert [line.get_marker() for line in only.lines] == ["o"] * len(only.lines)
    assert "sparsity" not in {line.get_label() for line in only.lines}

    class Stack:
        loss_curves_ = (np.array([3.0, 2.0]), np.array([5.0, 4.0, 1.0]))

    stack = plot.loss(Stack())
    assert [line.get_label() for line in stack.lines] == ["layer 1", "layer 2"]
    with pytest.raises(ValueError, match="kind must be 'lines' for a model without the parts"):
        plot.loss(Stack(), kind="stacked")
    with pytest.raises(ValueError, match="at least one iteration"):
        plot.loss(history._replace(cost=np.empty(0)))
    with pytest.raises(ValueError, match="scale must be 'log', 'linear' or None, got 'square'"):
        plot.loss(history, scale="square")
    with pytest.raises(ValueError, match="kind must be 'lines' or 'stacked', got 'pie'"):
        plot.loss(history, kind="pie")


# Units


def test_mean_activations_are_sorted_beside_rho(fitted):
    """The model's rho_hat, largest first, with a line at rho."""
    ax = plot.mean_activations(fitted)
    line, units = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), [0.2, 0.2])
    np.testing.assert_array_equal(units.get_ydata(), np.sort(fitted.rho_hat_)[::-1])
    measured = plot.mean_activations(fitted, patches()[:50]).lines[1].get_ydata()
    np.testing.assert_allclose(measured, np.sort(fitted.transform(patches()[:50]).mean(axis=0))[::-1])


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh"])
def test_dead_and_saturated_units_are_marked(hidden):
    """Units that never, and that always fire have marks of their own, with their number in the legend."""
    params, X = make(60, 9, 5)
    params.b1[:] = (-40, -40, 40, 0, 0)
    ax = plot.mean_activations(params, X, rho=0.1, hidden=hidden)
    marks = {line.get_label(): len(line.get_ydata()) for line in ax.lines}
    assert {"dead (2)", "saturated (1)", "ok (2)"} <= set(marks)
    assert marks["dead (2)"] == 2
    assert {text.get_text() for text in ax.get_legend().get_texts()} >= {"dead (2)", "saturated (1)"}


@pytest.mark.parametrize(
    ("means", "message"),
    [
        ([0.1, 1.5], r"mean activations must be in \[0, 1\], got 0\.1 to 1\.5"),
        ([np.nan], "mean activations must be finite"),
        ([], r"mean activations must have shape \(n_hidden,\), got \(0,\)"),
        (sf.init_params(4, 2, random_state=0), "X must be given: weights alone do not tell mean activations"),
    ],
)
def test_wrong_mean_activations(means, message):
    """What are no mean activations is an error."""
    with pytest.raises(ValueError, match=message):
        plot.mean_activations(means)


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh"])
def test_activations_counts_every_code(hidden):
    """The histogram holds each code once, mapped to [0, 1]; the share of active ones is named."""
    params, X = make(70, 9, 5, scale=3.0)
    ax = plot.activations(params, X, hidden=hidden, threshold=0.5)
    s = sf.encode(params, X, hidden=hidden)
    s = (s + 1) / 2 if hidden == "tanh" else s
    counts = ax.patches[0].get_data().values
    np.testing.assert_array_equal(counts, np.histogram(s, 50, (0, 1))[0])
    assert counts.sum() == s.size
    assert ax.texts[0].get_text() == f"{100 * np.mean(s > 0.5):.1f} % active (> 0.5)"
    assert ax.get_yscale() == "log"


def test_wrong_activations():
    """Codes outside [0, 1], and a threshold that none or all could pass, are errors."""
    with pytest.raises(ValueError, match=r"codes must be in \[0, 1\], got -1 to 0"):
        plot.activations([[-1.0, 0.0]])
    with pytest.raises(ValueError, match=r"codes must have shape \(n_samples, n_hidden\), got \(2,\)"):
        plot.activations([0.5, 0.5])
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\), got 1"):
        plot.activations([[0.5]], threshold=1)


def test_kl_penalty_is_that_of_the_cost(fitted):
    """The curve through a model's units is the sparsity part of its J; its minimum is 0 at rho."""
    ax = plot.kl_penalty(fitted)
    curve, _, units = ax.lines
    at = np.argmin(curve.get_ydata())
    assert curve.get_xdata()[at] == fitted.rho
    assert curve.get_ydata()[at] == 0
    np.testing.assert_array_equal(units.get_xdata(), fitted.rho_hat_)
    assert units.get_ydata().sum() == pytest.approx(fitted.cost_.sparsity, rel=1e-6)
    assert len(plot.kl_penalty((0.1, 0.2), beta=2).get_legend().get_texts()) == 2
    with pytest.raises(ValueError, match=r"rho must be in \(0, 1\), got 1"):
        plot.kl_penalty([0.5, 1])
    with pytest.raises(ValueError, match="beta must be >= 0 and finite, got -1"):
        plot.kl_penalty(0.5, beta=-1)


# Samples


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_reconstructions_are_the_samples_theirs_and_the_difference(output):
    """Three rows of pictures, and half the squared error of each column below."""
    params, X = make(7, 16, 5)
    ax = plot.reconstructions(params, X, n_samples=4, output=output)
    a3 = sf.forward(params, X[:4], output=output).a3
    shown = np.array([image.get_array() for image in ax.images]).reshape(3, 4, 16)
    np.testing.assert_allclose(shown, [X[:4], a3, a3 - X[:4]], atol=1e-15)
    errors = [float(text.get_text()) for text in ax.get_xticklabels()]
    np.testing.assert_allclose(errors, 0.5 * ((a3 - X[:4]) ** 2).sum(axis=1), rtol=0.02)


def test_reconstructions_of_other_models(fitted):
    """Colour, PCA and data frames are taken; fewer samples than asked for are fine."""
    X = np.random.default_rng(0).uniform(0, 1, (5, 12))
    assert len(plot.reconstructions(PCA(2).fit(X), X, shape=(2, 2, 3)).images) == 15
    frame = pd.DataFrame(patches(), columns=[f"x{i}" for i in range(12)])
    named = model(max_iter=3).fit(frame)
    assert len(plot.reconstructions(named, frame, n_samples=2, shape=(3, 4)).images) == 6
    with pytest.raises(ValueError, match="shape must be given: 12 features do not fill a square"):
        plot.reconstructions(fitted, patches())
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_visible\), got \(12,\)"):
        plot.reconstructions(fitted, X[0])
    with pytest.raises(ValueError, match="X must be finite"):
        plot.reconstructions(fitted, X * np.nan)


def test_latent_draws_two_units_or_principal_components():
    """Two codes are drawn as they are; of more, scikit-learn's principal components, up to sign."""
    params, X = make(60, 9, 5)
    codes = sf.encode(params, X)
    np.testing.assert_array_equal(plot.latent(codes[:, :2]).collections[0].get_offsets(), codes[:, :2])
    np.testing.assert_array_equal(plot.latent(params, X, units=(4, 1)).collections[0].get_offsets(), codes[:, [4, 1]])
    ax = plot.latent(params, X)
    pca = PCA(2).fit(codes)
    np.testing.assert_allclose(np.abs(ax.collections[0].get_offsets()), np.abs(pca.transform(codes)), atol=1e-12)
    assert ax.get_xlabel() == f"PC 1 ({100 * pca.explained_variance_ratio_[0]:.0f} % of variance)"
    assert len(plot.latent(params, X, max_points=7).collections[0].get_offsets()) == 7
    assert np.isfinite(plot.latent(np.zeros((3, 3))).collections[0].get_offsets()).all()


def test_latent_labels():
    """Few whole numbers and text are classes, named at their medians; other numbers get a colour bar."""
    codes = np.random.default_rng(0).uniform(size=(40, 2))
    words = np.where(codes[:, 0] > 0.5, "right", "left")
    ax = plot.latent(codes, y=words)
    assert [text.get_text() for text in ax.texts] == ["left", "right"]
    np.testing.assert_allclose(ax.texts[1].get_position(), np.median(codes[words == "right"], axis=0))
    colours = ax.collections[0].get_facecolor()
    assert len(np.unique(colours[words == "left"], axis=0)) == 1
    assert [text.get_text() for text in plot.latent(codes, y=np.arange(40) % 3 * 1.0).texts] == ["0", "1", "2"]
    assert len(plot.latent(codes, y=codes[:, 0]).figure.axes) == 2


@pytest.mark.parametrize(
    ("codes", "options", "message"),
    [
        (np.ones((3, 1)), {}, r"codes must have at least 2 columns, got shape \(3, 1\)"),
        (np.ones((3, 2)) * np.inf, {}, "codes must be finite"),
        (np.ones((3, 2)), {"y": [1, 2]}, r"y must have shape \(3,\), a label for each sample, got \(2,\)"),
        (np.ones((3, 2)), {"y": [1, 2, np.nan]}, "y must be finite"),
        (np.ones((3, 2)), {"units": (0, 2)}, r"units must be two in 0\.\.1, got \(0, 2\)"),
        (np.ones((3, 2)), {"max_points": 0}, "max_points must be >= 1, got 0"),
    ],
)
def test_wrong_latent(codes, options, message):
    """Codes of one unit, labels that do not fit and unknown units are errors."""
    with pytest.raises(ValueError, match=message):
        plot.latent(codes, **options)


# Summary


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def test_summary_draws_what_makes_sense(fitted):
    """Pictures need a shape, samples bring theirs, one unit has no plane; what is left out does not fail."""
    X = patches()
    assert titles(plot.summary(fitted)) == ["Cost", "Mean activations"]
    assert titles(plot.summary(fitted, shape=(3, 4))) == ["Filters", "Cost", "Mean activations"]
    everything = ["Filters", "Cost", "Mean activations", "Activations", "Codes", "Reconstructions"]
    assert titles(plot.summary(fitted, X, np.arange(300) % 2, shape=(3, 4))) == everything
    single = model(n_components=1, max_iter=5).fit(X)
    assert titles(plot.summary(single, X)) == ["Cost", "Mean activations", "Activations"]
    assert titles(plot.summary(sf.init_params(9, 4, random_state=0))) == ["Filters"]
    with pytest.raises(ValueError, match="model must have a cost curve or filters to draw"):
        plot.summary(sf.init_params(10, 4, random_state=0))
    with pytest.raises(ValueError, match="shape must be"):
        plot.summary(fitted, shape=(5, 5))


def test_summary_tells_the_numbers_and_takes_a_figure(fitted):
    """The headline has sizes, settings and J; a figure or a part of one of the user's own is drawn on."""
    own = Figure(layout="constrained")
    left, right = own.subfigures(1, 2)
    assert plot.summary(fitted, patches(), figure=left) is left
    own.draw_without_rendering()
    assert len(titles(own)) == 4
    assert all(ax.get_window_extent().x1 < right.bbox.x0 for ax in own.axes)
    text = left._suptitle.get_text()
    for part in (r"12 $\rightarrow$ 6 units, sigmoid / sigmoid", r"$\rho$ = 0.2", f"{fitted.cost_.total:.5g}"):
        assert part in text


# Style and files


def test_settings_of_the_user_stay_and_do_not_matter(fitted, tmp_path):
    """A caller's dark style changes nothing in the pictures, and is there after them; no pyplot figure is left."""
    light, dark = tmp_path / "light.png", tmp_path / "dark.png"
    plot.save(plot.summary(fitted, patches(), shape=(3, 4)), light)
    with matplotlib.style.context("dark_background"):
        before = dict(matplotlib.rcParams)
        plot.save(plot.summary(fitted, patches(), shape=(3, 4)), dark)
        assert dict(matplotlib.rcParams) == before
    assert light.read_bytes() == dark.read_bytes()


def test_no_display_and_no_pyplot():
    """Drawing and saving need no display, and do not import pyplot."""
    code = (
        "import sys, tempfile, sae_fast as sf\n"
        "ax = sf.plot.filters(sf.init_params(9, 4, random_state=0))\n"
        "sf.plot.save(ax, tempfile.mkdtemp() + '/f.png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "MPLBACKEND")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")]
)
def test_files_are_of_their_kind_and_the_same_each_time(suffix, start, tmp_path):
    """Each ending gives its kind of file; the same picture gives the same bytes."""
    params = sf.init_params(9, 4, random_state=0)
    files = [tmp_path / f"{i}{suffix}" for i in range(2)]
    for file in files:
        plot.save(plot.filters(params), file)
    assert files[0].read_bytes().startswith(start)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_failed_save_leaves_what_was_there(tmp_path):
    """A picture that cannot be drawn neither replaces the old file nor leaves a part of a new one."""
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    ax = plot.filters(sf.init_params(9, 4, random_state=0))
    ax.set_title("$\\nosuchsymbol$")
    with pytest.raises(ValueError, match="nosuchsymbol"):
        plot.save(ax, path)
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]
    assert path.read_bytes() == b"old"
    with pytest.raises(ValueError, match=r"the name of a picture must end in \.png, \.pdf, \.svg, got 'x\.gif'"):
        plot.save(ax, "x.gif")
    with pytest.raises(ValueError, match=r"dpi must be in \[10, 1200\], got 0"):
        plot.save(ax, path, dpi=0)
    with pytest.raises(FileNotFoundError):
        plot.save(ax, tmp_path / "no" / "x.png")


def test_names_of_classes_do_not_hide_each_other():
    """Two classes with the same median are named at two places."""
    points = np.random.default_rng(0).normal(size=(400, 2))
    ax = plot.latent(points, y=np.arange(400) % 2)
    first, second = (np.array(text.get_position()) for text in ax.texts)
    assert np.linalg.norm(first - second) >= 0.06 * np.ptp(points, axis=0).max() * 0.999


def test_errors_that_overflow_are_named():
    """Samples whose reconstruction errors are infinite give a ValueError that says so."""
    with pytest.raises(ValueError, match="X must have reconstruction errors that float64 holds, got infinity"):
        sf.plot.reconstructions(sf.init_params(16, 4, random_state=0), np.full((3, 16), 1e200))


@pytest.mark.parametrize("draw", [plot.reconstructions, plot.activations, plot.latent, plot.summary])
def test_no_samples_is_an_error(draw, fitted):
    """Nothing to draw is said in so many words, for models and bare parameters."""
    nothing = np.empty((0, fitted.n_features_in_))
    for one in (fitted, fitted.params_):
        with pytest.raises(
            ValueError,
            match=r"X must (hold at least one sample, got none|have shape \(n_samples, n_visible\), got \(0, 12\))",
        ):
            draw(one, nothing)
