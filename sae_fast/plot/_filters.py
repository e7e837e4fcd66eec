"""Filters: what excites each hidden unit most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..network._checks import check_count
from ._inputs import F64, Shape, as_pictures, finite, mosaic, weights
from ._style import DPI, PAD, axes_or_new, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["filters"]


def filters(
    model: Any,
    *,
    shape: Shape | None = None,
    n_columns: int | None = None,
    units: ArrayLike | None = None,
    layer: int = -1,
    inverse: Any = None,
    contrast: Literal["unit", "all"] = "unit",
    ax: Axes | None = None,
) -> Axes:
    """Encoder weights as a grid of tiles, one per hidden unit: the picture that UFLDL made familiar.

    Each tile shows the input of bounded norm that excites its unit most, which is its row of W1 over the row's norm
    (UFLDL, "Visualizing a Trained Autoencoder"). Mid-grey is 0 in every colour.

    Parameters
    ----------
    model : fitted model, Params or array_like of shape (n_hidden, n_visible)
        What to draw. Of a stack, or of a list of weight matrices ``[W1, W2, ...]`` (each may also be a pair of
        weights and bias, or a model), the units of one layer are drawn as the combinations of inputs that their
        weights make, ``W_layer ... W_2 W_1``. For decoder weights pass ``params.W2.T``.
    shape : (int, int) or (int, int, int), optional
        Rows and columns of a tile, and 3 for colour, last (pixel by pixel) or first (channel by channel); by default
        a grey square.
    n_columns : int, optional
        Tiles in a row; by default a square grid.
    units : array_like of int, optional
        Which units, in this order; by default all.
    layer : int
        Of a stack: which layer, from 0, or counted from the end.
    inverse : array_like of shape (n_visible, n_pixels) or fitted whitener, optional
        For filters learnt on whitened data. A matrix multiplies the filters from the right: UFLDL's colour picture
        is ``inverse=ZCAWhite``, the filter as it acts on pixels. Of an object with ``inverse_transform`` its linear
        part is applied: the tile is the pattern of pixels whose whitened form is the filter.
    contrast : {"unit", "all"}
        Whether each tile uses the whole range, or all tiles share it, so that weak units are pale.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        The weights do not fill tiles of this shape, are not finite, or do not fit each other.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.filters(sf.init_params(64, 25, random_state=0))
    >>> ax.images[0].get_array().shape
    (126, 126)
    """
    W = weights(model, layer)
    if units is not None:
        W = W[_check_units(units, len(W))]
    if inverse is not None:
        W = _through(W, inverse)
    pictures = as_pictures(W, shape, "weights")
    across = math.ceil(math.sqrt(len(W))) if n_columns is None else check_count("n_columns", n_columns)
    if contrast not in ("unit", "all"):
        raise ValueError(f"contrast must be 'unit' or 'all', got {contrast!r}")
    top = np.abs(pictures).max(axis=tuple(range(1, pictures.ndim)) if contrast == "unit" else None, keepdims=True)
    scaled = pictures / np.where(top > 0, top, 1)
    grid = mosaic(0.5 + 0.5 * scaled if pictures.ndim == 4 else scaled, across)
    with style():
        ax = axes_or_new(ax, *_size(grid, across))
        ax.imshow(grid, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        ax.set_facecolor("none")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return ax


def _size(grid: F64, across: int) -> tuple[float, float]:
    """Inches for the grid: more for more tiles, and a whole number of dots for each of its pixels at the usual dpi."""
    down, wide = grid.shape[:2]
    inches = min(max(0.3 * across, 3.5 * min(1, across / 4)), 7)
    dots = max(1, round(inches * DPI / wide))
    return wide * dots / DPI + 2 * PAD, down * dots / DPI + 2 * PAD


def _check_units(units: ArrayLike, n: int) -> Any:
    index = np.asarray(units)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
        raise ValueError(f"units must be a list of unit numbers, got {units!r}")
    if index.min() < -n or index.max() >= n:
        raise ValueError(f"units must be in 0..{n - 1}, got {index.min() if index.min() < -n else index.max()}")
    return index


def _through(W: F64, inverse: Any) -> F64:
    if hasattr(inverse, "inverse_transform"):
        # Without the mean that whiteners add: the linear part alone.
        zero = np.zeros((1, W.shape[1]))
        back = np.asarray(inverse.inverse_transform(W), dtype=np.float64)
        return finite("inverse.inverse_transform(W1)", back - np.asarray(inverse.inverse_transform(zero)))
    matrix = np.asarray(inverse, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) != W.shape[1]:
        raise ValueError(f"inverse must have shape ({W.shape[1]}, n_pixels), got {matrix.shape}")
    return finite("inverse", W @ matrix)
