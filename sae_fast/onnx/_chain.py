"""What comes before a layer: steps that are affine go into its weights, steps that cut are nodes of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoders._fold import absorb
from ..network._scale import Affine, UFLDLScale
from ._graph import Graph, affine, clip, layer, mean_of_rows, scaled

_ROWS = 512  # of a matrix at a time, in float64


def centre_of(step: Any) -> NDArray[np.float64] | None:
    """Where the data lie that a step was fitted to, if it tells."""
    for name in ("mean_", "center_", "data_min_"):
        if (found := getattr(step, name, None)) is not None:
            return np.asarray(found, np.float64)
    return None


class Chain:
    """Steps and then layers, added one after another; ``x`` is the name of what they are given.

    Affine steps wait for the layer that takes them up. The layer ``W x + b`` with its steps is written as
    ``W (x - c) + (b + W c)``, with ``c`` where the first step says that the data are, in the graph's own type: features
    that lie far from 0 lose no digits in it.
    """

    def __init__(self, graph: Graph, x: str) -> None:
        self._graph, self._x = graph, x
        self._waiting: list[Any] = []

    def add(self, step: Any, output: str | None = None) -> None:
        """A fitted step that :func:`sae_fast.fold` knows; it may cut. ``output``: it is the last one."""
        scale = getattr(step, "_scale", None)
        self._waiting.append(step)
        if isinstance(scale, UFLDLScale):
            absorb([self._waiting.pop()], np.empty((0, step.n_features_in_)), np.empty(0), clip="ignore")  # its checks
            self._settle()
            half = 0.5 * (scale.high - scale.low)
            _, centred = mean_of_rows(self._graph, self._x)
            cut = clip(self._graph, centred, -scale.limit, scale.limit)
            slope = np.array(half / scale.limit if scale.limit > 0 else 0.0)
            self._x = scaled(self._graph, cut, slope, np.array(scale.low + half), output)
        elif getattr(step, "clip", False):
            self._settle()
            low, high = getattr(step, "feature_range_", None) or step.feature_range
            self._x = clip(self._graph, self._x, low, high, output)
        elif output is not None:
            self._settle(output)

    def layer(self, W: NDArray[Any], b: NDArray[Any], unit: str, output: str | None = None) -> str:
        """A layer, and the steps that wait for it."""
        if self._waiting:
            W, b = self._about_centre(*absorb(self._waiting, W, b, clip="ignore"))
        self._x = layer(self._graph, self._x, W, b, unit, output)
        return self._x

    def _settle(self, output: str | None = None) -> None:
        """Nodes of their own for the steps that wait."""
        if not self._waiting:
            return
        matrix, start = self._matrix()
        matrix, start = self._about_centre(matrix, start)
        apply = affine if matrix.ndim == 2 else scaled
        self._x = apply(self._graph, self._x, matrix, start, output)

    def _about_centre(self, matrix: NDArray[np.float64], start: NDArray[np.float64]) -> Affine:
        """The rest of an affine map, of which the difference to a centre has become a node; nothing waits any more."""
        first = self._waiting[0]
        self._waiting = []
        centre = centre_of(first)
        if centre is None or not np.any(centre):
            return matrix, start
        with np.errstate(over="ignore"):
            rounded = centre.astype(self._graph.dtype)
        self._x = self._graph.node("Sub", self._x, self._graph.constant("c", rounded))
        exact = rounded.astype(np.float64)
        return matrix, start + (matrix @ exact if matrix.ndim == 2 else matrix * exact)

    def _matrix(self) -> Affine:
        """All that waits as one map: its matrix, or the diagonal if there is nothing else in it, and its constant."""
        n = len(self._waiting[-1].get_feature_names_out())
        pieces, start = [], np.empty(n)
        for i in range(0, n, _ROWS):
            rows = np.eye(min(_ROWS, n - i), n, i)
            piece, start[i : i + _ROWS] = absorb(self._waiting, rows, np.zeros(len(rows)), clip="ignore")
            diagonal = np.diagonal(piece, i)
            alone = piece.shape[1] == n and np.count_nonzero(piece) == np.count_nonzero(diagonal)
            pieces.append(diagonal if alone else piece)
        if all(piece.ndim == 1 for piece in pieces):
            return np.concatenate(pieces), start
        whole = [np.eye(len(p), n, k * _ROWS) * p[:, None] if p.ndim == 1 else p for k, p in enumerate(pieces)]
        return np.concatenate(whole), start
