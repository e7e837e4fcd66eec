"""From which error on a sample is an outlier, and how probable such an error is among good samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..network._checks import check_in

F64 = NDArray[np.float64]
_FAR = 3.0  # ranges beyond the quartile
_MANY = 100  # samples, of which one is an outlier


def check_contamination(value: object) -> float | None:
    """The share of outliers, None for "auto"."""
    if isinstance(value, str):
        if value == "auto":
            return None
        raise ValueError(f"contamination must be 'auto' or in (0, 0.5], got {value!r}")
    return check_in("contamination", value, np.nextafter(0, 1), np.nextafter(0.5, 1), "'auto' or in (0, 0.5]")


def usual_offset(scores: F64, all_scores: F64) -> float:
    """Tukey's outer fence: three interquartile ranges beyond the third quartile, of cube roots of errors.

    What lies there he calls far out (Tukey, "Exploratory Data Analysis", 1977). Outliers among ``scores``, as long as
    they are less than a quarter of them, move it little. Cube roots, because those of sums of squares are nearly normal
    (Wilson and Hilferty, "The distribution of chi-square", 1931), of which one in a million is beyond; errors of real
    data have longer tails. Of a hundred samples or more, whose scores are ``all_scores``, the oddest one is beyond in
    any case: scikit-learn's contract wants outliers among them.
    """
    largest = np.cbrt(np.finfo(np.float64).max) * (1 - 1e-15)  # whose cube is still a number
    first, third = np.quantile(np.minimum(np.cbrt(-scores), largest), [0.25, 0.75])
    fence = -(float(min(third + _FAR * (third - first), largest)) ** 3)
    if len(all_scores) < _MANY:
        return fence
    return max(fence, float(np.partition(all_scores, 1)[:2].mean()))


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
