"""Samples in memory or of a source: which are held out, and the blocks that they are worked on in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators._streamed import Streamed
from ..estimators._unit_report import BLOCK

_HELD_OUT = 20  # rows at least, or half of all: fewer tell no threshold


def split(n: int, fraction: float, rng: np.random.RandomState) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to learn from and rows held out, each in their order."""
    if n < 2:
        raise ValueError(f"X must have two samples at least, to learn from and to judge by, got n_samples = {n}")
    held_out = min(max(round(fraction * n), min(_HELD_OUT, n // 2)), n - 1)
    order = rng.permutation(n)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def part(X: NDArray[Any] | Streamed, rows: NDArray[np.intp]) -> Any:
    return X.rows(rows) if isinstance(X, Streamed) else X[rows]


def pieces(X: NDArray[Any] | Streamed) -> Iterator[NDArray[Any]]:
    """The same blocks of an array and of a source: sums over them round alike."""
    return X.windows(BLOCK) if isinstance(X, Streamed) else (X[rows] for rows in blocks(len(X)))


def blocks(n: int) -> Iterator[slice]:
    return (slice(i, i + BLOCK) for i in range(0, n, BLOCK))
