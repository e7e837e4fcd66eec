"""What both stacks share: checks, codes of any hidden layer, what was before fine-tuning, files."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import (
    _generate_get_feature_names_out,
    check_is_fitted,
    validate_data,
)

from ..network._checks import check_count, check_in, check_rate
from ..network._deep import deep_forward
from ..network._solvers import check_solver
from ..network._types import Cost, EpochInfo, FloatArray, Hidden
from ._fit import check_finite
from ._stack_file import save
from ._stack_training import Layers


class Stack:
    """Base of :class:`StackedAutoencoder` and :class:`StackedAutoencoderClassifier`.

    It is apart from scikit-learn's own bases, so that ``transform`` itself wraps the codes and names the columns: their
    number depends on ``layer``.
    """

    hidden_layer_sizes: Any
    rho: Any
    beta: Any
    weight_decay: Any
    hidden: Any
    output: Any
    solver: Any
    max_iter: Any
    batch_size: int
    learning_rate: float | None
    momentum: float
    tol: float
    n_iter_no_change: int
    fine_tune: bool
    fine_tune_solver: str
    fine_tune_max_iter: int
    fine_tune_learning_rate: float | None
    random_state: Any
    n_threads: int | None
    verbose: int
    callback: Callable[[EpochInfo], object] | None
    n_features_in_: int
    encoder_: Layers
    units_: tuple[Hidden, ...]
    rho_hat_: list[NDArray[np.float64]]
    loss_curves_: list[NDArray[np.float64]]
    fine_tune_loss_curve_: NDArray[np.float64]
    cost_: Cost
    n_iter_: int

    def _check_common(self) -> None:
        """Parameters that are not by layer."""
        check_count("batch_size", self.batch_size)
        check_count("n_iter_no_change", self.n_iter_no_change)
        check_count("fine_tune_max_iter", self.fine_tune_max_iter)
        check_in("tol", self.tol, 0.0, np.inf, ">= 0 and finite")
        check_in("momentum", self.momentum, 0.0, 1.0, "in [0, 1)")
        check_solver("fine_tune_solver", self.fine_tune_solver)
        for name in ("learning_rate", "fine_tune_learning_rate"):
            check_rate(name, getattr(self, name))
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be callable or None, got {self.callback!r}")

    def _check_finite(self, layers: Layers) -> None:
        n_iter = sum(map(len, self.loss_curves_)) + len(self.fine_tune_loss_curve_)
        check_finite(layers, self.cost_.total, n_iter, "iteration")

    # Use

    def transform(self, X: ArrayLike, layer: int | None = None) -> FloatArray:
        """Codes of the samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
        layer : int, optional
            Index of the hidden layer, 0 for the lowest; by default the last.

        Returns
        -------
        ndarray of shape (n_samples, units of the layer)
            In the dtype of the training data, or the container of ``set_output``.
        """
        check_is_fitted(self)
        top = self._top(layer)
        data = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        codes = deep_forward(self.encoder_[:top], data, units=self.units_[:top], n_threads=self.n_threads)
        container = _get_output_config("transform", self)["dense"]
        if container == "default":
            return codes
        adapter = ADAPTERS_MANAGER.adapters[container]
        wrapped: FloatArray = adapter.create_container(codes, X, columns=self.get_feature_names_out(layer=layer))
        return wrapped

    def get_feature_names_out(self, input_features: ArrayLike | None = None, layer: int | None = None) -> NDArray[Any]:
        """Names of the codes: the lower-case class and the unit's number; below the last layer, its index too."""
        check_is_fitted(self)
        top = self._top(layer)
        names: NDArray[Any] = _generate_get_feature_names_out(
            self, len(self.encoder_[top - 1].b), input_features=input_features
        )
        if top < len(self.encoder_):
            prefix = f"{type(self).__name__.lower()}_layer{top - 1}_"
            names = np.array([f"{prefix}{i}" for i in range(len(names))], dtype=object)
        return names

    def before_fine_tuning(self) -> Self:
        """A fitted copy with the parameters from before fine-tuning.

        Returns
        -------
        StackedAutoencoder or StackedAutoencoderClassifier
            With the parameters that greedy training left, and what was measured with them.

        Raises
        ------
        ValueError
            The model was read from a file, which keeps the final parameters alone.
        """
        check_is_fitted(self)
        if not hasattr(self, "_before"):
            raise ValueError("the parameters from before fine-tuning are not kept in model files: fit again")
        other = copy.copy(self)
        vars(other).update(self._before)
        other.n_iter_ -= len(self.fine_tune_loss_curve_)
        other.fine_tune_loss_curve_ = np.empty(0)
        vars(other).pop("validation_curve_", None)
        return other

    _folds_to_stack = True

    def _fold_layers(self) -> tuple[list[tuple[FloatArray, FloatArray, Hidden]], list[Any]]:
        check_is_fitted(self)
        return [(W, b, unit) for (W, b), unit in zip(self.encoder_, self.units_, strict=True)], []

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file, whole or not at all; :func:`sae_fast.load` reads it."""
        check_is_fitted(self)
        save(self, path)

    @property
    def components_(self) -> FloatArray:
        """Weights of the lowest layer, shape (units of the layer, n_features)."""
        return self.encoder_[0].W

    def _top(self, layer: int | None) -> int:
        """How many layers lead to the codes of ``layer``."""
        n = len(self.encoder_)
        if layer is None:
            return n
        try:
            index = operator.index(layer)
        except TypeError:
            raise TypeError(f"layer must be an integer or None, got {layer!r}") from None
        if not 0 <= index < n:
            raise ValueError(f"layer must be >= 0 and < {n}, the number of hidden layers, or None; got {layer!r}")
        return index + 1

    @property
    def _n_features_out(self) -> int:
        return len(self.encoder_[-1].b)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "encoder_")
