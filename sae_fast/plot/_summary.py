"""One figure that tells how a model is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..network._types import Hidden, Output
from ..network._units import UNITS
from ._filters import filters
from ._inputs import Shape, as_pictures, chain_of, hidden_of, weights
from ._loss import loss
from ._samples import latent, reconstructions
from ._style import new_figure, style
from ._units import activations, mean_activations

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["summary"]

WIDTH, ROW, SIDE = 7.2, 1.75, 3.1  # inches: of the figure, of a row of pictures, of the filters
Draw = Callable[["Axes"], object]


def summary(
    model: Any,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    shape: Shape | None = None,
    hidden: Hidden | None = None,
    output: Output = "sigmoid",
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """One figure with the most telling pictures of a model; those that make no sense for it are left out.

    Filters, cost and mean activations; with samples also the histogram of their activations, their codes in the
    plane, and some reconstructions.

    Parameters
    ----------
    model : fitted model or Params
        What to draw.
    X : array_like of shape (n_samples, n_visible), optional
        Samples.
    y : array_like of shape (n_samples,), optional
        Their labels, for the codes in the plane.
    shape : (int, int) or (int, int, int), optional
        Of one picture, as for :func:`filters`. Features that fill no square are drawn as pictures only with
        it.
    hidden, output : str, optional
        Of Params; by default sigmoid.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure

    Raises
    ------
    ValueError
        The samples do not fit the model, or there is nothing to draw.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (50, 16))
    >>> figure = sf.plot.summary(sf.init_params(16, 4, random_state=0), X)
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['Filters', 'Mean activations', 'Activations', 'Codes', 'Reconstructions']
    """
    tile = _tile(model, shape)
    panels = _panels(model, X, y, hidden)
    strip = tile is not None and X is not None and _reconstructs(model)
    if tile is None and not panels:
        raise ValueError("model must have a cost curve or filters to draw (give shape, where it is not a square), or X")
    with style():
        made = figure if figure is not None else new_figure(*_size(tile is not None, len(panels), strip))
        made.suptitle(_about(model), x=0.01, ha="left")
        # Parts with margins of their own: filters to the left, small pictures to the right, reconstructions below.
        upper = left = right = made
        if strip:
            upper, lower = made.subfigures(2, 1, height_ratios=[2, 1], squeeze=False).flat
        if tile is not None and panels:
            left, right = upper.subfigures(1, 2, width_ratios=[SIDE, WIDTH - SIDE], squeeze=False).flat
        if tile is not None:
            ax = filters(model, shape=shape, ax=left.add_subplot())
            ax.set_title("Filters")
            ax.set_anchor("NW")
        layout: list[Any] = _layout(list(panels), tile is not None)
        for name, ax in right.subplot_mosaic(layout).items() if panels else ():
            panels[name](ax)
            ax.set_title(name)
            _smaller(ax)
        if strip and tile is not None:
            # As many samples as fill the width.
            n = max(1, min(24, int(3 * (WIDTH - 1) / (ROW - 0.55) * tile[0] / tile[1])))
            ax = lower.add_subplot()
            reconstructions(model, X, n_samples=n, shape=shape, hidden=hidden, output=output, ax=ax)  # type: ignore[arg-type]
            ax.set_title("Reconstructions")
            ax.set_anchor("W")
            _smaller(ax)
    return made


def _size(pictures: bool, n_panels: int, strip: bool) -> tuple[float, float]:
    """Inches: two rows beside filters, and one for reconstructions."""
    rows = 2 if pictures else (n_panels + 1) // 2
    return WIDTH if n_panels else SIDE, 0.25 + ROW * (rows + strip)


def _layout(names: list[str], pictures: bool) -> list[list[str]]:
    """Names by row and column: two in a row, but one beside filters where there are only two."""
    across = 1 if pictures and len(names) <= 2 else 2
    rows = [names[i : i + across] for i in range(0, len(names), across)]
    return [row + ["."] * (across - len(row)) for row in rows]


def _smaller(ax: Axes) -> None:
    """Type and dots for a small picture, which is used in full."""
    from matplotlib.collections import PathCollection

    ax.xaxis.label.set_fontsize(7)
    ax.yaxis.label.set_fontsize(7)
    ax.tick_params(labelsize=6)
    for text in ax.texts:
        text.set_fontsize(6)
    for line in ax.lines:
        line.set_markersize(0.6 * line.get_markersize())
    for dots in ax.collections:
        if isinstance(dots, PathCollection):
            dots.set_sizes(0.4 * dots.get_sizes())
            ax.set_aspect("auto")


def _panels(model: Any, X: ArrayLike | None, y: ArrayLike | None, hidden: Hidden | None) -> dict[str, Draw]:
    """The small pictures that make sense, by title."""
    found: dict[str, Draw] = {}
    if hasattr(model, "loss_curve_") or hasattr(model, "loss_curves_"):
        found["Cost"] = lambda ax: loss(model, ax=ax)
    if X is not None or hasattr(model, "rho_hat_"):
        found["Mean activations"] = lambda ax: mean_activations(model, X, hidden=hidden, ax=ax)
    if X is not None:
        found["Activations"] = lambda ax: activations(model, X, hidden=hidden, ax=ax)
        if len(weights(model)) > 1:
            found["Codes"] = lambda ax: latent(model, X, y, hidden=hidden, ax=ax)
    return found


def _tile(model: Any, shape: Shape | None) -> tuple[int, int] | None:
    """Rows and columns of one picture; None where features are no pictures."""
    try:
        rows, columns = as_pictures(weights(model)[:1], shape, "weights").shape[1:3]
    except ValueError:
        if shape is not None:
            raise
        return None
    return rows, columns


def _reconstructs(model: Any) -> bool:
    return isinstance(model, (list, tuple)) or hasattr(model, "reconstruct") or hasattr(model, "inverse_transform")


def _about(model: Any) -> str:
    """Sizes, settings and result in a line."""
    chain = chain_of(model)
    sizes = [weights(model).shape[1], *(len(W) for W in chain)]
    text = [r" $\rightarrow$ ".join(map(str, sizes)) + " units"]
    if isinstance(getattr(model, "hidden", None), str) and isinstance(getattr(model, "output", None), str):
        text[0] += f", {model.hidden} / {model.output}"
    settings = [("rho", r"$\rho$"), ("beta", r"$\beta$"), ("weight_decay", r"$\lambda$")]
    if not UNITS[hidden_of(model, None)].bounded:
        settings = settings[2:]
    if np.any(getattr(model, "l1", 0)):
        settings.append(("l1", "L1"))
    known = [
        f"{symbol} = {getattr(model, name):g}" for name, symbol in settings if np.isscalar(getattr(model, name, None))
    ]
    if getattr(model, "_loss_", "squared") != "squared":
        known.append(f"{model._loss_.replace('_', '-')} loss")
    if known:
        text.append(",  ".join(known))
    if hasattr(model, "cost_") and hasattr(model, "n_iter_"):
        text.append(f"$J$ = {model.cost_.total:.5g} after {model.n_iter_} iterations")
    return "   |   ".join(text)
