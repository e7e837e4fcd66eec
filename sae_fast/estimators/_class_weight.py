"""Weights of samples by their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from ._held_out import Weight


def weight_by_label(
    class_weight: Mapping[Any, float] | str | None, classes: NDArray[Any], y: NDArray[np.intp], weight: Weight
) -> Weight:
    """``weight`` times that of the class; ``y`` are places in ``classes``."""
    if class_weight is None:
        return weight
    if isinstance(class_weight, str) and class_weight == "balanced":
        mass = np.bincount(y, weights=weight, minlength=len(classes))
        each = mass.sum() / (len(mass) * np.where(mass > 0, mass, np.inf))
    elif isinstance(class_weight, Mapping):
        each = compute_class_weight(dict(class_weight), classes=classes, y=classes[y])
        if not np.all(np.isfinite(each)) or np.any(each < 0):
            raise ValueError(f"class_weight must have weights that are finite and >= 0, got {class_weight!r}")
    else:
        raise ValueError(f"class_weight must be a dict {{label: weight}}, 'balanced' or None, got {class_weight!r}")
    product: NDArray[np.float64] = each[y] if weight is None else weight * each[y]
    if not product.sum() > 0:
        raise ValueError(f"class_weight must leave some sample a weight > 0, got {class_weight!r}")
    return product
