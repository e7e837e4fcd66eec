"""What a monitor has found."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ._reference import DEVIATIONS, METRICS, Reference, beyond, limits_of, psi, wasserstein

if TYPE_CHECKING:
    import pandas as pd

F64 = NDArray[np.float64]


@public_in("sae_fast")
@dataclass(frozen=True, eq=False, repr=False)
class MonitorReport:
    """Metrics of every chunk beside their limits, and distances of all rows from the reference.

    The limits of a metric are its mean over chunks of reference rows, less and plus three standard deviations, or as
    far as one of these chunks went, where that is farther, and within what the metric can be. A metric beyond its
    limits is an alert. Limits are wider for a chunk that was flushed before it was full. Metrics are

    - ``reconstruction_error``: mean of 1/2 sum (a3 - x)^2, as the network sees the data;
    - ``rho_hat_shift``: how far the mean activations of the units are from those of the reference, in standard
      deviations of an activation: root mean square over the units;
    - ``dead``, ``saturated``: shares of units, as :class:`UnitReport` judges them;
    - ``out_of_range``: share of rows with a value beyond the reference's, or any other value of a feature that has one
      and the same in 98 % of the reference's rows;
    - ``missing``: share of values that are NaN;
    - ``largest_shift``, ``mean_shift``: how far the means of features are from the reference's, in standard deviations
      of the feature: the largest of them, and the root mean square.

    Attributes
    ----------
    metrics : ndarray of shape (n_chunks, 8)
        In the order above.
    sizes : ndarray of shape (n_chunks,)
        Rows of each chunk.
    rho_hat : ndarray of shape (n_chunks, n_hidden)
        Mean activation of each unit.
    n_rows, n_chunks : int
        Of all chunks, those that are no longer kept one by one among them.
    n_alarmed : int
        Of these, the ones with an alert.
    n_alerts : dict of str to int
        In how many of them each metric was beyond its limits.
    """

    metrics: F64
    sizes: NDArray[np.intp]
    _reference: Reference
    rho_hat: F64
    _counts: F64
    _areas: F64
    _size: tuple[int, int]  # rows of a full chunk, and of how many one goes through the network
    _names: tuple[str, ...] | None
    n_rows: int
    n_chunks: int
    n_alarmed: int
    n_alerts: dict[str, int]
    _highest: float

    @property
    def first_chunk(self) -> int:
        """Number of the first of the chunks that are kept, counted from 0."""
        return self.n_chunks - len(self.sizes)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Lower and upper limit of each metric of a full chunk; those of chunks with fewer rows are wider."""
        pairs = zip(self._reference.lower.tolist(), self._reference.upper.tolist(), strict=True)
        return dict(zip(METRICS, pairs, strict=True))

    @property
    def rho_hat_limits(self) -> tuple[F64, F64]:
        """Lower and upper limit of each unit's mean activation: three standard deviations about the reference's.

        With many units some are beyond theirs in any chunk: alerts come of ``rho_hat_shift`` alone.
        """
        chunk_size, every = self._size
        usual, width = self._reference.rho_hat, DEVIATIONS * self._reference.unit_sd / np.sqrt(-(-chunk_size // every))
        return np.maximum(usual - width, 0.0), np.minimum(usual + width, self._highest)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Whether each metric is beyond its limits in each chunk, shape of ``metrics``."""
        return beyond(self._reference, self.metrics, self.sizes, self._size)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """One entry for each metric beyond its limits in a chunk that is kept: chunk, metric, value, lower, upper.

        Chunks are counted from 0, those that are no longer kept among them.
        """
        lower, upper = limits_of(self._reference, self.sizes, self._size)
        return [
            {
                "chunk": self.first_chunk + int(chunk),
                "metric": METRICS[k],
                "value": float(self.metrics[chunk, k]),
                "lower": float(lower[chunk, k]),
                "upper": float(upper[chunk, k]),
            }
            for chunk, k in zip(*np.nonzero(self.beyond), strict=True)
        ]

    @property
    def wasserstein(self) -> F64:
        """Distance of each feature's values from the reference's, in its standard deviations.

        Of the rows that went through the network, within the reference's range and beyond it: a feature that moves as
        a whole moves by its distance. Where both distribution functions cross between two deciles of the reference,
        what lies between them there is not counted in full.
        """
        n_rows = float(self._counts[:, 0].sum())
        return wasserstein(self._reference, self._areas, n_rows)

    @property
    def psi(self) -> F64:
        """Population stability index of each feature, by deciles of the reference."""
        return psi(self._reference.shares, self._counts)

    def to_pandas(self) -> pd.DataFrame:
        """The metrics as a data frame, a row a chunk, with columns ``rows`` and ``alert``."""
        import pandas as pd

        index = pd.RangeIndex(self.first_chunk, self.n_chunks, name="chunk")
        table = pd.DataFrame(self.metrics, columns=list(METRICS), index=index)
        table.insert(0, "rows", self.sizes)
        table["alert"] = np.asarray(self.beyond.any(axis=1))
        return table

    def to_dict(self) -> dict[str, Any]:
        """All of it in lists and numbers, as JSON can hold it: NaN is None, infinity the largest float64."""
        lower, upper = self.rho_hat_limits
        names = list(self._names) if self._names is not None else list(range(len(self._reference.mean)))
        chunks = [
            {"rows": int(n)} | {name: _plain(v) for name, v in zip(METRICS, row.tolist(), strict=True)}
            for n, row in zip(self.sizes, self.metrics, strict=True)
        ]
        return {
            "n_rows": self.n_rows,
            "n_chunks": self.n_chunks,
            "n_alarmed": self.n_alarmed,
            "n_alerts": dict(self.n_alerts),
            "first_chunk": self.first_chunk,
            "chunks": chunks,
            "limits": {name: {"lower": low, "upper": high} for name, (low, high) in self.limits.items()},
            "alerts": [alert | {"value": _plain(alert["value"])} for alert in self.alerts],
            "rho_hat": {
                "chunks": [[_plain(v) for v in row] for row in self.rho_hat.tolist()],
                "lower": lower.tolist(),
                "upper": [_plain(v) for v in upper.tolist()],
            },
            "features": names,
            "wasserstein": [_plain(v) for v in self.wasserstein.tolist()],
            "psi": [_plain(v) for v in self.psi.tolist()],
        }

    def __repr__(self) -> str:
        lines = [f"{'metric':<20} {'lower':>10} {'upper':>10} {'last':>10} {'alerts':>7}"]
        for k, (name, (low, high)) in enumerate(self.limits.items()):
            last = f"{self.metrics[-1, k]:10.4g}" if len(self.metrics) else f"{'':>10}"
            lines.append(f"{name:<20} {low:10.4g} {high:10.4g} {last} {self.n_alerts[name]:7d}")
        lines.append(f"{self.n_rows} rows in {self.n_chunks} chunks, {self.n_alarmed} of them with an alert")
        return "\n".join(lines)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else min(max(value, -sys.float_info.max), sys.float_info.max)
