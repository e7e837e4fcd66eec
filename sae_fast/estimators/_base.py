"""What all autoencoders of this package have in common, as estimators."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('the estimators need scikit-learn: pip install "sae-fast[estimators]"') from error

from ..network._checks import check_count, check_in, check_rate
from ..network._solvers import check_solver
from ..onnx._skl2onnx import OnnxConvertible
from ..preprocessing._transformer import FLOATS
from ._streamed import is_source


def check_not_negative(name: str, value: object) -> float:
    """A number >= 0."""
    return check_in(name, value, 0.0, np.inf, ">= 0 and finite")


def _check_momentum(name: str, value: object) -> None:
    check_in(name, value, 0.0, 1.0, "in [0, 1)")


def _check_fraction(name: str, value: object) -> None:
    if check_in(name, value, 0.0, 1.0, "in (0, 1)") == 0.0:
        raise ValueError(f"{name} must be in (0, 1), got {value!r}")


def _check_callback(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")


# Parameters that mean the same in every estimator that has them, and are one value.
CHECKS: dict[str, Callable[[str, Any], object]] = {
    "batch_size": check_count,
    "n_iter_no_change": check_count,
    "head_max_iter": check_count,
    "fine_tune_max_iter": check_count,
    "tol": check_not_negative,
    "head_weight_decay": check_not_negative,
    "momentum": _check_momentum,
    "learning_rate": check_rate,
    "fine_tune_learning_rate": check_rate,
    "fine_tune_solver": check_solver,
    "validation_fraction": _check_fraction,
    "callback": _check_callback,
}


class Autoencoder(OnnxConvertible, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators: their checks, whether they are fitted, how they are stored.

    A subclass has ``_learned``, the attributes that its fits set, the first of them what a fitted one has at least;
    ``_write``, which writes its model file; and mixins of scikit-learn's, before ``BaseEstimator``.
    """

    _learned: ClassVar[tuple[str, ...]]
    _write: Callable[[str | PathLike[str]], None]

    def _check_training(self) -> None:
        """Parameters that all estimators check alike."""
        for name, check in CHECKS.items():
            if hasattr(self, name):
                check(name, getattr(self, name))

    def _validate(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        self._refuse_source(X)
        data: NDArray[Any] = validate_data(self, X, dtype=FLOATS, reset=reset)
        return data

    def _refuse_source(
        self, X: object, advice: str = "give its blocks one at a time (for block in source: ...)"
    ) -> None:
        if is_source(X):
            raise TypeError(
                f"X must be samples in memory for this method of {type(self).__name__}, got a source: {advice}, or all "
                "rows if they fit in memory, np.vstack(list(source))"
            )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What an older version has stored lacks the parameters that it did not know.
        defaults = {name: p.default for name, p in signature(type(self).__init__).parameters.items() if name != "self"}
        super().__setstate__(defaults | state)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file, whole or not at all; :func:`sae_fast.load` reads it."""
        check_is_fitted(self)
        self._write(path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._learned[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
