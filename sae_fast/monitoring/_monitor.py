"""Monitor: whether the rows that a model meets are still like those that it was made for."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from os import PathLike
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..estimators._streamed import is_source
from ..files._kinds import MONITOR, register
from ..network._checks import check_count, check_n_threads
from ..streams._source import Source
from ._history import MonitorHistory
from ._looks import N_ROWS, Chunks, usual_every
from ._monitor_file import monitor_from, save
from ._reference import FEWEST, METRICS, Reference, areas_of, beyond, counts_of, learn, metrics_of
from ._report import MonitorReport
from ._watched import checked_model, is_bounded, kind_of, layers_of, raw_blocks_of, reference_rows, rows_of, see

CHUNK, HISTORY = 500, 1000
Rows = ArrayLike | Source | Iterable[ArrayLike]


@public_in("sae_fast")
class Monitor:
    """Judges rows, chunk by chunk, beside reference rows; :meth:`SparseAutoencoder.monitor` makes one.

    To cost little beside ``transform`` it takes the means of features from every 16th, eighth or fourth row, compares
    ranges in every 16th, and sends every 64th or 128th through the network, those of up to 512 chunks at once: when so
    many are full, or somebody asks for a report. Means are taken of as few rows as tell a feature that moves by one
    standard deviation from chance, of which the reference says how far it goes. Many threads may call at once; one
    works at a time.

    Parameters
    ----------
    model : SparseAutoencoder, StackedAutoencoder or SparseAutoencoderOutlierDetector
        Fitted. Of a detector, its network is watched.
    reference : array_like of shape (n_samples, n_features), Source or iterable of arrays
        Rows that are as they shall be, and that the model was not fitted to: at least 40, better some thousand.
        Those of a source are read into memory.
    chunk_size : int
        Rows that are judged together.
    every : int, optional
        Of so many rows one goes through the network. None for 64, or 128 where the codes have fewer than 64 units and
        chunks more than 384 rows: to judge every 64th row takes longer than a tenth of such codes.
    history : int
        Chunks that are kept one by one, the last ones: memory does not grow with the rows. Numbers of rows, chunks and
        alerts, and the distances of features, are of all chunks.

    Attributes
    ----------
    model : SparseAutoencoder or StackedAutoencoder
        The network that is watched.
    n_rows : int
        Rows seen.
    n_chunks : int
        Chunks that are full, or were flushed.

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

    def __init__(
        self, model: Any, reference: Rows, *, chunk_size: int = CHUNK, every: int | None = None, history: int = HISTORY
    ) -> None:
        check_count("chunk_size", chunk_size)
        if every is not None:
            check_count("every", every)
        check_count("history", history)
        model = checked_model(model)
        if every is None:
            every = usual_every(model._n_features_out, chunk_size)
        X = reference_rows(model, reference)
        if len(X) < FEWEST:
            raise ValueError(f"reference must have at least {FEWEST} rows, better some thousand, got {len(X)}")
        self._begin(model, learn(model, X, chunk_size, every), chunk_size, every, history)

    def _begin(self, model: Any, reference: Reference, chunk_size: int, every: int, history: int) -> None:
        self.model, self.chunk_size, self.every, self.history = model, chunk_size, every, history
        self._reference = reference
        kind = kind_of(model)
        low, high, mean = (a.astype(kind) for a in (reference.low, reference.high, reference.mean))
        self._chunks = Chunks((low, high, mean), chunk_size, reference.summed, every, len(reference.rho_hat))
        self._edges = reference.edges.astype(kind)
        counts = np.zeros(reference.shares.shape, np.int64)
        self._history = MonitorHistory(history, len(METRICS), len(reference.rho_hat), counts)
        self._turn = threading.RLock()

    def __repr__(self) -> str:
        return (
            f"Monitor({type(self.model).__name__}, chunk_size={self.chunk_size}, every={self.every}): "
            f"{self.n_rows} rows in {self.n_chunks} chunks"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_turn"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _turn=threading.RLock())

    @property
    def _size(self) -> tuple[int, int]:
        return self.chunk_size, self.every

    @property
    def n_rows(self) -> int:
        """Rows seen."""
        chunks = self._chunks
        return self._history.n_rows + chunks.n_full * self.chunk_size + chunks.n_open

    @property
    def n_chunks(self) -> int:
        """Chunks that are full, or were flushed."""
        return self._history.n_chunks + self._chunks.n_full

    def update(self, X: Rows) -> Self:
        """Look at these rows, any number of them. NaN is counted, not refused.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
            A source is read block by block; one that refuses NaN (:func:`open_source` with ``ensure_all_finite``) does
            so here too.

        Raises
        ------
        TypeError, ValueError
            No table of real numbers, another width, other column names. The monitor is then as it was; of a source
            the blocks before the one in question have been counted.
        """
        if is_source(X):
            for block in raw_blocks_of(self.model, X):
                self._count(block)
        else:
            self._count(rows_of(self.model, cast("ArrayLike", X)))
        return self

    def _count(self, rows: NDArray[Any]) -> None:
        n_threads = check_n_threads(self.model.n_threads)
        with self._turn:
            at = 0
            while at < len(rows):
                at += self._chunks.add(rows, at, n_threads)
                if self._chunks.all_full:
                    self._judge(self._chunks.n_full)

    def _judge(self, n: int) -> None:
        """Metrics of the first chunks, whose rows go through the network together."""
        part = self._chunks.part(n)
        rows = part[2]
        with np.errstate(over="ignore", invalid="ignore"):
            metrics, rho_hat = metrics_of(self.model, self._reference, part, see(self.model, rows))
        self._history.counts += counts_of(self._edges, rows)
        areas_of(self._edges, rows, self._history.areas)
        sizes = part[1][:, N_ROWS].copy()
        self._history.add(metrics, rho_hat, sizes, beyond(self._reference, metrics, sizes, self._size))
        self._chunks.drop(n)

    def _judge_full(self) -> None:
        if self._chunks.n_full:
            self._judge(self._chunks.n_full)

    def flush(self) -> Self:
        """Judge the rows of the last chunk, which is not full, by limits that are the wider, the fewer they are."""
        with self._turn:
            self._judge_full()
            if self._chunks.n_open:
                self._judge(1)
        return self

    def report(self) -> MonitorReport:
        """What was found in the chunks so far."""
        names = getattr(self.model, "feature_names_in_", None)
        with self._turn:
            self._judge_full()
            found = self._history
            metrics, rho_hat, sizes = found.chunks()
            return MonitorReport(
                metrics,
                sizes,
                self._reference,
                rho_hat,
                found.counts.astype(np.float64),
                found.areas.copy(),
                self._size,
                None if names is None else tuple(map(str, names)),
                found.n_rows,
                found.n_chunks,
                found.n_alarmed,
                dict(zip(METRICS, found.n_alerts.tolist(), strict=True)),
                1.0 if is_bounded(self.model) else np.inf,
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
        mine, theirs = self._reference, other._reference
        same = all(np.array_equal(getattr(mine, name), getattr(theirs, name)) for name in mine._fields)
        layers = layers_of(self.model), layers_of(other.model)
        same &= len(layers[0]) == len(layers[1]) and all(map(np.array_equal, *layers))
        if not same or (self.chunk_size, self.every) != (other.chunk_size, other.every):
            raise ValueError("other must have the same model, reference, chunk_size and every, got another one")
        first, second = (self, other) if id(self) < id(other) else (other, self)
        with first._turn, second._turn:
            self._judge_full()
            other._judge_full()
            self._history.join(other._history)
            self._chunks.join(other._chunks)
            if self._chunks.n_open >= self.chunk_size:
                self._judge(1)
        return self

    def reset(self) -> Self:
        """Forget all rows; the reference stays."""
        with self._turn:
            self._begin(self.model, self._reference, self.chunk_size, self.every, self.history)
        return self

    def save(self, path: str | PathLike[str]) -> None:
        """Write model, reference and what was found to one safetensors file, whole or not at all.

        :func:`sae_fast.load` reads it. The rows of a chunk that is not full are not kept.
        """
        save(self, path)


register(MONITOR, partial(monitor_from, Monitor))
