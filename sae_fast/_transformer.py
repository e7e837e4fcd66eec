"""What the transformers have in common: scikit-learn's contract, float32 kept, everything else in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        OneToOneFeatureMixin,
        TransformerMixin,
    )
    from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('the transformers need scikit-learn: pip install "sae-fast[estimators]"') from error

from ._checks import check_sample_weight
from ._types import FloatArray

__all__ = [
    "FLOATS",
    "ClassNamePrefixFeaturesOutMixin",
    "OneToOneFeatureMixin",
    "Transformer",
    "check_array",
    "check_is_fitted",
    "weights_of",
]

FLOATS = [np.float64, np.float32]


def weights_of(sample_weight: ArrayLike | None, X: NDArray[Any]) -> NDArray[np.float64] | None:
    """Checked weights of the samples, or None."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return check_sample_weight(weight, len(X))


class Transformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the transformers of tables."""

    def _validate(self, X: ArrayLike, *, reset: bool, **options: Any) -> FloatArray:
        data: FloatArray = validate_data(self, X, dtype=FLOATS, reset=reset, **options)
        return data

    def _validate_inverse(self, X: ArrayLike, n_columns: int) -> FloatArray:
        check_is_fitted(self)
        data: FloatArray = check_array(X, dtype=FLOATS, input_name="X")
        if data.shape[1] != n_columns:
            raise ValueError(f"X must have shape (n_samples, {n_columns}), got {data.shape}")
        return data

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
