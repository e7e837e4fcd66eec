"""By what the errors of each feature are divided, so that no unit of measurement rules a sum of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
FLOOR = 1e-3  # of a feature's standard deviation: what is learned by heart does not drown all else
NOVEL = 100.0  # times the number of features: what another value of a constant feature counts


class FeatureScale(NamedTuple):
    """Root mean square error of each feature in training, 0 where the feature was constant; and its mean.

    The mean of a constant feature is its value exactly.
    """

    scale: F64
    mean: F64

    def standardised(self, X: NDArray[Any], reconstruction: NDArray[Any]) -> F64:
        """Squared errors in units of those of training, which are 1 on average; shape (n_samples, n_features)."""
        constant = self.scale == 0
        errors: F64 = reconstruction.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            errors -= X
            errors /= np.where(constant, 1.0, self.scale)
            errors *= errors
        errors[np.isnan(errors)] = np.inf  # the network's sums have left the range of their type
        if constant.any():
            value = self.mean[constant]
            eps = max(np.finfo(kind).eps for kind in (X.dtype, reconstruction.dtype))
            other = np.abs(X[:, constant] - value) > 4 * eps * np.abs(value)
            errors[:, constant] = NOVEL * len(constant) * other
        return errors


class FeatureSums:
    """Makes a :class:`FeatureScale` of training samples that come block by block."""

    def __init__(self) -> None:
        self._n = 0

    def add(self, X: NDArray[Any], reconstruction: NDArray[Any]) -> None:
        """Count these samples."""
        if self._n == 0:
            self._begin(X[0])
        away = X - self._first
        self._n += len(X)
        self._squares += ((reconstruction.astype(np.float64) - X) ** 2).sum(axis=0)
        self._sum += away.sum(axis=0)
        self._spread += (away * away).sum(axis=0)
        self._varies |= (away != 0).any(axis=0)

    def _begin(self, first: NDArray[Any]) -> None:
        self._first = first.astype(np.float64)  # sums are taken about it: they round like what varies, not the level
        self._squares, self._sum, self._spread = (np.zeros(len(first)) for _ in range(3))
        self._varies = np.zeros(len(first), bool)

    def scale(self) -> FeatureScale:
        """That of all samples so far."""
        mean = self._sum / self._n
        deviation = np.sqrt(np.maximum(self._spread / self._n - mean * mean, 0))
        scale = np.maximum(np.sqrt(self._squares / self._n), FLOOR * deviation)
        least = float(np.finfo(np.float64).tiny)
        return FeatureScale(np.where(self._varies, np.maximum(scale, least), 0.0), self._first + mean)
