"""What the hidden units of a fitted model do, and which of them do the same."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._units import UNITS, activity

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 8192
ENTRIES = 1 << 22  # of a block of cosines: 32 MB
NEAR = 0.99


@public_in("sae_fast")
class UnitWarning(UserWarning):
    """Hidden units are dead or saturated."""


@public_in("sae_fast")
@dataclass(frozen=True, eq=False)
class UnitReport:
    """One row per hidden unit; every column an array of shape (n_hidden,).

    Activations are mapped to [0, 1], over the training data or those given to
    :meth:`sae_fast.SparseAutoencoder.unit_report`. A unit is ``dead`` if it never reaches the smaller of
    0.01 and half of ``rho``, and ``saturated`` if it never leaves the mirror image of that range at 1; both carry
    almost no information. All others are ``ok``. Relu units have no upper bound: their activations are as they are, a
    unit that is 0 for all samples is ``dead``, and none is ``saturated``.

    Two units do the same if their weights point the same way, or the opposite way: a unit with the negated weights and
    bias gives the mirrored activation, ``1 - a`` (sigmoid) or ``-a`` (tanh). So both signs count, and are kept.
    Units of equal weights and different biases have cosine 1 and yet different codes: the correlation tells.

    Attributes
    ----------
    rho : float
        Wanted mean activation; NaN for relu, of which none is wanted.
    rho_hat : ndarray
        Mean activation.
    lowest, highest : ndarray
        Smallest and largest activation.
    norm : ndarray
        Euclidean norm of the encoder weights.
    status : ndarray of str
        ``"ok"``, ``"dead"`` or ``"saturated"``.
    nearest : ndarray of int
        The other unit whose encoder weights are most nearly parallel, of either sign; -1 if there is none.
    cosine : ndarray
        Cosine of the angle between both, in [-1, 1]; 0 if there is no other.
    correlated : ndarray of int or None
        The other unit whose activation is most correlated, of either sign; -1 if there is none, as for a unit whose
        activation is constant. None for the training data: correlations need the samples.
    correlation : ndarray or None
        Pearson's correlation of both, in [-1, 1]; 0 if there is no other.
    """

    rho: float
    rho_hat: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    norm: NDArray[np.float64]
    status: NDArray[np.str_]
    nearest: NDArray[np.intp]
    cosine: NDArray[np.float64]
    correlated: NDArray[np.intp] | None = None
    correlation: NDArray[np.float64] | None = None

    @property
    def n_dead(self) -> int:
        """Number of dead units."""
        return int(np.sum(self.status == "dead"))

    @property
    def n_saturated(self) -> int:
        """Number of saturated units."""
        return int(np.sum(self.status == "saturated"))

    @property
    def n_near_duplicates(self) -> int:
        """Number of units with another one as near as 0.99: by their codes where they are known, else the weights."""
        close = self.cosine if self.correlation is None else self.correlation
        return int(np.sum(np.abs(close) >= NEAR))

    def _columns(self) -> dict[str, NDArray[Any]]:
        names = ("rho_hat", "lowest", "highest", "norm", "status", "nearest", "cosine", "correlated", "correlation")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        return pd.DataFrame(self._columns(), index=pd.RangeIndex(len(self.rho_hat), name="unit"))

    def __str__(self) -> str:
        columns = self._columns()
        lines = [f"{'unit':>5} " + " ".join(f"{name:>{_width(name)}}" for name in columns)]
        for unit, row in enumerate(zip(*columns.values(), strict=True)):
            cells = [f"{v:>{_width(k)}{_format(v)}}" for k, v in zip(columns, row, strict=True)]
            lines.append(f"{unit:>5} " + " ".join(cells))
        wanted = "" if np.isnan(self.rho) else f"; wanted mean activation {self.rho:g}"
        lines.append(
            f"{len(self.rho_hat)} units, {self.n_dead} dead, {self.n_saturated} saturated, {self.n_near_duplicates} "
            f"near another one{wanted}"
        )
        return "\n".join(lines)


def _width(name: str) -> int:
    return max(9, len(name))


def _format(value: object) -> str:
    return ".4g" if isinstance(value, float) else ""


def dead_and_saturated(
    rho: float, lowest: NDArray[np.float64], highest: NDArray[np.float64], hidden: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which units carry almost nothing, by their smallest and largest activations."""
    if not UNITS[hidden].bounded:
        return highest <= UNITS[hidden].low, np.zeros(np.shape(highest), bool)
    dead = highest < min(0.01, rho / 2)
    return dead, (lowest > max(0.99, 1 - (1 - rho) / 2)) & ~dead


