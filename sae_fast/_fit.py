"""The loop around a solver: callback, progress, stopping, the best parameters, Ctrl-C."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ._progress import Progress
from ._solvers import LbfgsSolver, Solver
from ._types import Cost, EpochInfo, Params

if TYPE_CHECKING:
    from ._estimator import SparseAutoencoder


class FitInterruptedWarning(UserWarning):
    """Ctrl-C ended a fit before its time; the best parameters so far are kept."""


class FitControl:
    """One run of a solver.

    Attributes
    ----------
    params : Params
        The result: the last parameters, or the best ones under early stopping and after Ctrl-C.
    n_iter : int
        Iterations done.
    costs : list of Cost
    validation_curve : list of float
    """

    def __init__(self, model: SparseAutoencoder, solver: Solver, validation: Callable[[Params], float] | None) -> None:
        self._model = model
        self._solver = solver
        self._validation = validation
        self.costs: list[Cost] = []
        self.validation_curve: list[float] = []
        self.params = solver.params
        self._best: tuple[float, Params] = (np.inf, solver.params)
        self._reference = np.inf
        self._waited = 0

    @property
    def n_iter(self) -> int:
        """Iterations done."""
        return len(self.costs)

    def run(self) -> None:
        """Iterate until max_iter, convergence, the callback or Ctrl-C ends it."""
        model = self._model
        unit = "iteration" if isinstance(self._solver, LbfgsSolver) else "epoch"
        began = time.perf_counter()
        progress = Progress(model.max_iter, unit) if model.verbose else None
        try:
            with progress or contextlib.nullcontext():
                while self.n_iter < model.max_iter:
                    result = self._solver.step()
                    if result is None:
                        break
                    cost, mean_activation = result
                    self.costs.append(cost)
                    done = self._judge(cost)
                    seconds = time.perf_counter() - began
                    info = EpochInfo(self.n_iter, model.max_iter, cost, mean_activation, self._solver.params, seconds)
                    if progress is not None:
                        progress.show(info)
                    if (model.callback is not None and model.callback(info)) or done:
                        break
        except KeyboardInterrupt:
            if not self.costs:
                raise
            self.params = self._best[1]
            warnings.warn(
                f"fit was interrupted after {self.n_iter} of {model.max_iter} {unit}s; the best parameters so far are "
                f"kept (J = {self._best[0]:.6g})",
                FitInterruptedWarning,
                stacklevel=3,
            )
            return
        if not self.costs and isinstance(self._solver, LbfgsSolver):
            # No step improves the start: it is the result, after one look.
            self.costs.append(self._solver.start_cost)
        self.params = self._best[1] if self._validation is not None else _copy(self._solver.params)

    def _judge(self, cost: Cost) -> bool:
        """Keep the best parameters; is it time to stop?"""
        model = self._model
        value = cost.total
        if self._validation is not None:
            value = self._validation(self._solver.params)
            self.validation_curve.append(value)
        if value < self._best[0]:
            self._best = (value, _copy(self._solver.params))
        if value < self._reference - model.tol * abs(value):
            self._reference, self._waited = value, 0
        else:
            self._waited += 1
        return self._waited >= model.n_iter_no_change


def _copy(params: Params) -> Params:
    return Params(*(a.copy() for a in params))
