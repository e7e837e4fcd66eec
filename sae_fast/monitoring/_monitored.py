"""The method by which models make monitors."""

from __future__ import annotations

from collections.abc import Iterable

from numpy.typing import ArrayLike

from ..streams._source import Source
from ._monitor import CHUNK, HISTORY, Monitor


class Monitored:
    """Models with reconstructions, by which rows can be judged."""

    def monitor(
        self,
        reference: ArrayLike | Source | Iterable[ArrayLike],
        *,
        chunk_size: int = CHUNK,
        every: int | None = None,
        history: int = HISTORY,
    ) -> Monitor:
        """A :class:`Monitor`, which tells whether rows are still like those of ``reference``.

        Parameters
        ----------
        reference : array_like of shape (n_samples, n_features), Source or iterable of arrays
            Rows that are as they shall be, and that the model was not fitted to: at least 40, better some thousand.
        chunk_size : int
            Rows that are judged together.
        every : int, optional
            Of so many rows one goes through the network; None for 64 or 128, as :class:`Monitor` says.
        history : int
            Chunks that are kept one by one, the last ones.

        Returns
        -------
        Monitor
            That of a detector watches its network.
        """
        return Monitor(self, reference, chunk_size=chunk_size, every=every, history=history)
