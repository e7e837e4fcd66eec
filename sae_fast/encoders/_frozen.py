"""scikit-learn's ``FrozenEstimator``, for rooms below that work without scikit-learn and for those above."""

from __future__ import annotations

import sys
from typing import Any


def thawed(estimator: Any) -> Any:
    """What a ``FrozenEstimator`` holds, however often it is frozen; anything else as it is."""
    # Where nobody has imported the class, no object is of it.
    frozen = getattr(sys.modules.get("sklearn.frozen"), "FrozenEstimator", ())
    while isinstance(estimator, frozen):
        estimator = estimator.estimator
    return estimator
