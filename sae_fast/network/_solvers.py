"""The solvers: each advances the parameters of a network, of any number of layers, by one iteration at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, Self, SupportsIndex, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ._checks import check_count, check_in, check_n_threads, listed
from ._data import Data
from ._layers import as_given, as_layers, copy_params, flatten_layers, unflatten_layers
from ._measure import Measured, by_layer, hidden_sizes
from ._optimizers import RULES
from ._settings import Settings
from ._types import AnyParams, Cost

SOLVERS = ("lbfgs", "adam", "sgd")
LBFGS_MEMORY = 20  # pairs that the estimators keep
P = TypeVar("P", bound=AnyParams)
P_co = TypeVar("P_co", bound=AnyParams, covariant=True)


class Solver(Protocol[P_co]):
    """What :class:`sae_fast.estimators._fit.FitControl` drives."""

    @property
    def params(self) -> P_co:
        """Live parameters."""

    @property
    def unit(self) -> str:
        """What a step is called: iteration or epoch."""

    @property
    def n_evaluations(self) -> int:
        """Looks at all samples so far, where there are such."""

    @property
    def start_cost(self) -> Cost | None:
        """Cost of the start, where the solver has looked at it."""

    def step(self) -> tuple[Cost, float] | None:
        """Advance; cost and mean activation, or None where no progress is possible any more."""

    def measured(self) -> Measured | None:
        """Cost and hidden units of ``params`` over the training data, where the last step has looked at them."""

    def state(self) -> State:
        """All that another solver, of the same arguments, needs to go on from here by the same bits."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the state of another solver; ValueError or KeyError for one that does not fit."""

    def unbooked(self, n_evaluations: int) -> tuple[Cost, float] | None:
        """What the last step has come to, if there was one since the solver had looked so often at the samples."""


State: TypeAlias = dict[str, NDArray[Any]]


def check_solver(name: str, value: object) -> str:
    """A solver's name."""
    if not isinstance(value, str) or value not in SOLVERS:
        raise ValueError(f"{name} must be {listed(SOLVERS)}, got {value!r}")
    return str(value)


