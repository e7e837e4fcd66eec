"""What the hidden units of a fitted model do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 8192


@dataclass(frozen=True, eq=False)
class UnitReport:
    """One row per hidden unit; every column an array of shape (n_hidden,).

    Activations are mapped to [0, 1], over the training data. A unit is ``dead`` if it never reaches the smaller of
    0.01 and half of ``rho``, and ``saturated`` if it never leaves the mirror image of that range at 1; both carry
    almost no information. All others are ``ok``.

    Attributes
    ----------
    rho : float
        Wanted mean activation.
    rho_hat : ndarray
        Mean activation.
    lowest, highest : ndarray
        Smallest and largest activation.
    norm : ndarray
        Euclidean norm of the encoder weights.
    status : ndarray of str
        ``"ok"``, ``"dead"`` or ``"saturated"``.
    """

    rho: float
    rho_hat: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    norm: NDArray[np.float64]
    status: NDArray[np.str_]

    @property
    def n_dead(self) -> int:
        """Number of dead units."""
        return int(np.sum(self.status == "dead"))

    @property
    def n_saturated(self) -> int:
        """Number of saturated units."""
        return int(np.sum(self.status == "saturated"))

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        columns: dict[str, Any] = {k: getattr(self, k) for k in ("rho_hat", "lowest", "highest", "norm", "status")}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.rho_hat), name="unit"))

    def __str__(self) -> str:
        lines = [f"{'unit':>5} {'rho_hat':>9} {'lowest':>9} {'highest':>9} {'norm':>9}  status"]
        columns = (self.rho_hat, self.lowest, self.highest, self.norm, self.status)
        for unit, (mean, low, high, norm, status) in enumerate(zip(*columns, strict=True)):
            lines.append(f"{unit:>5} {mean:>9.4g} {low:>9.4g} {high:>9.4g} {norm:>9.4g}  {status}")
        n = len(self.rho_hat)
        lines.append(
            f"{n} units, {self.n_dead} dead, {self.n_saturated} saturated; wanted mean activation {self.rho:g}"
        )
        return "\n".join(lines)


def judge(
    rho: float,
    rho_hat: NDArray[np.float64],
    lowest: NDArray[np.float64],
    highest: NDArray[np.float64],
    W1: NDArray[Any],
) -> UnitReport:
    """The report from what was measured."""
    low = min(0.01, rho / 2)
    high = max(0.99, 1 - (1 - rho) / 2)
    status = np.where(highest < low, "dead", np.where(lowest > high, "saturated", "ok"))
    norm = np.linalg.norm(W1.astype(np.float64), axis=1)
    return UnitReport(rho, rho_hat, lowest, highest, norm, status)
