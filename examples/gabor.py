"""How much like an oriented edge is a filter? The best Gabor function's share of its variance.

A Gabor function is a grating under a Gaussian window, the usual model of simple cells in visual cortex and of the
edges that sparse coding learns (Olshausen and Field, Nature 1996):

    exp(-(u / s)^2 / 2 - (v / t)^2 / 2) (a cos(2 pi f u) + b sin(2 pi f u)) + c

with u across the edge and v along it. a, b and c are linear: for each window and grating the best ones follow from
three normal equations, so the search is over six numbers: centre, orientation, frequency and the widths s and t
(Golub and Pereyra's variable projection).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

F64 = NDArray[np.float64]
N_STARTS = 4
WIDTHS = (0.6, 1.5, 4.0)


def _columns(p: F64, y: F64, x: F64) -> F64:
    """The linear part: cosine, sine and constant on the pixels, shape (n_pixels, 3)."""
    top, left, angle, frequency, s, t = p
    u = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
    v = (y - top) * np.cos(angle) - (x - left) * np.sin(angle)
    window = np.exp(-0.5 * ((u / s) ** 2 + (v / t) ** 2))
    phase = 2 * np.pi * frequency * u
    return np.column_stack([window * np.cos(phase), window * np.sin(phase), np.ones_like(window)])


def _residual(p: F64, y: F64, x: F64, tile: F64) -> F64:
    q, _ = np.linalg.qr(_columns(p, y, x))
    return tile - q @ (q.T @ tile)


def _grid(side: int) -> F64:
    """Starting points: centres, orientations, frequencies and widths over the tile, shape (n, 6)."""
    centres = np.linspace(0.5, side - 1.5, 4)
    angles = np.arange(8) * np.pi / 8
    axes = np.meshgrid(centres, centres, angles, (0.08, 0.16, 0.28, 0.42), WIDTHS[1:], WIDTHS[1:], indexing="ij")
    return np.column_stack([a.ravel() for a in axes])


def gabor_r2(filters: NDArray[np.floating]) -> F64:
    """Best R^2 of a Gabor function over each filter.

    Parameters
    ----------
    filters : ndarray of shape (n_filters, side * side)

    Returns
    -------
    ndarray of shape (n_filters,)
        1 - residual / variance, in [0, 1]: the best of ``N_STARTS`` least-squares fits, which start from the best
        points of a grid over centre, orientation, frequency and widths.
    """
    side = round(filters.shape[1] ** 0.5)
    y, x = (a.ravel() for a in np.mgrid[:side, :side].astype(float))
    tiles = filters - filters.mean(axis=1, keepdims=True)
    tiles = (tiles / np.linalg.norm(tiles, axis=1, keepdims=True)).astype(np.float64)
    starts = _grid(side)
    bases = np.linalg.qr(np.stack([_columns(p, y, x) for p in starts]))[0]  # (n_starts, n_pixels, 3)
    explained = (np.einsum("spk,np->snk", bases, tiles, optimize=True) ** 2).sum(axis=2)
    low = [-1.0, -1.0, -np.inf, 0.0, WIDTHS[0], WIDTHS[0]]
    high = [side, side, np.inf, 0.5, side, side]
    r2 = np.empty(len(tiles))
    for i, tile in enumerate(tiles):
        fits = (
            least_squares(_residual, starts[k], bounds=(low, high), args=(y, x, tile), max_nfev=60)
            for k in np.argsort(-explained[:, i])[:N_STARTS]
        )
        r2[i] = 1 - min(2 * fit.cost for fit in fits)
    return r2
