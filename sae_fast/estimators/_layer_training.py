"""Training of one autoencoder, alone or in a stack: its samples, its solver, what judges it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from .. import _core
from ..network._checks import check_n_threads
from ..network._data import Data
from ..network._optimizers import rule_of
from ..network._settings import Settings
from ..network._solvers import EpochSolver, LbfgsSolver, Solver, trainer_options
from ..network._types import AnyParams, Cost, FloatArray
from ..network._window_solver import WindowSolver
from ._fit import Controls
from ._held_out import Rows, Weight, taken

P = TypeVar("P", bound=AnyParams)


class Samples(NamedTuple):
    """What a network learns from, or is judged by: samples with their targets, and their weights."""

    data: Data
    weight: Weight = None

    def rows(self, rows: Rows) -> Samples:
        """Some of them."""
        X = self.data.X
        data = Data(*taken(rows, *self.data)) if isinstance(X, np.ndarray) else Data(X.rows(rows))
        return Samples(data, *taken(rows, self.weight))

    def through(self, step: Callable[[FloatArray], FloatArray], n_features: int) -> Samples:
        """What a step makes of them, row by row: at once of an array, in each pass of a source."""
        X = self.data.X
        return Samples(Data(step(X) if isinstance(X, np.ndarray) else X.through(step, n_features)), self.weight)


class Training(Controls, Protocol):
    """Parameters of an estimator that say how its layers are trained."""

    @property
    def batch_size(self) -> int: ...
    @property
    def momentum(self) -> float: ...
    @property
    def n_threads(self) -> int | None: ...


def options_of(model: Training, solver: str, learning_rate: float | None, seed: int = 0) -> dict[str, Any]:
    """Options of a minibatch solver; the seed is that of its shuffling."""
    rule = rule_of(solver, learning_rate, model.momentum)
    return trainer_options(rule, batch_size=model.batch_size, seed=seed, n_threads=model.n_threads)


def solver_of(
    model: Training,
    solver: str,
    learning_rate: float | None,
    start: P,
    samples: Samples,
    settings: Settings,
    seed: int,
    resumes: bool = False,
) -> Solver[P]:
    """The solver of this name, on these samples; one that ``resumes`` has a state to come."""
    if solver == "lbfgs":
        return LbfgsSolver(start, *samples, settings, n_threads=model.n_threads, start=not resumes)
    options = options_of(model, solver, learning_rate, seed)
    if not isinstance(samples.data.X, np.ndarray):
        return WindowSolver(start, settings, options, samples.data.X, samples.weight)
    return EpochSolver(start, settings, options).use(*samples)


def cost_of(params: AnyParams, samples: Samples, settings: Settings, n_threads: int | None) -> Cost:
    """J and its parts."""
    data, weight = samples
    threads = check_n_threads(n_threads)
    if isinstance(data.X, np.ndarray):
        return Cost(*_core.evaluate(params, *data, weight, settings.core, n_threads=threads))
    return Cost(*_core.evaluate_source(params, data.X, weight, settings.core, n_threads=threads))


def judge_of(
    samples: Samples, settings: Settings, n_threads: int | None, part: str = "total"
) -> Callable[[AnyParams], float]:
    """J, or a part of it, on samples that were held out."""

    def judge(params: AnyParams) -> float:
        value: float = getattr(cost_of(params, samples, settings, n_threads), part)
        return value

    return judge
