"""The loop around a solver: callback, progress, stopping, the best parameters, Ctrl-C."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._layers import as_given, as_layers, copy_params, flatten_layers, unflatten_layers
from ..network._solvers import Solver
from ..network._types import AnyParams, Cost, EpochInfo
from ..network._window_solver import WindowSolver
from ._checkpoint import Keeper
from ._progress import Progress

P = TypeVar("P", bound=AnyParams)


@public_in("sae_fast")
class FitInterruptedWarning(UserWarning):
    """Ctrl-C ended a fit before its time; the best parameters so far are kept."""


class Controls(Protocol):
    """What :class:`FitControl` is told: parameters of these names, of an estimator or of a :class:`Stage`."""

    @property
    def max_iter(self) -> int: ...
    @property
    def tol(self) -> float: ...
    @property
    def n_iter_no_change(self) -> int: ...
    @property
    def verbose(self) -> int: ...
    @property
    def callback(self) -> Callable[[EpochInfo], object] | None: ...


@dataclass(frozen=True)
class Stage:
    """Controls of one stage of a fit that has several, and its name."""

    max_iter: int
    tol: float
    n_iter_no_change: int
    verbose: int
    callback: Callable[[EpochInfo], object] | None
    name: str


class FitControl(Generic[P]):
    """One run of a solver.

    Attributes
    ----------
    params : Params, or tuple of Layer
        The result: the last parameters, or the best ones under early stopping and after Ctrl-C.
    n_iter : int
        Iterations done.
    costs : list of Cost
    validation_curve : list of float
    interrupted : bool
        Ctrl-C ended it.
    """

    def __init__(
        self,
        model: Controls,
        solver: Solver[P],
        validation: Callable[[P], float] | None,
        keeper: Keeper | None = None,
    ) -> None:
        self._model = model
        self._stage = model.name if isinstance(model, Stage) else ""
        self._solver = solver
        self._validation = validation
        self.costs: list[Cost] = []
        self.validation_curve: list[float] = []
        self.params = solver.params
        self.interrupted = False
        self._best: tuple[float, P] = (np.inf, solver.params)
        self._reference = np.inf
        self._waited = 0
        self._keeper = keeper
        self._unbooked: tuple[Cost, float] | None = None
        if keeper is not None:
            self._resume(keeper)
            if isinstance(solver, WindowSolver):
                solver.between = self._within_an_epoch  # type: ignore[method-assign]

    def _resume(self, keeper: Keeper) -> None:
        """Go on from a checkpoint, if there is one of this run."""
        if (state := keeper.take()) is not None:
            try:
                solver = {k.removeprefix("solver."): v for k, v in state.items() if k.startswith("solver.")}
                self._solver.restore(solver)
                self.costs = [Cost(*row) for row in state["costs"].tolist()]
                self.validation_curve = state["validation_curve"].tolist()
                best, self._reference, waited, n_evaluations = state["judged"].tolist()
                self._best = (best, self._like(state["best"]))
                self._waited = int(waited)
                self._unbooked = self._solver.unbooked(int(n_evaluations))
            except (KeyError, ValueError, TypeError, IndexError) as error:
                raise keeper.wrong(error) from error
        self._book()

    def _like(self, theta: NDArray[Any]) -> P:
        layers = as_layers(self._solver.params)
        sizes = [layers[0].W.shape[1], *(len(W) for W, _ in layers)]
        if theta.dtype != layers[0].W.dtype:
            raise ValueError(f"the parameters must be {layers[0].W.dtype}, got {theta.dtype}")
        return as_given(unflatten_layers(theta, sizes), self._solver.params)

    def _book(self) -> None:
        """Note what a checkpoint holds of this run, all at once: Ctrl-C may come between any two lines.

        A solver of epochs is noted too; L-BFGS tells at any time where it stands, and whether it is a step ahead.
        """
        solver = self._solver
        kept = solver.state() if solver.unit == "epoch" else None
        judged = [self._best[0], self._reference, self._waited, solver.n_evaluations]
        self._books = (self.n_iter, len(self.validation_curve), self._best[1], judged, kept)

    def _within_an_epoch(self) -> None:
        assert self._keeper is not None
        self._books = (*self._books[:-1], self._solver.state())
        self._keeper.write_if_due(self._state)

    def _state(self) -> dict[str, NDArray[Any]]:
        n, n_judged, best, judged, kept = self._books
        solver = self._solver.state() if kept is None else kept
        return {f"solver.{k}": v for k, v in solver.items()} | {
            "costs": np.array(self.costs[:n], np.float64).reshape(n, 4),
            "validation_curve": np.array(self.validation_curve[:n_judged], np.float64),
            "best": flatten_layers(as_layers(best)),
            "judged": np.array(judged, np.float64),
        }

    def _write(self, *, last: bool = False) -> None:
        """A checkpoint if one is due, or the last one."""
        if self._keeper is None:
            return
        if last:
            self._keeper.write(self._state())
        else:
            self._book()
            self._keeper.write_if_due(self._state)

    @property
    def unit(self) -> str:
        """What an iteration is called."""
        return self._solver.unit

    @property
    def n_iter(self) -> int:
        """Iterations done."""
        return len(self.costs)

    def run(self) -> None:
        """Iterate until max_iter, convergence, the callback or Ctrl-C ends it."""
        model, unit = self._model, self._solver.unit
        began = time.perf_counter()
        progress = Progress(model.max_iter, unit, self._stage) if model.verbose else None
        try:
            with progress or contextlib.nullcontext():
                while self.n_iter < model.max_iter and self._waited < model.n_iter_no_change:
                    result, self._unbooked = self._unbooked or self._solver.step(), None
                    if result is None:
                        break
                    cost, mean_activation = result
                    self.costs.append(cost)
                    done = self._judge(cost)
                    self._write()
                    seconds = time.perf_counter() - began
                    info = EpochInfo(
                        self.n_iter, model.max_iter, cost, mean_activation, self._solver.params, seconds, self._stage
                    )
                    if progress is not None:
                        progress.show(info)
                    if (model.callback is not None and model.callback(info)) or done:
                        break
        except KeyboardInterrupt:
            advice = self._last_words()
            if self._validation is not None:
                del self.costs[len(self.validation_curve) :]  # of an iteration that was not judged any more
            if not self.costs:
                raise
            self.params, self.interrupted = self._best[1], True
            self._check(self._best[0])
            where = f" in {self._stage}" if self._stage else ""
            warnings.warn(
                f"fit was interrupted{where} after {self.n_iter} of {model.max_iter} {unit}s; the best parameters so "
                f"far are kept (J = {self._best[0]:.6g}){advice}",
                FitInterruptedWarning,
                stacklevel=4 if self._stage else 3,  # the line that called fit; a stage runs in a function below it
            )
            return
        self._write(last=True)
        if not self.costs and self._solver.start_cost is not None:
            # No step improves the start: it is the result, after one look.
            self.costs.append(self._solver.start_cost)
        J, self.params = self._best
        if not self.validation_curve:
            J, self.params = self.costs[-1].total if self.costs else 0.0, copy_params(self._solver.params)
        self._check(J)

    def _last_words(self) -> str:
        """The last checkpoint of a run that was interrupted; what the message adds."""
        if self._keeper is None:
            return ""
        try:
            self._write(last=True)
        except OSError as error:
            advice = f"; no checkpoint was written: {error}"
        else:
            advice = self._keeper.advice
        self._keeper.close()
        return advice

    def _check(self, J: float) -> None:
        last = self.costs[-1] if self.costs else Cost(J, J, 0.0, 0.0)
        if np.inf == J and self._of_a_minibatch(last):
            J = last.loss
        check_finite(self.params, J, self.n_iter, self._solver.unit, self._stage, sparsity=last.sparsity)

    def _of_a_minibatch(self, cost: Cost) -> bool:
        """Is the cost infinite because units were at a bound for all samples of a minibatch, which few samples do?"""
        return cost.sparsity == np.inf and self._solver.unit == "epoch"

    def _judge(self, cost: Cost) -> bool:
        """Keep the best parameters; is it time to stop?"""
        model = self._model
        value = cost.total
        if self._validation is not None:
            value = self._validation(self._solver.params)
            self.validation_curve.append(value)
        if value < self._best[0] or self._best[0] == np.inf:
            self._best = (value, copy_params(self._solver.params))
        if value == np.inf and self._of_a_minibatch(cost):
            return False
        if value < self._reference - model.tol * abs(value):
            self._reference, self._waited = value, 0
        else:
            self._waited += 1
        return self._waited >= model.n_iter_no_change


def _finite(params: AnyParams) -> bool:
    return all(bool(np.isfinite(a).all()) for layer in as_layers(params) for a in layer)


def check_finite(
    params: AnyParams,
    J: float,
    n_iter: int,
    unit: str,
    stage: str = "",
    after: str = "",
    sparsity: float = 0.0,
    n_samples: int | None = None,
) -> None:
    """ValueError that the fit diverged, unless parameters and J are finite.

    ``after`` says how things are now; an infinite ``sparsity``, that of J, has a reason of its own.
    """
    finite = _finite(params)
    if finite and np.isfinite(J):
        return
    where, done = f" in {stage}" if stage else "", f"{n_iter} {unit}{'s' if n_iter != 1 else ''}"
    if finite and sparsity == np.inf:
        of = "" if n_samples is None else f" (n_samples = {n_samples})"
        raise ValueError(
            f"fit failed{where}: J is infinite after {done}, since hidden units are at a bound, 0 or 1, for all "
            f"samples{of}, where the penalty on their mean activation is infinite: take a larger rho or batch_size, a "
            f"smaller learning_rate or beta, or l1 instead of beta{after}"
        )
    what = "J is" if finite else "parameters are"
    raise ValueError(
        f"fit diverged{where}: {what} not finite after {done} (J = {J:.6g}): "
        f"scale the data, or choose a smaller learning_rate{after}"
    )
