"""What the transformers have in common: scikit-learn's contract, float32 kept, everything else in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    import sklearn.utils
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        OneToOneFeatureMixin,
        TransformerMixin,
    )
    from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('the transformers need scikit-learn: pip install "sae-fast[estimators]"') from error

from ..network._checks import check_random_state, check_sample_weight
from ..network._types import FloatArray
from ..onnx._skl2onnx import OnnxConvertible
from ..streams._source import Source
from ._anew import anew, restoring

__all__ = [
    "FLOATS",
    "ClassNamePrefixFeaturesOutMixin",
    "OneToOneFeatureMixin",
    "Transformer",
    "anew",
    "check_array",
    "check_codes",
    "check_is_fitted",
    "offered_if",
    "restoring",
    "rng_of",
    "weights_of",
]

F = TypeVar("F", bound=Callable[..., Any])
FLOATS = [np.float64, np.float32]


def weights_of(sample_weight: ArrayLike | None, X: NDArray[Any]) -> NDArray[np.float64] | None:
    """Checked weights of the samples, or None."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return check_sample_weight(weight, len(X))


def rng_of(random_state: Any) -> np.random.RandomState:
    """What estimators draw from. None is NumPy's global generator, as everywhere in scikit-learn."""
    state = None if random_state is np.random else check_random_state(random_state)
    if state is None:
        return cast("np.random.RandomState", sklearn.utils.check_random_state(None))
    if isinstance(state, np.random.RandomState):
        return state
    if isinstance(state, np.random.Generator):
        return np.random.RandomState(state.bit_generator)  # draws go on in the caller's generator
    if state < 2**32:
        return np.random.RandomState(state)
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(state)))


class offered_if:  # noqa: N801
    """Makes a method one that objects have under a condition alone.

    scikit-learn's ``available_if``, whose error does not tell what to do.

    Parameters
    ----------
    condition : callable
        Whether an object has the method.
    otherwise : str
        How it would have it.
    """

    def __init__(self, condition: Callable[[Any], bool], otherwise: str) -> None:
        self._condition = condition
        self._otherwise = otherwise

    def __call__(self, method: F) -> F:
        """Decorate a method."""
        self._method = method
        update_wrapper(self, method)
        return cast("F", self)

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        """The method; of the class it is the bare function, with its documentation."""
        if instance is None:
            return self._method
        if not self._condition(instance):
            name = self._method.__name__
            raise AttributeError(f"this {owner.__name__} has no {name}: {self._otherwise}", name=name, obj=instance)
        return MethodType(self._method, instance)


def check_codes(X: ArrayLike, n_columns: int) -> FloatArray:
    """Checked input of ``inverse_transform``."""
    data: FloatArray = check_array(X, dtype=FLOATS, input_name="X")
    if data.shape[1] != n_columns:
        raise ValueError(f"X must have shape (n_samples, {n_columns}), got {data.shape}")
    return data


class Transformer(OnnxConvertible, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the transformers of tables."""

    def _validate(self, X: ArrayLike, *, reset: bool, **options: Any) -> FloatArray:
        if isinstance(X, Source):
            advice = "fit takes np.concatenate(list(source)), transform takes its blocks"
            if hasattr(self, "partial_fit"):
                advice = "partial_fit and transform take its blocks, one by one"
            raise TypeError(f"X must be samples in memory for {type(self).__name__}, got a source: {advice}")
        data: FloatArray = validate_data(self, X, dtype=FLOATS, reset=reset, **options)
        return data

    def _validate_inverse(self, X: ArrayLike, n_columns: int) -> FloatArray:
        check_is_fitted(self)
        return check_codes(X, n_columns)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
