"""Training of stacks: layer by layer, then all layers together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..network._functional import encode
from ..network._layer_plan import LayerPlan
from ..network._layers import as_given, as_layers, flatten_layers, unflatten_layers
from ..network._settings import Settings, check_settings
from ..network._solvers import LbfgsSolver
from ..network._types import AnyParams, Layer, Params
from ._checkpoint import Keeper
from ._fit import FitControl, FitInterruptedWarning, Stage
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


class TrainedHead(NamedTuple):
    """The head of a classifier after its training on codes."""

    params: Layers
    loss_curve: NDArray[np.float64]
    interrupted: bool


def train_layers(
    model: StackTraining,
    samples: Samples,
    plan: Sequence[LayerPlan],
    rng: np.random.RandomState,
    keeper: Keeper | None = None,
) -> tuple[list[TrainedLayer], bool]:
    """Each layer on the codes of the one below; fewer layers than planned, and True, after Ctrl-C.

    Codes of a source are made anew whenever they are read.
    """
    done: list[TrainedLayer] = []
    interrupted = False
    try:
        for k, layer in enumerate(plan):
            if k > 0:
                below = partial(encode, done[-1].params, hidden=plan[k - 1].hidden, n_threads=model.n_threads)
                samples = samples.through(below, plan[k - 1].n_hidden)
            start = start_of(samples, layer.n_hidden, (layer.hidden, layer.output), rng)
            seed = int(rng.randint(2**31 - 1))
            if keeper is not None and (kept := keeper.finished(flatten_layers(as_layers(start)))) is not None:
                theta, curve = kept
                v, h = start.W1.shape[1], start.W1.shape[0]
                done.append(TrainedLayer(as_given(unflatten_layers(theta, (v, h, v)), start), curve))
                keeper.finish(theta, curve)
                continue
            controls = stage(model, layer.max_iter, f"layer {k + 1} of {len(plan)}")
            solver = solver_of(
                model, layer.solver, model.learning_rate, start, samples, layer.settings, seed, resumes(keeper)
            )
            control = FitControl(controls, solver, None, keeper)
            control.run()
            done.append(TrainedLayer(control.params, np.array([c.total for c in control.costs])))
            if keeper is not None:
                keeper.finish(flatten_layers(as_layers(control.params)), done[-1].loss_curve)
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
    keeper: Keeper | None = None,
) -> FitControl[Layers] | None:
    """Train all layers together; None if Ctrl-C comes before the first iteration."""
    rate = model.fine_tune_learning_rate
    try:
        solver = solver_of(model, model.fine_tune_solver, rate, layers, samples, settings, seed, resumes(keeper))
        control = FitControl(stage(model, model.fine_tune_max_iter, "fine-tuning"), solver, judge, keeper)
        control.run()
    except KeyboardInterrupt:
        _warn("the layers are trained and kept, and not fine-tuned")
        return None
    return control


def train_head(
    model: Training,
    samples: Samples,
    n_classes: int,
    weight_decay: float,
    max_iter: int,
    keeper: Keeper | None = None,
) -> TrainedHead:
    """Multinomial logistic regression on labelled codes: the one layer."""
    codes = samples.data.X
    start: Layers = (Layer(np.zeros((n_classes, codes.shape[1]), codes.dtype), np.zeros(n_classes, codes.dtype)),)
    settings = check_settings(["linear"], "softmax", 0.5, 0.0, weight_decay, 1)
    if keeper is not None and (kept := keeper.finished(flatten_layers(start))) is not None:
        theta, curve = kept
        keeper.finish(theta, curve)
        return TrainedHead(unflatten_layers(theta, (codes.shape[1], n_classes)), curve, False)
    solver = LbfgsSolver(start, *samples, settings, n_threads=model.n_threads, start=not resumes(keeper))
    control = FitControl(stage(model, max_iter, "head"), solver, None, keeper)
    control.run()
    curve = np.array([c.total for c in control.costs])
    if keeper is not None:
        keeper.finish(flatten_layers(control.params), curve)
    return TrainedHead(control.params, curve, control.interrupted)


def resumes(keeper: Keeper | None) -> bool:
    """Is there a state to go on from, of the stage that comes?"""
    return keeper is not None and keeper.resumes


def stage(model: Training, max_iter: int, name: str) -> Stage:
    """Controls of a stage with the parameters of ``model``."""
    return Stage(max_iter, model.tol, model.n_iter_no_change, model.verbose, model.callback, name)


def _warn(what: str) -> None:
    warnings.warn(f"fit was interrupted: {what}", FitInterruptedWarning, stacklevel=4)
