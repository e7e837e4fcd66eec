"""Samples that are held out to judge a fit by, under early stopping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Weight = NDArray[np.float64] | None


def split(n_samples: int, fraction: float, weight: Weight, rng: np.random.RandomState) -> tuple[Rows, Rows]:
    """Rows to learn from, and rows to judge by."""
    n = max(1, round(fraction * n_samples))
    if n >= n_samples:
        raise ValueError(f"early_stopping needs samples on both sides of the split, got n_samples = {n_samples}")
    order = rng.permutation(n_samples)
    return _weighing(order[n:], order[:n], weight)


def split_by_class(
    y: NDArray[np.intp], classes: NDArray[Any], fraction: float, weight: Weight, rng: np.random.RandomState
) -> tuple[Rows, Rows]:
    """The same with every class's share on either side; ``y`` are places in ``classes``."""
    from sklearn.model_selection import train_test_split

    n, k = len(y), len(classes)
    counts = np.bincount(y, minlength=k)
    if counts.min() < 2:
        rare = classes[[counts.argmin()]].tolist()[0]
        raise ValueError(f"early_stopping needs two samples of each class, got {counts.min()} of {rare!r}")
    n_check = math.ceil(fraction * n)
    for size, side in ((n_check, "hold"), (n - n_check, "leave")):
        if size < k:
            raise ValueError(
                f"validation_fraction {fraction:g} of {n} samples cannot {side} all {k} classes: early_stopping "
                f"needs at least {k} samples on either side, got {n_check} to judge and {n - n_check} to learn"
            )
    train, check = train_test_split(np.arange(n), test_size=fraction, random_state=rng, stratify=y)
    return _weighing(train, check, weight)


def _weighing(train: Rows, check: Rows, weight: Weight) -> tuple[Rows, Rows]:
    train, check = np.sort(train), np.sort(check)
    if weight is not None and not (weight[train].sum() > 0 and weight[check].sum() > 0):
        raise ValueError("sample_weight must have a sum > 0 on both sides of the validation split")
    return train, check


def taken(rows: Rows, *arrays: Any) -> Any:
    """These rows of each array; None of None."""
    return tuple(None if a is None else a[rows] for a in arrays)
