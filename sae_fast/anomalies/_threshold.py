"""From which error on a sample is an outlier, and how probable such an error is among good samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
_DEVIATIONS = 2.5
_ORDINARY = 0.99
_NORMAL = 1.482602218505602  # standard deviation of a normal distribution by its median absolute deviation


def usual_offset(scores: F64) -> float:
    """2.5 standard deviations below the middle, of cube roots, or higher: at least 1 % of the scores are not above it.

    Middle and deviation are robust, by medians: outliers among the scores, as long as they are less than half of them,
    move them little, and 2.5 is the number that is advised (Leys et al., "Detecting outliers: do not use standard
    deviation around the mean, use absolute deviation around the median", 2013). Cube roots of sums of squares are
    nearly normal (Wilson and Hilferty, "The distribution of chi-square", 1931).
    """
    roots = np.cbrt(np.minimum(-scores, np.finfo(np.float64).max))
    middle = np.median(roots)
    width = _NORMAL * np.median(np.abs(roots - middle))
    limit = min(middle + _DEVIATIONS * width, np.quantile(roots, _ORDINARY))
    return -min(float(limit) ** 3, float(np.finfo(np.float64).max))


def conformal_offset(scores: F64, fpr: float) -> float:
    """The score below which p-values are at most ``fpr``; ``scores`` of good samples, sorted.

    Raises
    ------
    ValueError
        Too few samples to tell such a rate.
    """
    k = math.floor(fpr * (len(scores) + 1) * (1 + 1e-12))
    if k < 1:
        need = math.ceil(1 / fpr * (1 - 1e-12)) - 1
        raise ValueError(f"fpr={fpr:g} needs at least {need} samples in X to be told from 0, got {len(scores)}")
    return float(scores[min(k, len(scores)) - 1])


def conformal_p_values(scores: F64, of: F64) -> F64:
    """The share of samples, the one in question among them, with a score at most as high; ``scores`` sorted.

    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.
    """
    below = np.searchsorted(scores, of, side="right").astype(np.float64)
    return (1.0 + below) / (len(scores) + 1.0)
