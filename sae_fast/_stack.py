"""What both stacks share: greedy training, fine-tuning, codes of any hidden layer, files."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import (
    _check_sample_weight,
    _generate_get_feature_names_out,
    check_is_fitted,
    validate_data,
)

from ._checks import check_count, check_in, check_n_threads, check_sample_weight
from ._deep import DeepEpochSolver, DeepLbfgsSolver, Layer, deep_forward
from ._estimator import LBFGS_MEMORY
from ._fit import FitControl, FitInterruptedWarning, Stage
from ._functional import encode, init_params
from ._layer_plan import LayerPlan, check_solver
from ._solvers import EpochSolver, LbfgsSolver, Solver, epoch_options
from ._train import DEFAULT_LEARNING_RATE
from ._types import AnyCost, EpochInfo, FloatArray, Params
from ._unit_report import BLOCK

Layers = tuple[Layer, ...]
Weight = NDArray[np.float64] | None


class TrainedLayer(NamedTuple):
    """One layer after greedy training."""

    params: Params
    loss_curve: NDArray[np.float64]


class DeepSolver:
    """A solver of the deep network as :class:`FitControl` drives it."""

    def __init__(self, core: DeepLbfgsSolver | DeepEpochSolver) -> None:
        self._core = core
        self.unit = "iteration" if isinstance(core, DeepLbfgsSolver) else "epoch"
        self.start_cost: AnyCost | None = core.start_cost if isinstance(core, DeepLbfgsSolver) else None

    @property
    def params(self) -> Layers:
        """Live layers."""
        return tuple(self._core.layers)

    def step(self) -> tuple[AnyCost, float] | None:
        """One iteration or epoch."""
        return self._core.step()


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
    units_: tuple[str, ...]
    rho_hat_: list[NDArray[np.float64]]

    # Training

    def _check_common(self) -> None:
        """Parameters that are not by layer."""
        check_count("batch_size", self.batch_size)
        check_count("n_iter_no_change", self.n_iter_no_change)
        check_count("fine_tune_max_iter", self.fine_tune_max_iter)
        check_in("tol", self.tol, 0.0, np.inf, ">= 0 and finite")
        check_in("momentum", self.momentum, 0.0, 1.0, "in [0, 1)")
        check_solver("fine_tune_solver", self.fine_tune_solver)
        for name in ("learning_rate", "fine_tune_learning_rate"):
            rate = getattr(self, name)
            if rate is not None and check_in(name, rate, 0.0, np.inf, "> 0 and finite") == 0.0:
                raise ValueError(f"{name} must be > 0 and finite, got {rate!r}")
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be callable or None, got {self.callback!r}")

    def _weights(self, sample_weight: ArrayLike | None, X: NDArray[Any]) -> Weight:
        if sample_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return check_sample_weight(weight, len(X))

    def _stage(self, max_iter: int, name: str) -> Stage:
        return Stage(max_iter, self.tol, self.n_iter_no_change, self.verbose, self.callback, name)

    def _train_layers(
        self, X: NDArray[Any], weight: Weight, plan: Sequence[LayerPlan], rng: np.random.RandomState
    ) -> list[TrainedLayer]:
        """Each layer on the codes of the one below; fewer layers than planned after Ctrl-C."""
        threads = check_n_threads(self.n_threads)
        done: list[TrainedLayer] = []
        codes: FloatArray = X
        interrupted = False
        try:
            for k, layer in enumerate(plan):
                if k > 0:
                    codes = encode(done[-1].params, codes, hidden=plan[k - 1].hidden, n_threads=self.n_threads)
                start = init_params(codes.shape[1], layer.n_hidden, random_state=rng, dtype=X.dtype)
                seed = int(rng.randint(2**31 - 1))
                solver: Solver[Params]
                if layer.solver == "lbfgs":
                    solver = LbfgsSolver(start, codes, weight, layer.settings, LBFGS_MEMORY, threads)
                else:
                    options = epoch_options(
                        layer.solver, self.learning_rate, self.momentum, self.batch_size, seed, layer.settings, threads
                    )
                    solver = EpochSolver(start, options).use(codes, weight)
                control = FitControl(self._stage(layer.max_iter, f"layer {k + 1} of {len(plan)}"), solver, None)
                control.run()
                done.append(TrainedLayer(control.params, np.array([c.total for c in control.costs])))
                if control.interrupted:
                    interrupted = True
                    break
        except KeyboardInterrupt:
            if not done:
                raise
            interrupted = True
        if interrupted:
            self._warn_of_interrupt(f"{len(done)} of {len(plan)} layers are trained and kept, and not fine-tuned")
        self._interrupted = interrupted
        return done

    def _tune(
        self,
        layers: Layers,
        X: NDArray[Any],
        y: NDArray[np.int64] | None,
        weight: Weight,
        network: dict[str, Any],
        seed: int,
        validation: Callable[[Layers], float] | None = None,
    ) -> FitControl[Layers] | None:
        """Train all layers together; None if Ctrl-C comes before the first iteration."""
        threads = self.n_threads
        core: DeepLbfgsSolver | DeepEpochSolver
        try:
            if self.fine_tune_solver == "lbfgs":
                core = DeepLbfgsSolver(layers, X, y, weight, **network, memory=LBFGS_MEMORY, n_threads=threads)
            else:
                rate = self.fine_tune_learning_rate
                core = DeepEpochSolver(
                    layers,
                    **network,
                    solver=self.fine_tune_solver,
                    learning_rate=DEFAULT_LEARNING_RATE[self.fine_tune_solver] if rate is None else rate,
                    momentum=self.momentum if self.fine_tune_solver == "sgd" else 0.0,
                    batch_size=self.batch_size,
                    seed=seed,
                    n_threads=threads,
                )
                core.use(X, y, weight)
            control = FitControl(self._stage(self.fine_tune_max_iter, "fine-tuning"), DeepSolver(core), validation)
            control.run()
        except KeyboardInterrupt:
            self._warn_of_interrupt("the layers are trained and kept, and not fine-tuned")
            return None
        return control

    def _warn_of_interrupt(self, what: str) -> None:
        warnings.warn(f"fit was interrupted: {what}", FitInterruptedWarning, stacklevel=4)

    def _means(self, X: NDArray[Any], weight: Weight) -> list[NDArray[np.float64]]:
        """Mean activation of each hidden unit, mapped to [0, 1], layer by layer."""
        sums = [np.zeros(len(layer.b)) for layer in self.encoder_]
        for i in range(0, len(X), BLOCK):
            codes: FloatArray = X[i : i + BLOCK]
            for k, unit in enumerate(self.units_):
                codes = forward(self.encoder_[k : k + 1], codes, (unit,), self.n_threads)
                each = codes if weight is None else codes * weight[i : i + BLOCK, np.newaxis]
                sums[k] += np.sum(each, axis=0, dtype=np.float64)
        total = len(X) if weight is None else weight.sum()
        return [(s / total + 1) / 2 if unit == "tanh" else s / total for s, unit in zip(sums, self.units_, strict=True)]

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
        codes = forward(self.encoder_[:top], data, self.units_[:top], self.n_threads)
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
        return other

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file, whole or not at all; :func:`sae_fast.load` reads it."""
        from ._stack_file import save

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


def forward(layers: Layers, X: NDArray[Any], units: Sequence[Any], n_threads: int | None) -> FloatArray:
    """Activations of the last of the layers, for parameters and data that are checked."""
    return deep_forward(layers, X, units=units, n_threads=n_threads)
