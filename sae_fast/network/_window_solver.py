"""Minibatches out of a source: its rows in windows that fit in memory, each shuffled by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ._data import Data
from ._settings import Settings
from ._solvers import EpochSolver, State, take_over
from ._types import AnyParams, Cost, FloatArray

P = TypeVar("P", bound=AnyParams)
_WINDOW_BYTES = 1 << 26


class Windowed(Protocol):
    """Samples that can be read from any row on, some at a time."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def windows(self, n_rows: int, start: int = 0) -> Iterator[FloatArray]: ...


def rows_of_a_window(n_features: int, dtype: np.dtype[Any], batch_size: int, window_bytes: int | None = None) -> int:
    """A whole number of minibatches, of some 64 MiB."""
    batch_bytes = n_features * dtype.itemsize * batch_size
    return max(1, (_WINDOW_BYTES if window_bytes is None else window_bytes) // batch_bytes) * batch_size


class WindowSolver(EpochSolver[P], Generic[P]):
    """:class:`EpochSolver` over a source.

    An epoch goes through the source once, in windows of some 64 MiB; the minibatches of a window are drawn from its
    rows in a new order each time. A window is a whole number of minibatches, whatever the blocks of the source, so that
    the result does not depend on them; a source of one window gives what the same rows in memory give, to the bit.

    Attributes
    ----------
    rows_of_a_window : int
    """

    def __init__(
        self,
        params: P,
        settings: Settings,
        options: Mapping[str, Any],
        samples: Windowed,
        sample_weight: NDArray[np.float64] | None,
        window_bytes: int | None = None,
    ) -> None:
        super().__init__(params, settings, options)
        self._samples, self._sample_weight = samples, sample_weight
        self.rows_of_a_window = rows_of_a_window(samples.shape[1], samples.dtype, options["batch_size"], window_bytes)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._row = 0  # of the next window
        self._sums = np.zeros(5)  # cost, its parts and mean activation times the weight of their samples; that weight

    def step(self) -> tuple[Cost, float]:
        """One epoch, or what is left of it: cost, and mean activation of the hidden units that have one."""
        n = self.rows_of_a_window
        for window in self._samples.windows(n, self._row):
            rows = slice(self._row, self._row + len(window))
            weight = None if self._sample_weight is None else self._sample_weight[rows]
            total = float(len(window)) if weight is None else float(weight.sum())
            if total > 0:
                means = np.array(self._core.run_epoch(*Data(window), weight))
                if self._samples.shape[0] <= n:
                    return self._ended(means)
                self._sums += (*(total * means), total)
            self._row = rows.stop
            self.between()
        return self._ended(self._sums[:4] / self._sums[4])

    def state(self) -> State:
        """As of :class:`EpochSolver`, and how far the epoch is."""
        return super().state() | {"row": np.array([self._row]), "sums": self._sums.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the state of another solver of the same arguments."""
        super().restore(state)
        self._row = int(state["row"][0])
        take_over(self._sums, state["sums"])

    def between(self) -> None:
        """Called after each window; whoever wants to know replaces it."""

    def _ended(self, means: NDArray[np.float64]) -> tuple[Cost, float]:
        self._begin_epoch()
        *parts, mean_activation = means.tolist()
        return Cost(sum(parts), *parts), mean_activation
