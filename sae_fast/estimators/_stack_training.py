"""Training of stacks: layer by layer, then all layers together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..network._data import Data, check_data
from ..network._deep import deep_forward
from ..network._functional import encode, init_params
from ..network._layer_plan import LayerPlan
from ..network._optimizers import rule_of
from ..network._settings import Settings, check_settings
from ..network._solvers import EpochSolver, LbfgsSolver, Solver, trainer_options
from ..network._types import AnyParams, FloatArray, Layer, Params
from ._fit import Controls, FitControl, FitInterruptedWarning, Stage
from ._unit_report import BLOCK

Layers = tuple[Layer, ...]
Weight = NDArray[np.float64] | None
P = TypeVar("P", bound=AnyParams)


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
    start = init_params(X.shape[1], layer.n_hidden, random_state=rng, dtype=X.dtype)
    seed = int(rng.randint(2**31 - 1))
    return solver_of(model, layer.solver, model.learning_rate, start, Data(X), weight, layer.settings, seed)


def solver_of(
    model: Training,
    name: str,
    learning_rate: float | None,
    start: P,
    data: Data,
    weight: Weight,
    settings: Settings,
    seed: int,
) -> Solver[P]:
    """The solver of this name, with its data."""
    if name == "lbfgs":
        return LbfgsSolver(start, data, weight, settings, n_threads=model.n_threads)
    rule = rule_of(name, learning_rate, model.momentum)
    options = trainer_options(rule, batch_size=model.batch_size, seed=seed, n_threads=model.n_threads)
    return EpochSolver(start, settings, options).use(data, weight)


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
    try:
        settings = check_settings(**network, n_layers=len(layers))
        data = check_data(layers, X, y, settings.loss)
        rate = model.fine_tune_learning_rate
        solver = solver_of(model, model.fine_tune_solver, rate, layers, data, weight, settings, seed)
        control = FitControl(stage(model, model.fine_tune_max_iter, "fine-tuning"), solver, validation)
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
