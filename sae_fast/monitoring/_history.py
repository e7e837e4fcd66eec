"""What a monitor remembers: the last chunks one by one, and of all of them sums."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._public import public_in

F64 = NDArray[np.float64]


@public_in("sae_fast")
class MonitorHistory:
    """Metrics of the last ``length`` chunks, and totals of all: memory that does not grow with the rows.

    Attributes
    ----------
    n_rows, n_chunks : int
        Of all chunks.
    n_alerts : ndarray of shape (n_metrics,)
        Chunks in which each metric was beyond its limits.
    n_alarmed : int
        Chunks with an alert.
    counts : ndarray of shape (n_bins, n_features)
        Rows between the edges of each feature, of those that went through the network.
    areas : ndarray of shape (n_bins, n_features)
        Sums over these of how far they go between the edges.
    """

    def __init__(self, length: int, n_metrics: int, n_hidden: int, counts: NDArray[np.int64]) -> None:
        self.length = length
        self.n_rows = self.n_chunks = self.n_alarmed = 0
        self.n_alerts = np.zeros(n_metrics, np.int64)
        self.counts, self.areas = counts, np.zeros(counts.shape)
        self._widths = n_metrics, n_hidden
        self._judged = deque[tuple[F64, F64, NDArray[np.int64]]]()  # some chunks each
        self._n_judged = 0

    def add(self, metrics: F64, rho_hat: F64, sizes: NDArray[np.int64], beyond: NDArray[np.bool_]) -> None:
        """Chunks that have been judged, one a row."""
        self.remember(metrics, rho_hat, sizes)
        self.n_rows += int(sizes.sum())
        self.n_chunks += len(sizes)
        self.n_alerts += beyond.sum(axis=0)
        self.n_alarmed += int(beyond.any(axis=1).sum())

    def remember(self, metrics: F64, rho_hat: F64, sizes: NDArray[np.int64]) -> None:
        """Chunks that count in the totals already."""
        if len(sizes) == 0:
            return
        self._judged.append((metrics, rho_hat, sizes))
        self._n_judged += len(sizes)
        while self._n_judged - len(self._judged[0][2]) >= self.length:
            self._n_judged -= len(self._judged.popleft()[2])

    def join(self, other: MonitorHistory) -> None:
        """The chunks of another one behind these."""
        self.remember(*other.chunks())
        self.n_rows += other.n_rows
        self.n_chunks += other.n_chunks
        self.n_alarmed += other.n_alarmed
        self.n_alerts = self.n_alerts + other.n_alerts
        self.counts = self.counts + other.counts
        self.areas = self.areas + other.areas

    def chunks(self) -> tuple[F64, F64, NDArray[np.intp]]:
        """Metrics, mean activations and sizes of the last chunks, one a row."""
        n_metrics, n_hidden = self._widths
        none = np.empty((0, n_metrics)), np.empty((0, n_hidden)), np.empty(0, np.int64)
        metrics, rho_hat, sizes = (
            np.concatenate(some)[-self.length :] for some in zip(none, *self._judged, strict=True)
        )
        return metrics, rho_hat, sizes.astype(np.intp)

    def __getstate__(self) -> dict[str, Any]:
        totals = {name: value for name, value in vars(self).items() if name not in ("_judged", "_n_judged")}
        return totals | {"chunks": self.chunks()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        chunks = state.pop("chunks")
        self.__init__(state["length"], *state["_widths"], state["counts"])  # type: ignore[misc]
        vars(self).update(state)
        self.remember(*chunks)
