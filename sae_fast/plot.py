"""Pictures of a model, drawn with matplotlib on the axes given or on new ones, which are returned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._types import History, Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["filters", "loss"]


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('sae_fast.plot needs matplotlib: pip install "sae-fast[plot]"') from error
    # A figure of its own, not pyplot's: nothing has to be closed, and no display is needed.
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def filters(
    model: Any, *, shape: tuple[int, int] | None = None, n_columns: int | None = None, ax: Axes | None = None
) -> Axes:
    """Encoder weights as a grid of tiles, one per hidden unit: the picture that UFLDL made familiar.

    Each tile shows the input of bounded norm that excites its unit most, which is its row of W1 over the row's norm;
    grey is 0, and each tile uses the whole range.

    Parameters
    ----------
    model : SparseAutoencoder, Params or array_like of shape (n_hidden, n_visible)
        What to draw.
    shape : (int, int), optional
        Rows and columns of a tile; by default a square.
    n_columns : int, optional
        Tiles in a row; by default a square grid.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        The weights do not fill tiles of this shape.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.filters(sf.init_params(64, 25, random_state=0))
    >>> ax.images[0].get_array().shape
    (46, 46)
    """
    W1 = _weights(model)
    n_hidden, n_visible = W1.shape
    if shape is None:
        side = math.isqrt(n_visible)
        if side * side != n_visible:
            raise ValueError(f"shape must be given: {n_visible} weights do not fill a square tile")
        shape = (side, side)
    rows, columns = shape
    if rows < 1 or rows * columns != n_visible:
        raise ValueError(f"shape must have {n_visible} pixels, got {shape}")
    across = n_columns if n_columns is not None else math.ceil(math.sqrt(n_hidden))
    if across < 1:
        raise ValueError(f"n_columns must be >= 1, got {across}")
    down = math.ceil(n_hidden / across)
    grid = np.full((down * (rows + 1) + 1, across * (columns + 1) + 1), np.nan)
    top = np.abs(W1).max(axis=1, keepdims=True)
    tiles = (W1 / np.where(top > 0, top, 1)).reshape(n_hidden, rows, columns)
    for i, tile in enumerate(tiles):
        r, c = (i // across) * (rows + 1) + 1, (i % across) * (columns + 1) + 1
        grid[r : r + rows, c : c + columns] = tile
    longest = max(grid.shape)
    ax = _axes(ax, 6 * grid.shape[1] / longest, 6 * grid.shape[0] / longest)
    ax.imshow(grid, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    ax.set_facecolor("black")
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _weights(model: Any) -> NDArray[np.float64]:
    weights: ArrayLike
    weights = model.W1 if isinstance(model, Params) else getattr(model, "components_", model)
    W1 = np.asarray(weights, dtype=np.float64)
    if W1.ndim != 2 or W1.size == 0:
        raise ValueError(f"model must have weights of shape (n_hidden, n_visible), got {W1.shape}")
    return W1


def loss(model: Any, *, ax: Axes | None = None) -> Axes:
    """Cost J and its parts over the iterations or epochs, on a logarithmic scale.

    Parameters
    ----------
    model : SparseAutoencoder or History
        Fitted model, or what :func:`sae_fast.train` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (100, 16))
    >>> _, history = sf.train(sf.init_params(16, 4, random_state=0), X, n_epochs=5)
    >>> sf.plot.loss(history).get_ylabel()
    'cost'
    """
    if isinstance(model, History):
        total = model.cost
        parts = np.column_stack([model.reconstruction, model.weight_decay, model.sparsity])
    else:
        total, parts = model.loss_curve_, model.loss_parts_
    unit = "iteration" if getattr(model, "solver", "") == "lbfgs" else "epoch"
    ax = _axes(ax, 7, 4.5)
    steps = np.arange(1, len(total) + 1)
    ax.plot(steps, total, color="black", linewidth=2, label="J")
    for name, values in zip(("reconstruction", "weight decay", "sparsity"), parts.T, strict=True):
        if np.any(values > 0):
            ax.plot(steps, np.where(values > 0, values, np.nan), label=name)
    ax.set_yscale("log")
    ax.set_xlabel(unit)
    ax.set_ylabel("cost")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax
