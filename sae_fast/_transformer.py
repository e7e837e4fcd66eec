"""What the transformers have in common: scikit-learn's contract, float32 kept, everything else in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

try:
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        OneToOneFeatureMixin,
        TransformerMixin,
    )
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('the transformers need scikit-learn: pip install "sae-fast[estimators]"') from error

from ._types import FloatArray

__all__ = [
    "FLOATS",
    "ClassNamePrefixFeaturesOutMixin",
    "OneToOneFeatureMixin",
    "Transformer",
    "check_array",
    "check_is_fitted",
]

FLOATS = [np.float64, np.float32]


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
