"""Training in NumPy: update rules, minibatches in the core's order, epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network._checks import (
    ParamsLike,
    check_count,
    check_grad,
    check_in,
    check_in_place,
    check_n_threads,
    check_params,
    check_sample_weight,
    check_X,
    seed_from,
)
from ..network._data import Data, check_targets
from ..network._layers import as_given, as_layers, copy_params
from ..network._optimizers import Rule, check_rule, rate_of
from ..network._settings import Settings, check_autoencoder
from ..network._types import Cost, EpochInfo, Hidden, History, Loss, Output, Params
from ._losses import F64
from ._network import Layers, evaluate, gradient


class SGD:
    """``v = momentum v + g``, ``p -= learning_rate v``; see :class:`sae_fast.SGD`."""

    def __init__(self, params: Params, *, learning_rate: float, momentum: float = 0.0, nesterov: bool = False) -> None:
        self._rule = check_rule("sgd", learning_rate, momentum, nesterov)
        self.params, self.n_steps = check_in_place(params), 0
        self._v = [np.zeros_like(p) for p in self.params]

    def step(self, grad: Params) -> None:
        """Update in place."""
        self.n_steps += 1
        momentum, dtype = self._rule["momentum"], self.params[0].dtype
        for p, v, g in zip(self.params, self._v, check_grad(grad, self.params)):
            v *= dtype.type(momentum)
            v += g
            p -= dtype.type(self._rule["learning_rate"]) * (
                g + dtype.type(momentum) * v if self._rule["nesterov"] else v
            )


class Adam:
    """Moments of the gradient; see :class:`sae_fast.Adam`."""

    def __init__(
        self,
        params: Params,
        *,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        self._rule = check_rule("adam", learning_rate, beta1=beta1, beta2=beta2, eps=eps)
        self.params, self.n_steps = check_in_place(params), 0
        self._m = [np.zeros_like(p) for p in params]
        self._v = [np.zeros_like(p) for p in params]

    def step(self, grad: Params) -> None:
        """Update in place."""
        self.n_steps += 1
        r, t = self._rule, self.n_steps
        for p, m, v, g in zip(self.params, self._m, self._v, check_grad(grad, self.params)):
            m[...] = r["beta1"] * m + (1 - r["beta1"]) * g
            v[...] = r["beta2"] * v + (1 - r["beta2"]) * g * g
            hat = m / (1 - r["beta1"] ** t)
            p -= r["learning_rate"] * hat / (np.sqrt(v / (1 - r["beta2"] ** t)) + r["eps"])


def permutation(n: int, state: int) -> tuple[NDArray[np.intp], int]:
    """A permutation of 0 ... n-1 and the generator's next state: SplitMix64 and Fisher-Yates in plain integers."""
    mask, rows = 2**64 - 1, list(range(n))
    for i in range(n - 1, 0, -1):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        j = ((z ^ (z >> 31)) * (i + 1)) >> 64
        rows[i], rows[j] = rows[j], rows[i]
    return np.array(rows, dtype=np.intp), state


def epochs(
    layers: Layers,
    data: Data,
    settings: Settings,
    sample_weight: F64 | None,
    *,
    step: Callable[[Layers, Layers], None],
    batch_size: int,
    seed: int,
    shuffle: bool = True,
    rho_hat_momentum: float = 0.0,
) -> Iterator[tuple[Cost, float]]:
    """Cost and mean activation, averaged over the minibatches of an epoch; ``step(layers, grad)`` is the update."""
    state, means = seed, None
    while True:
        order = np.arange(len(data.X))
        if shuffle:
            order, state = permutation(len(order), state)
        sums, total = np.zeros(4), 0.0
        for i in range(0, len(order), batch_size):
            rows = order[i : i + batch_size]
            weight = None if sample_weight is None else sample_weight[rows]
            size = float(len(rows)) if weight is None else float(weight.sum())
            if size <= 0:
                continue
            batch = Data(*(None if a is None else a[rows] for a in data))  # type: ignore[arg-type]
            result = evaluate(layers, batch, settings, weight, means, rho_hat_momentum)
            means = result.means if rho_hat_momentum > 0 else None
            step(layers, gradient(layers, settings, result))
            mean = result.rho_hat.mean() if len(result.rho_hat) else np.nan
            sums += size * np.array([*result.cost[1:], mean])
            total += size
        sums /= total
        yield Cost(float(sums[:3].sum()), *map(float, sums[:3])), float(sums[3])


def train(
    params: ParamsLike,
    X: ArrayLike,
    *,
    solver: Rule = "adam",
    learning_rate: float | None = None,
    batch_size: int = 256,
    n_epochs: int = 10,
    rho: float = 0.05,
    beta: float = 3.0,
    weight_decay: float = 1e-4,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    momentum: float = 0.0,
    nesterov: bool = False,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    rho_hat_momentum: float = 0.0,
    sample_weight: ArrayLike | None = None,
    shuffle: bool = True,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    callback: Callable[[EpochInfo], object] | None = None,
    n_threads: int | None = None,
) -> tuple[Params, History]:
    """Train by minibatches; see :func:`sae_fast.train`."""
    start, dtype = check_params(params)
    data = Data(check_X(X, start.W1.shape[1]).astype(dtype, copy=False))
    params = copy_params(start)
    check_n_threads(n_threads)
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
    check_targets(data.X, loss)
    weight = check_sample_weight(sample_weight, len(data.X))
    rate = rate_of(solver, learning_rate)
    check_rule(solver, rate, momentum, nesterov, beta1, beta2, eps)
    opt = (
        Adam(params, learning_rate=rate, beta1=beta1, beta2=beta2, eps=eps)
        if solver == "adam"
        else SGD(params, learning_rate=rate, momentum=momentum, nesterov=nesterov)
    )
    runs = epochs(
        as_layers(params),
        data,
        settings,
        weight,
        step=lambda layers, grad: opt.step(as_given(grad, params)),
        batch_size=check_count("batch_size", batch_size),
        seed=seed_from(random_state),
        shuffle=shuffle,
        rho_hat_momentum=check_in("rho_hat_momentum", rho_hat_momentum, 0.0, 1.0, "in [0, 1)"),
    )
    rows, began = [], time.perf_counter()
    for epoch, (cost, mean) in zip(range(1, check_count("n_epochs", n_epochs) + 1), runs):
        rows.append((*cost, mean))
        info = EpochInfo(epoch, n_epochs, cost, mean, params, time.perf_counter() - began)
        if callback is not None and callback(info):
            break
    return params, History(*np.array(rows).T.copy())
