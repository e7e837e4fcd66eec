"""Data that an output unit cannot reach."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._types import Output
from ..network._units import UNITS


@public_in("sae_fast")
class DataRangeWarning(UserWarning):
    """The data lie where the output unit cannot reach them."""


def warn_of_range(X: NDArray[Any], output: Output, advice: str, what: str = "data", stacklevel: int = 3) -> None:
    """Warn of data that the output unit cannot reach, by default the caller of the method that calls this."""
    low, high = UNITS[output].low, UNITS[output].high
    if np.isinf(low) and np.isinf(high):
        return
    found = float(X.min()), float(X.max())
    if found[0] < low or found[1] > high:
        reached = f"only from {low:g} to {high:g}" if np.isfinite(high) else f"none below {low:g}"
        warnings.warn(
            f"the {what} reach from {found[0]:.4g} to {found[1]:.4g}, but a {output} output unit {reached}: {advice}, "
            "or output='linear'",
            DataRangeWarning,
            stacklevel=stacklevel,
        )
