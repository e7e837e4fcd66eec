"""Samples that are normalised one by one before they are encoded: the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._kinds import KSPARSE_NORMALIZATIONS
from ..network._checks import listed
from ..network._types import FloatArray

_BLOCK = 4096  # rows


def check_normalize(normalize: object) -> str | None:
    """A normalisation that is known, or none."""
    if normalize is None:
        return None
    if not isinstance(normalize, str) or normalize not in KSPARSE_NORMALIZATIONS:
        raise ValueError(f"normalize must be {listed(KSPARSE_NORMALIZATIONS)} or None, got {normalize!r}")
    return normalize


def restore(found: FloatArray, X: NDArray[Any], normalize: str) -> None:
    """Give reconstructions of normalised samples the means and sizes of the samples, in place."""
    for begin in range(0, len(X), _BLOCK):
        rows, some = X[begin : begin + _BLOCK].astype(np.float64), found[begin : begin + _BLOCK]
        if normalize == "layer_norm":
            mean = rows.mean(axis=1, keepdims=True)
            squares = ((rows - mean) ** 2).sum(axis=1, keepdims=True)
            some[...] = some * np.sqrt(squares / max(X.shape[1] - 1, 1)) + mean
        else:
            some[...] = some * np.sqrt((rows**2).mean(axis=1, keepdims=True))
