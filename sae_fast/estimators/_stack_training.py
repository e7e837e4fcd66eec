"""Training of stacks: layer by layer, then all layers together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..network._data import Data
from ..network._functional import encode
from ..network._layer_plan import LayerPlan
from ..network._settings import Settings, check_settings
from ..network._solvers import LbfgsSolver
from ..network._types import AnyParams, FloatArray, Layer, Params
from ._fit import FitControl, FitInterruptedWarning, Stage
from ._held_out import Weight
from ._layer_training import Samples, Training, solver_of
from ._start import start_of

Layers = tuple[Layer, ...]


class StackTraining(Training, Protocol):
    """Parameters of a stack that say how its layers are trained together."""

    @property
    def learning_rate(self) -> float | None: ...
    @property
    def fine_tune_solver(self) -> str: ...
    @property
    def fine_tune_max_iter(self) -> int: ...
    @property
    def fine_tune_learning_rate(self) -> float | None: ...


class TrainedLayer(NamedTuple):
    """One layer after greedy training."""

    params: Params
    loss_curve: NDArray[np.float64]


def train_layers(
    model: StackTraining, X: NDArray[Any], weight: Weight, plan: Sequence[LayerPlan], rng: np.random.RandomState
) -> tuple[list[TrainedLayer], bool]:
    """Each layer on the codes of the one below; fewer layers than planned, and True, after Ctrl-C."""
    done: list[TrainedLayer] = []
    codes: FloatArray = X
    interrupted = False
    try:
        for k, layer in enumerate(plan):
            if k > 0:
                codes = encode(done[-1].params, codes, hidden=plan[k - 1].hidden, n_threads=model.n_threads)
            samples = Samples(Data(codes), weight)
            start = start_of(samples, layer.n_hidden, (layer.hidden, layer.output), rng)
            seed = int(rng.randint(2**31 - 1))
            solver = solver_of(model, layer.solver, model.learning_rate, start, samples, layer.settings, seed)
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


def tune(
    model: StackTraining,
    layers: Layers,
    samples: Samples,
    settings: Settings,
    seed: int,
    judge: Callable[[AnyParams], float] | None = None,
) -> FitControl[Layers] | None:
    """Train all layers together; None if Ctrl-C comes before the first iteration."""
    rate = model.fine_tune_learning_rate
    try:
        solver = solver_of(model, model.fine_tune_solver, rate, layers, samples, settings, seed)
        control = FitControl(stage(model, model.fine_tune_max_iter, "fine-tuning"), solver, judge)
        control.run()
    except KeyboardInterrupt:
        _warn("the layers are trained and kept, and not fine-tuned")
        return None
    return control


def train_head(
    model: Training, samples: Samples, n_classes: int, weight_decay: float, max_iter: int
) -> FitControl[Layers]:
    """Multinomial logistic regression on labelled codes: the finished run of the one layer."""
    codes = samples.data.X
    start: Layers = (Layer(np.zeros((n_classes, codes.shape[1]), codes.dtype), np.zeros(n_classes, codes.dtype)),)
    settings = check_settings(["linear"], "softmax", 0.5, 0.0, weight_decay, 1)
    solver = LbfgsSolver(start, *samples, settings, n_threads=model.n_threads)
    control = FitControl(stage(model, max_iter, "head"), solver, None)
    control.run()
    return control


def stage(model: Training, max_iter: int, name: str) -> Stage:
    """Controls of a stage with the parameters of ``model``."""
    return Stage(max_iter, model.tol, model.n_iter_no_change, model.verbose, model.callback, name)


def _warn(what: str) -> None:
    warnings.warn(f"fit was interrupted: {what}", FitInterruptedWarning, stacklevel=4)
