"""The solvers of the estimators: each advances the parameters by one iteration at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ._checks import core_settings
from ._functional import flatten, unflatten
from ._train import DEFAULT_LEARNING_RATE, SOLVERS, _rule
from ._types import AnyCost, Cost, Params

LBFGS_MEMORY = 20  # pairs that the estimators keep
P_co = TypeVar("P_co", bound=tuple[Any, ...], covariant=True)


class Solver(Protocol[P_co]):
    """What :class:`sae_fast.estimators._fit.FitControl` drives."""

    @property
    def params(self) -> P_co:
        """Live parameters."""

    @property
    def unit(self) -> str:
        """What a step is called: iteration or epoch."""

    @property
    def start_cost(self) -> AnyCost | None:
        """Cost of the start, where the solver has looked at it."""

    def step(self) -> tuple[AnyCost, float] | None:
        """Advance; cost and mean activation, or None where no progress is possible any more."""


class LbfgsSolver:
    """L-BFGS over all samples, in the core. The cost is that of the new parameters."""

    unit = "iteration"

    def __init__(
        self,
        params: Params,
        X: NDArray[Any],
        sample_weight: NDArray[np.float64] | None,
        settings: tuple[int, int, float, float, float],
        memory: int,
        n_threads: int,
    ) -> None:
        h, v = params.W1.shape
        theta = flatten(params)
        self.params = unflatten(theta, v, h)
        kind = _core.LbfgsF32 if theta.dtype == np.float32 else _core.LbfgsF64
        self._core = kind(theta, [v, h, v], X, None, None, sample_weight, core_settings(*settings), memory, n_threads)
        self.n_evaluations = 1
        self.start_cost = Cost(*self._core.start()[:4])

    def step(self) -> tuple[Cost, float] | None:
        """One iteration."""
        *cost, _, self.n_evaluations, going = self._core.iterate()
        return (Cost(*cost), float(np.mean(self._core.rho_hat()))) if going else None


class EpochSolver:
    """Minibatch training, an epoch at a time. The cost is the mean over the epoch, before each update."""

    unit = "epoch"
    start_cost = None

    def __init__(self, params: Params, options: Mapping[str, Any]) -> None:
        self.params = Params(*(np.array(a, order="C") for a in params))
        self.solver = SOLVERS[options["solver"]]
        kind = _core.TrainerF32 if params.W1.dtype == np.float32 else _core.TrainerF64
        self._core = kind(self.params, options["settings"], dict(options))
        self._data: tuple[NDArray[Any], NDArray[np.float64] | None] | None = None

    def use(self, X: NDArray[Any], sample_weight: NDArray[np.float64] | None) -> EpochSolver:
        """Set the data of the coming steps."""
        self._data = (X, sample_weight)
        return self

    def step(self) -> tuple[Cost, float]:
        """One epoch."""
        assert self._data is not None
        *parts, mean_activation = self._core.run_epoch(self._data[0], None, None, self._data[1])
        return Cost(sum(parts), *parts), mean_activation

    def go_on(self, params: Params, options: Mapping[str, Any]) -> None:
        """Take these parameters and options; the optimiser's moments and the order of shuffling stay."""
        self._core.change(options["settings"], dict(options))
        for live, given in zip(self.params, params, strict=True):
            live[:] = given

    @contextlib.contextmanager
    def trial(self) -> Iterator[None]:
        """Around steps that may fail: if the body raises, the optimiser is as it was. The data are let go."""
        self._core.checkpoint()
        try:
            yield
        except BaseException:
            self._core.rollback()
            raise
        finally:
            self._data = None


def epoch_options(
    solver: str,
    learning_rate: float | None,
    momentum: float,
    batch_size: int,
    seed: int,
    settings: tuple[int, int, float, float, float],
    n_threads: int,
) -> dict[str, Any]:
    """Options of the core's trainer, with the settings of its network."""
    rate = DEFAULT_LEARNING_RATE[solver] if learning_rate is None else learning_rate
    return _rule(solver, rate, momentum if solver == "sgd" else 0.0) | {
        "settings": core_settings(*settings),
        "batch_size": batch_size,
        "shuffle": True,
        "seed": seed,
        "rho_hat_momentum": 0.0,
        "n_threads": n_threads,
    }
