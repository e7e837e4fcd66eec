"""Monitor: whether the rows that a model meets are still like those that it was made for."""

from __future__ import annotations

from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..files._kinds import MONITOR, register
from ..network._checks import check_count
from ..network._rows import check_names, real_rows
from ._looks import Chunk, Seen, see
from ._monitor_file import monitor_from, save
from ._reference import FEWEST, METRICS, Reference, counts_of, learn, metrics_of
from ._report import MonitorReport

CHUNK, EVERY = 500, 64


@public_in("sae_fast")
class Monitor:
    """Judges rows, chunk by chunk, beside reference rows; :meth:`SparseAutoencoder.monitor` makes one.

    To cost little beside ``transform`` it takes the means of features from every fourth row, compares ranges in every
    16th, and sends every 64th through the network.

    Parameters
    ----------
    model : SparseAutoencoder
        Fitted.
    reference : array_like of shape (n_samples, n_features)
        Rows that are as they shall be, and that the model was not fitted to: at least 40, better some thousand.
    chunk_size : int
        Rows that are judged together.
    every : int
        Of so many rows one goes through the network.

    Attributes
    ----------
    n_rows : int
        Rows seen.
    n_chunks : int
        Chunks judged.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> model = sf.SparseAutoencoder(4, max_iter=20, random_state=0).fit(rng.uniform(0.1, 0.9, (500, 6)))
    >>> monitor = model.monitor(reference=rng.uniform(0.1, 0.9, (2000, 6)), chunk_size=200)
    >>> monitor.update(rng.uniform(0.1, 0.9, (200, 6))).report().to_dict()["alerts"]
    []
    >>> moved = rng.uniform(0.1, 0.9, (200, 6)) + [0, 0, 0.2, 0, 0, 0]
    >>> [alert["metric"] for alert in monitor.update(moved).report().to_dict()["alerts"]]
    ['out_of_range', 'largest_shift', 'mean_shift']
    """

    def __init__(self, model: Any, reference: ArrayLike, *, chunk_size: int = CHUNK, every: int = EVERY) -> None:
        check_count("chunk_size", chunk_size)
        check_count("every", every)
        X = model._validate(reference, reset=False)
        if len(X) < FEWEST:
            raise ValueError(f"reference must have at least {FEWEST} rows, better some thousand, got {len(X)}")
        self._begin(model, learn(model, X, chunk_size, every), chunk_size, every)

    def _begin(self, model: Any, reference: Reference, chunk_size: int, every: int) -> None:
        self.model, self.chunk_size, self.every = model, chunk_size, every
        self._reference = reference
        kind = model.params_.W1.dtype
        self._low, self._high, self._mean = (a.astype(kind) for a in (reference.low, reference.high, reference.mean))
        self._edges = reference.edges.astype(kind)
        self._open = Chunk(len(reference.mean))
        self._counts = np.zeros_like(reference.shares)
        self._metrics: list[NDArray[np.float64]] = []
        self._rho_hat: list[NDArray[np.float64]] = []
        self._sizes: list[int] = []

    @property
    def n_rows(self) -> int:
        """Rows seen."""
        return sum(self._sizes) + self._open.n_rows

    @property
    def n_chunks(self) -> int:
        """Chunks judged."""
        return len(self._sizes)

    def update(self, X: ArrayLike) -> Self:
        """Look at these rows, any number of them. NaN is counted, not refused.

        Raises
        ------
        TypeError, ValueError
            No table of real numbers, another width, other column names. The monitor is then as it was.
        """
        check_names(X, getattr(self.model, "feature_names_in_", None))
        rows = real_rows(X)
        n = len(self._reference.mean)
        if rows.ndim != 2 or rows.shape[1] != n:
            raise ValueError(f"X must have shape (n_samples, {n}), as the model, got {rows.shape}")
        if rows.dtype.kind != "f":
            rows = rows.astype(self.model.params_.W1.dtype)
        done: list[Chunk] = []
        at = 0
        while at < len(rows):
            piece = rows[at : at + self.chunk_size - self._open.n_rows]
            self._open.add(piece, self._low, self._high, self._mean, self.every)
            at += len(piece)
            if self._open.n_rows == self.chunk_size:
                done.append(self._open)
                self._open = Chunk(n)
        if done:
            self._judge(done)
        return self

    def _judge(self, chunks: list[Chunk]) -> None:
        """Metrics of chunks that are whole, all of which go through the network together."""
        looked = [np.concatenate(c.looked) if c.looked else np.empty((0, len(c.total))) for c in chunks]
        together = np.concatenate(looked).astype(self.model.params_.W1.dtype, copy=False)
        if len(together):
            with np.errstate(over="ignore", invalid="ignore"):
                seen = see(self.model, together)
            self._counts += counts_of(self._edges, together)
        else:
            seen = Seen(np.empty(0), np.empty((0, len(self._reference.rho_hat))))
        at = 0
        for chunk, rows in zip(chunks, looked, strict=True):
            own = Seen(*(a[at : at + len(rows)] for a in seen))
            at += len(rows)
            self._metrics.append(metrics_of(self.model, self._reference, chunk, own))
            none = np.full(own.codes.shape[1], np.nan)
            self._rho_hat.append(own.codes.mean(axis=0) if len(rows) else none)
            self._sizes.append(chunk.n_rows)

    def flush(self) -> Self:
        """Judge the rows of the last chunk, which is not full; it strays more than full ones, and may alert sooner."""
        if self._open.n_rows:
            self._judge([self._open])
            self._open = Chunk(len(self._reference.mean))
        return self

    def report(self) -> MonitorReport:
        """What was found in the chunks so far."""
        shape = len(self._sizes), len(METRICS)
        names = getattr(self.model, "feature_names_in_", None)
        return MonitorReport(
            np.array(self._metrics).reshape(shape),
            np.array(self._sizes, dtype=np.intp),
            self._reference,
            np.array(self._rho_hat).reshape(shape[0], len(self._reference.rho_hat)),
            self._counts.copy(),
            self.chunk_size // self.every + (self.chunk_size % self.every > 0),
            None if names is None else tuple(map(str, names)),
        )

    def merge(self, other: Monitor) -> Self:
        """Take over what another monitor of the same model and reference has seen, as of another process.

        Its chunks follow those of this one. The rows of its last chunk, which is not full, join those of this one's.

        Raises
        ------
        TypeError, ValueError
            No monitor, or one with another reference, model or size of chunks. This one is then as it was.
        """
        if not isinstance(other, Monitor):
            raise TypeError(f"other must be a Monitor, got {type(other).__name__}")
        if other is self:
            raise ValueError("other must be another monitor, got this one, whose rows would count twice")
        same = all(np.array_equal(a, b) for a, b in zip(self._reference, other._reference, strict=True))
        same &= all(np.array_equal(a, b) for a, b in zip(self.model.params_, other.model.params_, strict=True))
        if not same or (self.chunk_size, self.every) != (other.chunk_size, other.every):
            raise ValueError("other must have the same model, reference, chunk_size and every, got another one")
        self._metrics += other._metrics
        self._rho_hat += other._rho_hat
        self._sizes += other._sizes
        self._counts = self._counts + other._counts
        self._open.join(other._open)
        if self._open.n_rows >= self.chunk_size:
            self.flush()
        return self

    def reset(self) -> Self:
        """Forget all rows; the reference stays."""
        self._begin(self.model, self._reference, self.chunk_size, self.every)
        return self

    def save(self, path: str | PathLike[str]) -> None:
        """Write model, reference and what was found to one safetensors file, whole or not at all.

        :func:`sae_fast.load` reads it. The rows of a chunk that is not full are not kept.
        """
        save(self, path)


register(MONITOR, partial(monitor_from, Monitor))
