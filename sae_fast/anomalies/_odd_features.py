"""Which features make a sample odd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._public import public_in

F64 = NDArray[np.float64]


@public_in("sae_fast")
class OddFeature(NamedTuple):
    """A feature that makes a sample odd.

    Attributes
    ----------
    feature : str or int
        Its name, or its column where the training data had no names.
    error : float
        Its entry of :meth:`SparseAutoencoderOutlierDetector.feature_errors`: 1 is usual.
    share : float
        Its share of the sample's error, in [0, 1].
    value : float
        What it is.
    expected : float
        What the other features led the network to expect.
    """

    feature: str | int
    error: float
    share: float
    value: float
    expected: float


def odd_features(
    names: Sequence[Any], values: NDArray[Any], expected: NDArray[Any], errors: F64, top: int | None
) -> list[OddFeature]:
    """Those of one sample, largest error first; of all arguments one entry a feature."""
    columns = zip(errors, _shares(errors), values, expected, strict=True)
    features = [OddFeature(name, *map(float, column)) for name, column in zip(names, columns, strict=True)]
    return [features[j] for j in np.argsort(-errors, kind="stable")[:top]]


def _shares(errors: F64) -> F64:
    endless = np.isinf(errors)
    parts = endless.astype(np.float64) if endless.any() else errors
    total = parts.sum()
    return parts / total if total > 0 else parts
