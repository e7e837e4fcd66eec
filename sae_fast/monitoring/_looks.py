"""What is looked at in a chunk of rows, and how much of it.

All of it must cost little beside the codes of the same rows. So sums are taken over every fourth row, the range is
compared in every 16th, and every 64th goes through the network: rows that are counted within their chunk, so that
what is found does not depend on how the rows came in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..estimators._unit_report import BLOCK
from ..network._functional import decode
from ..network._units import activity

F64 = NDArray[np.float64]
SUMMED, RANGED = 4, 16


class Seen(NamedTuple):
    """What the network makes of some rows."""

    errors: F64
    """1/2 sum (a3 - x)^2 of each row, as the network sees it."""
    codes: F64
    """Activations, mapped to [0, 1] where they are bounded."""


def see(model: Any, X: NDArray[Any]) -> Seen:
    """Errors and activations of checked rows."""
    errors, codes = np.empty(len(X)), np.empty((len(X), model._n_features_out))
    for i in range(0, len(X), BLOCK):
        rows = slice(i, i + BLOCK)
        a2 = model._encode(X[rows])
        a3 = decode(model.params_, a2, output=model._units[1], n_threads=model.n_threads)
        away = a3.astype(np.float64) - model._target(X[rows])
        errors[rows] = 0.5 * np.einsum("ij,ij->i", away, away)
        codes[rows] = activity(a2, model._units[0])
    return Seen(errors, codes)


def outside(X: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row has a value out of this range."""
    return np.asarray(((low > X) | (high < X)).any(axis=1))


@public_in("sae_fast")
class Chunk:
    """A chunk of rows while they come in."""

    def __init__(self, n_features: int) -> None:
        self.n_rows = 0
        self.total = np.zeros(n_features)
        self.n_summed = 0
        self.n_ranged = 0
        self.n_missing = 0
        self.n_outside = 0
        self.looked: list[NDArray[Any]] = []

    def add(self, X: NDArray[Any], low: NDArray[Any], high: NDArray[Any], middle: NDArray[Any], every: int) -> None:
        """Count these rows, which fit into the chunk."""
        summed = X[-self.n_rows % SUMMED :: SUMMED]
        ranged = X[-self.n_rows % RANGED :: RANGED]
        looked = X[-self.n_rows % every :: every]
        total = summed.sum(axis=0)
        if not np.isfinite(total).all():
            self.n_missing += int(np.isnan(summed).sum())
            finite = np.where(np.isfinite(summed), summed, middle)
            with np.errstate(over="ignore"):
                total = finite.sum(axis=0)
            looked = looked[np.isfinite(looked).all(axis=1)]
        self.n_outside += int(outside(ranged, low, high).sum())
        self.total += total
        self.n_summed += len(summed)
        self.n_ranged += len(ranged)
        self.n_rows += len(X)
        if len(looked):
            self.looked.append(looked.copy())

    def join(self, other: Chunk) -> None:
        """Count the rows of another one too."""
        for name in ("n_rows", "total", "n_summed", "n_ranged", "n_missing", "n_outside"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.looked += other.looked
