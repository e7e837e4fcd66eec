"""The solvers of deep networks: each advances the layers by one iteration at a time, in the core."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ._checks import check_count, check_n_threads, check_sample_weight
from ._deep_checks import DeepData, Loss, PerLayer, check_data, check_settings
from ._deep_layers import LayersLike, check_layers, flatten_layers, unflatten_layers
from ._train import DEFAULT_LEARNING_RATE, _rule
from ._types import DeepCost, Layer, Output


def _copy(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    return tuple(Layer(np.array(W, order="C"), np.array(b, order="C")) for W, b in layers)


class DeepLbfgsSolver:
    """L-BFGS over all samples, in the core. The cost is that of the new parameters.

    Parameters
    ----------
    layers, X, y, sample_weight, units, loss, rho, beta, weight_decay, n_threads
        As for :func:`deep_cost_and_grad`; ``layers`` are copied.
    memory : int
        Pairs kept, >= 1.

    Attributes
    ----------
    layers : tuple of Layer
        Live parameters, views of one vector.
    n_evaluations : int
        Evaluations of cost and gradient so far.
    start_cost : DeepCost
        Before the first step.
    """

    def __init__(
        self,
        layers: LayersLike,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        *,
        units: Sequence[Output],
        loss: Loss,
        rho: PerLayer,
        beta: PerLayer,
        weight_decay: PerLayer,
        memory: int,
        n_threads: int | None,
    ) -> None:
        checked, dtype = check_layers(layers)
        settings = _core.Settings(*check_settings(units, loss, rho, beta, weight_decay, len(checked)))
        data = check_data(checked, X, y, loss)
        weight = check_sample_weight(sample_weight, len(data.X))
        sizes = [checked[0].W.shape[1], *(len(W) for W, _ in checked)]
        theta = flatten_layers(checked)
        self.layers = unflatten_layers(theta, sizes)
        kind = _core.LbfgsF32 if dtype == np.float32 else _core.LbfgsF64
        self._core = kind(
            theta, sizes, *data, weight, settings, check_count("memory", memory), check_n_threads(n_threads)
        )
        self.n_evaluations = 1
        self.start_cost = DeepCost(*self._core.start()[:4])

    def step(self) -> tuple[DeepCost, float] | None:
        """One iteration: cost, and mean activation of the sigmoid and tanh hidden units (NaN where there is none).

        None where no progress is possible any more.
        """
        *cost, _, self.n_evaluations, going = self._core.iterate()
        rho_hat = self._core.rho_hat()
        return (DeepCost(*cost), float(np.mean(rho_hat)) if rho_hat else np.nan) if going else None


class DeepEpochSolver:
    """Minibatch training, an epoch at a time, without the GIL. The cost is the mean over the epoch, before each update.

    Parameters
    ----------
    layers, units, loss, rho, beta, weight_decay, n_threads
        As for :func:`deep_cost_and_grad`; ``layers`` are copied. The sparsity penalty is that of each minibatch.
    solver : {"adam", "sgd"}
        Update rule; see :class:`sae_fast.Adam` and :class:`sae_fast.SGD`.
    learning_rate : float or None
        By default 1e-3 for Adam and 0.1 for SGD.
    momentum, nesterov
        For "sgd".
    batch_size : int
        >= 1; the last minibatch of an epoch may be shorter.
    seed : int
        Of the shuffling, in 0 ... 2^64 - 1.
    shuffle : bool
        Take the samples in a new order each epoch.

    Attributes
    ----------
    layers : tuple of Layer
        Live parameters.
    """

    def __init__(
        self,
        layers: LayersLike,
        *,
        units: Sequence[Output],
        loss: Loss,
        rho: PerLayer,
        beta: PerLayer,
        weight_decay: PerLayer,
        solver: str,
        learning_rate: float | None,
        momentum: float,
        batch_size: int,
        seed: int,
        n_threads: int | None,
        nesterov: bool = False,
        shuffle: bool = True,
    ) -> None:
        checked, dtype = check_layers(layers)
        settings = _core.Settings(*check_settings(units, loss, rho, beta, weight_decay, len(checked)))
        rate = DEFAULT_LEARNING_RATE.get(solver, 1.0) if learning_rate is None else learning_rate
        options = _rule(solver, rate, momentum if solver == "sgd" else 0.0, nesterov) | {
            "batch_size": check_count("batch_size", batch_size),
            "shuffle": bool(shuffle),
            "seed": seed,
            "rho_hat_momentum": 0.0,
            "n_threads": check_n_threads(n_threads),
        }
        self.layers = _copy(checked)
        kind = _core.TrainerF32 if dtype == np.float32 else _core.TrainerF64
        self._core = kind(self.layers, settings, options)
        self._loss = loss
        self._data: tuple[DeepData, NDArray[np.float64] | None] | None = None

    def use(self, X: ArrayLike, y: ArrayLike | None, sample_weight: ArrayLike | None) -> DeepEpochSolver:
        """Set the data of the coming steps; returns the solver itself."""
        data = check_data(self.layers, X, y, self._loss)
        self._data = (data, check_sample_weight(sample_weight, len(data.X)))
        return self

    def step(self) -> tuple[DeepCost, float]:
        """One epoch: cost, and mean activation of the sigmoid and tanh hidden units (NaN where there is none)."""
        if self._data is None:
            raise ValueError("the solver has no data yet: call use(X, y, sample_weight) before step()")
        data, weight = self._data
        *parts, mean_activation = self._core.run_epoch(*data, weight)
        return DeepCost(sum(parts), *parts), mean_activation
