"""What both stacks share: their fits, codes of any hidden layer, what was before fine-tuning, files."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import _generate_get_feature_names_out, check_is_fitted

from ..network._checks import check_n_threads
from ..network._deep import deep_forward
from ..network._layer_plan import LayerPlan
from ..network._measure import measure
from ..network._settings import Settings
from ..network._types import Cost, EpochInfo, FloatArray, Hidden
from ..streams._source import Source
from ._base import Autoencoder
from ._fit import FitControl, check_finite
from ._held_out import Weight
from ._layer_training import Samples
from ._stack_file import save
from ._stack_training import Layers, TrainedLayer
from ._streamed import blocks_of, is_source


class Stack(Autoencoder):
    """Base of :class:`StackedAutoencoder` and :class:`StackedAutoencoderClassifier`.

    It is no ``TransformerMixin``, so that ``transform`` itself wraps the codes and names the columns: their number
    depends on ``layer``.
    """

    _write = save

    hidden_layer_sizes: Any
    rho: Any
    beta: Any
    weight_decay: Any
    l1: Any
    hidden: Any
    output: Any
    loss: Any
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

    def _part(self, layers: Layers) -> None:
        """Set the attributes that are layers."""
        raise NotImplementedError

    def _keep_greedy(self, plan: Sequence[LayerPlan], trained: Sequence[TrainedLayer]) -> None:
        """What greedy training leaves besides the layers."""
        self.units_ = tuple(layer.hidden for layer in plan)
        self.loss_curves_ = [layer.loss_curve for layer in trained]
        self.fine_tune_loss_curve_ = np.empty(0)

    def _keep_tuned(self, control: FitControl[Layers]) -> None:
        """What fine-tuning leaves besides the layers."""
        self.fine_tune_loss_curve_ = np.array([c.total for c in control.costs])
        if getattr(self, "early_stopping", False):
            self.validation_curve_ = np.array(control.validation_curve)

    def _set_layers(self, layers: Layers, samples: Samples, settings: Settings, weight: Weight) -> None:
        """These layers, and what is measured with them; ``weight`` is that of the samples without their labels."""
        self._part(layers)
        threads = check_n_threads(self.n_threads)
        found = measure(layers, *samples, settings, threads)
        means = found if samples.weight is weight else measure(layers, samples.data, weight, settings, threads)
        self.cost_, self.rho_hat_ = found.cost, [a.copy() for a in means.rho_hat[: len(self.units_)]]
        J, _, _, sparsity = self.cost_
        check_finite(layers, J, self._count_iterations(), "iteration", sparsity=sparsity)

    def _remember(self) -> None:
        """Keep what fine-tuning changes."""
        names = ("encoder_", "decoder_", "head_", "rho_hat_", "cost_")
        self._before = {name: getattr(self, name) for name in names if hasattr(self, name)}

    def _count_iterations(self) -> int:
        curves = (*self.loss_curves_, getattr(self, "head_loss_curve_", ()), self.fine_tune_loss_curve_)
        self.n_iter_ = sum(map(len, curves))
        return self.n_iter_

    # Use

    def transform(self, X: ArrayLike | Source | Iterable[ArrayLike], layer: int | None = None) -> FloatArray:
        """Codes of the samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
            A source is read block by block; the codes are in memory.
        layer : int, optional
            Index of the hidden layer, 0 for the lowest; by default the last.

        Returns
        -------
        ndarray of shape (n_samples, units of the layer)
            In the dtype of the training data, or the container of ``set_output``.
        """
        check_is_fitted(self)
        top = self._top(layer)
        streamed = is_source(X)
        blocks = blocks_of(self, X) if streamed else [self._validate(cast("ArrayLike", X), reset=False)]
        encoder, units = self.encoder_[:top], self.units_[:top]
        parts = [deep_forward(encoder, block, units=units, n_threads=self.n_threads) for block in blocks]
        codes: FloatArray = np.concatenate(parts) if streamed else parts[0]
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
        other.__dict__.update(self._before)
        other.n_iter_ -= len(self.fine_tune_loss_curve_)
        other.fine_tune_loss_curve_ = np.empty(0)
        other.__dict__.pop("validation_curve_", None)
        return other

    _folds_to_stack = True

    def _fold_layers(self) -> tuple[list[tuple[FloatArray, FloatArray, Hidden]], list[Any]]:
        check_is_fitted(self)
        return [(W, b, unit) for (W, b), unit in zip(self.encoder_, self.units_, strict=True)], []

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
