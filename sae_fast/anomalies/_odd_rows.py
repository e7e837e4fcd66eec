"""What a picture of a detector's judgement needs of many samples, gathered block by block in little memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
LOW, HIGH, PER_DECADE = 1e-3, 1e6, 12  # mean errors beyond are counted with the outermost
EDGES: F64 = np.logspace(np.log10(LOW), np.log10(HIGH), round(np.log10(HIGH / LOW)) * PER_DECADE + 1)


class OddRows:
    """Counts of samples by their mean error, and the errors of the oddest.

    Attributes
    ----------
    counts : ndarray of shape (n_bins,)
        Samples between two of ``EDGES``.
    n_rows, n_odd : int
        Samples, and those of them beyond the threshold.
    numbers : ndarray of shape (n_kept,)
        Rows of the oddest samples, counted from 0, the oddest first; of equally odd ones the first.
    errors : ndarray of shape (n_kept, n_features)
        Theirs, as :meth:`SparseAutoencoderOutlierDetector.feature_errors` tells them.
    """

    def __init__(self, n_features: int, offset: float, keep: int) -> None:
        self.offset, self.keep = offset, keep
        self.counts = np.zeros(len(EDGES) - 1, np.int64)
        self.n_rows = self.n_odd = 0
        self.numbers = np.empty(0, np.int64)
        self.errors = np.empty((0, n_features))

    def add(self, errors: F64) -> None:
        """Count samples by the errors of their features."""
        means = errors.mean(axis=1)
        inside = np.clip(means, LOW, np.nextafter(HIGH, 0))
        self.counts += np.histogram(inside, EDGES)[0]
        self.n_odd += int(np.sum(-means < self.offset))
        numbers = np.concatenate([self.numbers, self.n_rows + np.arange(len(errors))])
        order = np.argsort(-np.concatenate([self.errors.mean(axis=1), means]), kind="stable")[: self.keep]
        self.numbers, self.errors = numbers[order], np.concatenate([self.errors, errors])[order]
        self.n_rows += len(errors)