def statuses(rho: float, lowest: NDArray[np.float64], highest: NDArray[np.float64], hidden: str) -> NDArray[np.str_]:
    """``"ok"``, ``"dead"`` or ``"saturated"`` for each unit."""
    dead, saturated = dead_and_saturated(rho, lowest, highest, hidden)
    return np.where(dead, "dead", np.where(saturated, "saturated", "ok"))


def warn_of_units(rho: float, lowest: NDArray[np.float64], highest: NDArray[np.float64], hidden: str) -> None:
    """Warn the caller of the method that calls this of units that carry nothing."""
    status = statuses(rho, lowest, highest, hidden)
    n_dead, n_saturated = int(np.sum(status == "dead")), int(np.sum(status == "saturated"))
    if n_dead or n_saturated:
        warnings.warn(
            f"of {len(status)} hidden units {n_dead} are dead and {n_saturated} saturated "
            "over the training data: unit_report() shows which; fewer units, a smaller beta or l1, "
            "or more iterations may help",
            UnitWarning,
            stacklevel=3,
        )


def judge(
    rho: float,
    rho_hat: NDArray[np.float64],
    lowest: NDArray[np.float64],
    highest: NDArray[np.float64],
    hidden: str,
    W1: NDArray[Any],
) -> UnitReport:
    """The report from what was measured over the training data."""
    status = statuses(rho, lowest, highest, hidden)
    if not UNITS[hidden].bounded:
        rho = np.nan
    norm = np.linalg.norm(W1.astype(np.float64), axis=1)
    return UnitReport(rho, rho_hat, lowest, highest, norm, status, *most_parallel(W1.astype(np.float64)))


def judge_codes(rho: float, codes: NDArray[Any], hidden: str, W1: NDArray[Any]) -> UnitReport:
    """The report over the samples that have these codes, shape (n_samples, n_hidden)."""
    mean = codes.mean(axis=0, dtype=np.float64)
    low, high = codes.min(axis=0).astype(np.float64), codes.max(axis=0).astype(np.float64)
    correlated, correlation = strongest(correlations(codes))
    mean, low, high = (activity(a, hidden) for a in (mean, low, high))
    report = judge(rho, mean, low, high, hidden, W1)
    return UnitReport(**vars(report) | {"correlated": correlated, "correlation": correlation})


def most_parallel(W: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each row the other one with the largest absolute cosine, and that cosine; a block of rows at a time."""
    top = np.abs(W).max(axis=1, keepdims=True)
    unit = W / np.where(top > 0, top, 1)  # squares that neither overflow nor vanish
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)
    nearest, cosine = np.empty(len(W), np.intp), np.empty(len(W))
    rows = max(1, ENTRIES // len(W))
    for i in range(0, len(W), rows):
        block = slice(i, i + rows)
        nearest[block], cosine[block] = strongest(unit[block] @ unit.T, i)
    return nearest, cosine


def correlations(codes: NDArray[Any]) -> NDArray[np.float64]:
    """Pearson's correlation of every two units, shape (n_hidden, n_hidden); 0 where one of them is constant."""
    n_samples, n_hidden = codes.shape
    middle = codes.mean(axis=0, dtype=np.float64).astype(codes.dtype)
    products, total = np.zeros((n_hidden, n_hidden)), np.zeros(n_hidden)
    for i in range(0, n_samples, BLOCK):
        centred = codes[i : i + BLOCK] - middle
        products += centred.T @ centred
        total += centred.sum(axis=0, dtype=np.float64)
    products -= np.outer(total, total) / n_samples  # what the rounding of the means has left
    # Within its own rounding, an activation does not vary.
    varies = np.ptp(codes, axis=0) > 8 * np.finfo(codes.dtype).eps * np.abs(middle)
    deviation = np.sqrt(np.maximum(np.diagonal(products), 0))
    scale = np.divide(1.0, deviation, out=np.zeros(n_hidden), where=varies & (deviation > 0))
    products *= scale
    products *= scale[:, None]
    return products


def strongest(table: NDArray[np.float64], first: int = 0) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Of each row the largest absolute value off the diagonal, which starts in column ``first``: where, and which."""
    rows = np.arange(len(table))
    table[rows, first + rows] = 0
    where = np.abs(table).argmax(axis=1)
    value = np.clip(table[rows, where], -1, 1) + 0.0  # no minus zero
    return np.where(value == 0, -1, where), value
