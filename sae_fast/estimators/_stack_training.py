"""Training of stacks: layer by layer, then all layers together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..network._checks import check_n_threads
from ..network._deep import DeepEpochSolver, DeepLbfgsSolver, deep_forward
from ..network._functional import encode, init_params
from ..network._layer_plan import LayerPlan
from ..network._solvers import LBFGS_MEMORY, EpochSolver, LbfgsSolver, Solver, epoch_options
from ..network._types import AnyCost, FloatArray, Layer, Params
from ._fit import Controls, FitControl, FitInterruptedWarning, Stage
from ._unit_report import BLOCK

Layers = tuple[Layer, ...]
Weight = NDArray[np.float64] | None


class Training(Controls, Protocol):
    """Parameters of a stack that say how it is trained."""

    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float | None: ...
    @property
    def momentum(self) -> float: ...
    @property
    def fine_tune_solver(self) -> str: ...
    @property
    def fine_tune_max_iter(self) -> int: ...
    @property
    def fine_tune_learning_rate(self) -> float | None: ...
    @property
    def n_threads(self) -> int | None: ...


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
        return self._core.layers

    def step(self) -> tuple[AnyCost, float] | None:
        """One iteration or epoch."""
        return self._core.step()


def train_layers(
    model: Training, X: NDArray[Any], weight: Weight, plan: Sequence[LayerPlan], rng: np.random.RandomState
) -> tuple[list[TrainedLayer], bool]:
    """Each layer on the codes of the one below; fewer layers than planned, and True, after Ctrl-C."""
    done: list[TrainedLayer] = []
    codes: FloatArray = X
    interrupted = False
    try:
        for k, layer in enumerate(plan):
            if k > 0:
                codes = encode(done[-1].params, codes, hidden=plan[k - 1].hidden, n_threads=model.n_threads)
            solver = _layer_solver(model, codes, weight, layer, rng)
            control = FitControl(stage(model, layer.max_iter, f"layer {k + 1} of {len(plan)}"), solver, None)
            control.run()
            done.append(TrainedLayer(control.params, np.array([c.total for c in control.costs])))
            interrupted = control.interrupted
            if interrupted:
                break
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    if interrupted:
        _warn(f"{len(done)} of {len(plan)} layers are trained and kept, and not fine-tuned")
    return done, interrupted


def _layer_solver(
    model: Training, X: FloatArray, weight: Weight, layer: LayerPlan, rng: np.random.RandomState
) -> Solver[Params]:
    threads = check_n_threads(model.n_threads)
    start = init_params(X.shape[1], layer.n_hidden, random_state=rng, dtype=X.dtype)
    seed = int(rng.randint(2**31 - 1))
    if layer.solver == "lbfgs":
        return LbfgsSolver(start, X, weight, layer.settings, LBFGS_MEMORY, threads)
    rate, momentum, size = model.learning_rate, model.momentum, model.batch_size
    options = epoch_options(layer.solver, rate, momentum, size, seed, layer.settings, threads)
    return EpochSolver(start, options).use(X, weight)


def tune(
    model: Training,
    layers: Layers,
    X: NDArray[Any],
    y: NDArray[np.int64] | None,
    weight: Weight,
    network: dict[str, Any],
    seed: int,
    validation: Callable[[Layers], float] | None = None,
) -> FitControl[Layers] | None:
    """Train all layers together; None if Ctrl-C comes before the first iteration."""
    core: DeepLbfgsSolver | DeepEpochSolver
    try:
        if model.fine_tune_solver == "lbfgs":
            core = DeepLbfgsSolver(layers, X, y, weight, **network, memory=LBFGS_MEMORY, n_threads=model.n_threads)
        else:
            core = DeepEpochSolver(
                layers,
                **network,
                solver=model.fine_tune_solver,
                learning_rate=model.fine_tune_learning_rate,
                momentum=model.momentum,
                batch_size=model.batch_size,
                seed=seed,
                n_threads=model.n_threads,
            ).use(X, y, weight)
        control = FitControl(stage(model, model.fine_tune_max_iter, "fine-tuning"), DeepSolver(core), validation)
        control.run()
    except KeyboardInterrupt:
        _warn("the layers are trained and kept, and not fine-tuned")
        return None
    return control


def stage(model: Training, max_iter: int, name: str) -> Stage:
    """Controls of a stage with the parameters of ``model``."""
    return Stage(max_iter, model.tol, model.n_iter_no_change, model.verbose, model.callback, name)


def _warn(what: str) -> None:
    warnings.warn(f"fit was interrupted: {what}", FitInterruptedWarning, stacklevel=4)


def mean_activations(
    encoder: Layers, units: Sequence[Any], X: NDArray[Any], weight: Weight, n_threads: int | None
) -> list[NDArray[np.float64]]:
    """Mean activation of each hidden unit, mapped to [0, 1], layer by layer."""
    sums = [np.zeros(len(layer.b)) for layer in encoder]
    for i in range(0, len(X), BLOCK):
        codes: FloatArray = X[i : i + BLOCK]
        for k, unit in enumerate(units):
            codes = deep_forward(encoder[k : k + 1], codes, units=[unit], n_threads=n_threads)
            each = codes if weight is None else codes * weight[i : i + BLOCK, np.newaxis]
            sums[k] += np.sum(each, axis=0, dtype=np.float64)
    total = len(X) if weight is None else weight.sum()
    return [(s / total + 1) / 2 if unit == "tanh" else s / total for s, unit in zip(sums, units, strict=True)]
