"""What is looked at in a chunk of rows, and how much of it.

All of it must cost little beside the codes of the same rows. So sums are taken over every 16th, eighth or fourth row,
the range is compared in every 16th, and every 64th or 128th goes through the network, many chunks' together: rows that
are counted within their chunk, so that what is found does not depend on how the rows came in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._public import public_in

RANGED = _core.RANGED
STEPS = (16, 8, 4)  # of so many rows one is summed; they divide RANGED
WIDE = 64  # units, beside whose codes the judging of every 64th row is little
EVERY = 64, 128
CAPACITY = 512  # chunks that are judged together,
KEPT_BYTES = 1 << 22  # or fewer, if their rows for the network, or these rows' codes, take more than this
# The columns of a tally: numbers of rows, but for N_MISSING, a number of values.
N_ROWS, N_SUMMED, N_RANGED, N_MISSING, N_OUTSIDE, N_KEPT = range(6)


@public_in("sae_fast")
class Chunks:
    """Chunks of rows until they are judged: full ones, and behind them one that is open.

    Attributes
    ----------
    totals : ndarray of shape (n_chunks, n_features)
        Sums of features over the rows that are summed.
    tallies : ndarray of shape (n_chunks, 6)
        Numbers of rows, as the constants of this module say.
    kept : ndarray of shape (n_chunks, room, n_features)
        The rows for the network.
    n_full : int
        Chunks that are full.
    """

    def __init__(
        self,
        limits: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
        chunk_size: int,
        summed: int,
        every: int,
        n_codes: int,
    ) -> None:
        self.limits, self.chunk_size, self.summed, self.every = limits, chunk_size, summed, every
        low = limits[0]
        room = -(-chunk_size // every)
        n_chunks = max(1, min(CAPACITY, KEPT_BYTES // (room * max(low.nbytes, 8 * n_codes))))
        self.totals = np.zeros((n_chunks, len(low)))
        self.tallies = np.zeros((n_chunks, 6), np.int64)
        self.kept = np.zeros((n_chunks, room, len(low)), low.dtype)
        self.n_full = 0
        self.n_open = 0  # rows of the open one

    @property
    def all_full(self) -> bool:
        """Is there no room for another row?"""
        return self.n_full == len(self.totals)

    def add(self, X: NDArray[Any], begin: int, n_threads: int) -> int:
        """Count rows from ``begin`` on, until all chunks are full; how many they were."""
        n = _core.count_rows(
            X, begin, self.chunk_size, self.summed, self.every, *self.limits, self.totals, self.tallies, self.kept,
            self.n_full, n_threads,
        )  # fmt: skip
        full, self.n_open = divmod(self.n_open + n, self.chunk_size)
        self.n_full += full
        return n

    def part(self, n_chunks: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[Any]]:
        """Totals and tallies of the first ones, and their rows for the network, chunk by chunk."""
        tallies = self.tallies[:n_chunks]
        here = np.arange(self.kept.shape[1]) < tallies[:, N_KEPT, None]
        rows = self.kept[:n_chunks]
        return self.totals[:n_chunks], tallies, rows.reshape(-1, rows.shape[2]) if here.all() else rows[here]

    def drop(self, n_chunks: int) -> None:
        """Forget the first ones, all full ones or these and the open one; an open one is then the first."""
        if n_chunks <= self.n_full < len(self.totals):
            for array in (self.totals, self.tallies, self.kept):
                array[0] = array[self.n_full]
        keeps = n_chunks <= self.n_full < len(self.totals)
        self.totals[keeps:], self.tallies[keeps:] = 0, 0
        self.n_full, self.n_open = 0, self.n_open if keeps else 0

    def join(self, other: Chunks) -> None:
        """Count the rows of another one's open chunk too; neither has full ones."""
        own, more = self.tallies[0], other.tallies[0]
        at = int(own[N_KEPT])
        n = min(int(more[N_KEPT]), self.kept.shape[1] - at)
        self.kept[0, at : at + n] = other.kept[0, :n]
        own += more
        own[N_KEPT] = at + n
        self.totals[0] += other.totals[0]
        self.n_open = int(own[N_ROWS])


def usual_every(n_hidden: int, chunk_size: int) -> int:
    """Of how many rows one goes through the network, if nobody says: of 64; of 128 where that makes codes of few units.

    Four rows of a chunk at least, by 128.
    """
    often, seldom = EVERY
    return seldom if n_hidden < WIDE and chunk_size > 3 * seldom else often