class LbfgsSolver(Generic[P]):
    """L-BFGS over all samples, in the core. The cost is that of the new parameters.

    Parameters
    ----------
    params : Params or tuple of Layer
        Where to start, checked; copied.
    data : Data
        Checked; ``Data(X)`` for an autoencoder.
    sample_weight : ndarray of shape (n_samples,) or None
        Checked.
    settings : Settings
    memory : int
        Pairs kept, >= 1.
    n_threads : int, optional
    unit_range : bool
        Look at the ranges of hidden units at each evaluation, for :meth:`measured`.
    start : bool
        Look at the start now; otherwise :meth:`restore` comes first.

    Attributes
    ----------
    params : Params or tuple of Layer
        Live parameters, views of one vector.
    n_evaluations : int
        Evaluations of cost and gradient so far.
    start_cost : Cost
        Before the first step.
    """

    unit = "iteration"

    def __init__(
        self,
        params: P,
        data: Data,
        sample_weight: NDArray[np.float64] | None,
        settings: Settings,
        *,
        memory: SupportsIndex = LBFGS_MEMORY,
        n_threads: int | None = None,
        unit_range: bool = False,
        start: bool = True,
    ) -> None:
        layers = as_layers(params)
        sizes = [layers[0].W.shape[1], *(len(W) for W, _ in layers)]
        self._theta = theta = flatten_layers(layers)
        self.params: P = as_given(unflatten_layers(theta, sizes), params)
        pairs, threads = check_count("memory", memory), check_n_threads(n_threads)
        kind = _core.LbfgsF32 if theta.dtype == np.float32 else _core.LbfgsF64
        self._core = kind(theta, sizes, *data, sample_weight, settings.core, pairs, threads, unit_range)
        self._settings = settings if unit_range else None
        self.n_evaluations = 1 if start else 0
        self.start_cost = self._cost = Cost(*self._core.start()[:4]) if start else Cost(*[np.nan] * 4)

    def step(self) -> tuple[Cost, float] | None:
        """One iteration: cost, and mean activation of the hidden units that have one (NaN where there is none)."""
        *cost, _, self.n_evaluations, going = self._core.iterate()
        if not going:
            return None
        self._cost = Cost(*cost)
        return self._cost, self._mean_activation()

    def _mean_activation(self) -> float:
        rho_hat = self._core.rho_hat()
        return float(np.mean(rho_hat)) if rho_hat else np.nan

    def state(self) -> State:
        """Parameters, gradient, pairs and all scalars."""
        vectors, numbers = self._core.state()
        return {"theta": self._theta.copy(), "vectors": vectors, "numbers": numbers, "start": np.array(self.start_cost)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the state of another solver of the same arguments."""
        take_over(self._theta, state["theta"])
        self._core.restore(state["vectors"], state["numbers"])
        self.start_cost = Cost(*state["start"].tolist())
        parts = state["numbers"][1:4].tolist()
        self._cost = Cost(float(state["numbers"][0]), *parts)
        self.n_evaluations = int(state["numbers"][5])
        self._stalled = bool(state["numbers"][6])

    def unbooked(self, n_evaluations: int) -> tuple[Cost, float] | None:
        """After :meth:`restore`: the step since then, if there was one that ended."""
        if self.n_evaluations == n_evaluations or self._stalled:
            return None
        return self._cost, self._mean_activation()

    def measured(self) -> Measured | None:
        """Cost and hidden units of ``params`` over the training data, if ``unit_range`` was asked for."""
        if self._settings is None:
            return None
        rho_hat, unit_range = np.array(self._core.rho_hat()), self._core.unit_range()
        return by_layer(self._cost, rho_hat, unit_range, hidden_sizes(self.params), self._settings)


class EpochSolver(Generic[P]):
    """Minibatch training, an epoch at a time. The cost is the mean over the epoch, before each update.

    The sparsity penalty is that of each minibatch.

    Parameters
    ----------
    params : Params or tuple of Layer
        Where to start, checked; copied.
    settings : Settings
    options : mapping
        From :func:`trainer_options`.

    Attributes
    ----------
    params : Params or tuple of Layer
        Live parameters.
    """

    unit = "epoch"
    start_cost = None
    n_evaluations = 0

    def __init__(self, params: P, settings: Settings, options: Mapping[str, Any]) -> None:
        self.params: P = copy_params(params)
        self.solver = RULES[options["solver"]]
        kind = _core.TrainerF32 if as_layers(params)[0].W.dtype == np.float32 else _core.TrainerF64
        self._core = kind(self.params, settings.core, dict(options))
        self._data: tuple[Data, NDArray[np.float64] | None] | None = None

    def use(self, data: Data, sample_weight: NDArray[np.float64] | None) -> Self:
        """Set the data of the coming steps, checked; returns the solver itself."""
        self._data = (data, sample_weight)
        return self

    def step(self) -> tuple[Cost, float]:
        """One epoch: cost, and mean activation of the hidden units that have one (NaN where there is none)."""
        if self._data is None:
            raise ValueError("the solver has no data yet: call use(data, sample_weight) before step()")
        data, weight = self._data
        *parts, mean_activation = self._core.run_epoch(*data, weight)
        return Cost(sum(parts), *parts), mean_activation

    def measured(self) -> None:
        """The core has not looked at the parameters since their last update."""

    def state(self) -> State:
        """Parameters, moments, steps, and the order of shuffling."""
        n_steps, first, second, random, running = self._core.state()
        return {
            "theta": flatten_layers(as_layers(self.params)),
            "first": first,
            "second": second,
            "running": running,
            "n_steps": np.array([n_steps]),
            "random": np.array([random], np.uint64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the state of another solver of the same arguments."""
        theta = flatten_layers(as_layers(self.params))
        take_over(theta, state["theta"])
        layers = as_layers(self.params)
        sizes = [layers[0].W.shape[1], *(len(W) for W, _ in layers)]
        for live, given in zip(layers, unflatten_layers(theta, sizes), strict=True):
            live.W[:], live.b[:] = given
        moments = state["first"], state["second"]
        self._core.restore(int(state["n_steps"][0]), *moments, int(state["random"][0]), state["running"])

    def unbooked(self, n_evaluations: int) -> None:
        """None: a state is kept after each epoch, so that there is never a step after it."""

    def go_on(self, params: P, settings: Settings, options: Mapping[str, Any]) -> None:
        """Take these parameters and options; the optimiser's moments and the order of shuffling stay."""
        self._core.change(settings.core, dict(options))
        for live, given in zip(as_layers(self.params), as_layers(params), strict=True):
            live.W[:], live.b[:] = given

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


def take_over(array: NDArray[Any], stored: NDArray[Any]) -> None:
    """Copy what was stored to an array of the same shape and dtype."""
    if stored.shape != array.shape or stored.dtype != array.dtype:
        raise ValueError(f"the state must have {array.dtype} {array.shape}, got {stored.dtype} {stored.shape}")
    array[:] = stored


def trainer_options(
    rule: Mapping[str, Any],
    *,
    batch_size: SupportsIndex,
    seed: int,
    n_threads: int | None,
    shuffle: bool = True,
    rho_hat_momentum: object = 0.0,
) -> dict[str, Any]:
    """Options of the core's trainer, with those of its update rule (:func:`._optimizers.check_rule`)."""
    return {
        **rule,
        "batch_size": check_count("batch_size", batch_size),
        "shuffle": bool(shuffle),
        "seed": seed,
        "rho_hat_momentum": check_in("rho_hat_momentum", rho_hat_momentum, 0.0, 1.0, "in [0, 1)"),
        "n_threads": check_n_threads(n_threads),
    }
