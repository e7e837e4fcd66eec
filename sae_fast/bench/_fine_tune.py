"""Supervised fine-tuning of a whole stack: one epoch of minibatches, softmax and Adam."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network._data import check_data
from ..network._deep import deep_cost_and_grad
from ..network._optimizers import check_rule
from ..network._settings import check_settings
from ..network._solvers import EpochSolver, trainer_options
from ..network._types import Layer
from ._works import BATCH, RATE, SETTINGS, Work

DECAY = SETTINGS["weight_decay"]


def network(work: Work, dtype: Any) -> tuple[tuple[Layer, ...], NDArray[np.intp]]:
    """UFLDL's initial weights for each layer, and labels."""
    rng = np.random.default_rng(1)
    layers = []
    for n_in, n_out in itertools.pairwise(work.sizes):
        r = np.sqrt(6 / (n_in + n_out + 1))
        layers.append(Layer(rng.uniform(-r, r, (n_out, n_in)).astype(dtype), rng.uniform(-r, r, n_out).astype(dtype)))
    return tuple(layers), rng.integers(0, work.sizes[-1], work.n_samples).astype(np.intp)


def ours(work: Work, X: NDArray[Any], n_threads: int) -> tuple[Callable[[], object], Callable[[], Any]]:
    """An epoch, and cost and gradients at the start."""
    layers, y = network(work, X.dtype)
    units: Any = ["sigmoid"] * (len(layers) - 1) + ["linear"]

    def epoch() -> None:
        settings = check_settings(units, "softmax", 0.05, 0.0, DECAY, len(layers))
        options = trainer_options(check_rule("adam", RATE), batch_size=BATCH, seed=0, n_threads=n_threads)
        EpochSolver(layers, settings, options).use(check_data(layers, X, y, "softmax"), None).step()

    def start() -> Any:
        J, grad = deep_cost_and_grad(layers, X, y, units=units, loss="softmax", weight_decay=DECAY, n_threads=n_threads)
        return J, [a for layer in grad for a in layer]

    return epoch, start


def torch(work: Work, data: NDArray[Any], wrap: Callable[[Any], Any]) -> tuple[Callable[[], object], Callable[[], Any]]:
    """The same in PyTorch, autograd and the fused Adam."""
    import torch as th

    layers, labels = network(work, data.dtype)
    X, y = th.from_numpy(data), th.from_numpy(labels)
    params = [th.from_numpy(a.copy()).requires_grad_() for layer in layers for a in layer]
    linear = th.nn.functional.linear

    @wrap
    def cost(X: Any, y: Any) -> Any:
        a = X
        for W, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            a = th.sigmoid(linear(a, W, b))
        loss = th.nn.functional.cross_entropy(linear(a, params[-2], params[-1]), y)
        return loss + DECAY / 2 * sum((W**2).sum() for W in params[::2])

    optimizer = th.optim.Adam(params, lr=RATE, fused=True)

    def epoch() -> None:
        for rows in th.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            cost(X[rows], y[rows]).backward()
            optimizer.step()

    def start() -> Any:
        optimizer.zero_grad()
        J = cost(X, y)
        J.backward()
        return J.item(), [p.grad.numpy() for p in params]

    return epoch, start
