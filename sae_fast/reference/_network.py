"""One evaluation in NumPy of a network of any number of layers: cost, deltas, gradients.

Formulas: UFLDL, "Autoencoders and Sparsity", "Backpropagation Algorithm" and "Softmax Regression". An autoencoder is
two layers, whose target is its input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..network._data import Data
from ..network._settings import Settings
from ..network._types import Cost, FloatArray, Layer
from ._losses import F64, LOSSES
from ._sparsity import Mean, divergence, mean_of, moved, penalty_delta
from ._units import UNITS

Layers = tuple[Layer, ...]


class Pass(NamedTuple):
    """What one evaluation gives; ``activations`` begin with X, ``means`` are those of hidden units that have one."""

    cost: Cost
    deltas: list[FloatArray]
    activations: list[FloatArray]
    means: list[Mean]

    @property
    def rho_hat(self) -> F64:
        """Mean activations, layer after layer."""
        return np.concatenate([mean.s for mean in self.means]) if self.means else np.empty(0)


def evaluate(
    layers: Layers,
    data: Data,
    settings: Settings,
    sample_weight: F64 | None,
    before: list[Mean] | None = None,
    momentum: float = 0.0,
) -> Pass:
    """Forward through all layers, cost, and deltas back; ``before`` are the running means of minibatch training."""
    X, dtype = data.X, layers[0].W.dtype
    units, m, last = settings.units, len(X), len(layers) - 1
    weight = np.ones(m) if sample_weight is None else sample_weight * (m / sample_weight.sum())
    row = weight[:, None].astype(dtype)

    a, z = [X], []
    for (W, b), unit in zip(layers, units):
        z.append(a[-1] @ W.T + b)
        a.append(UNITS[unit].value(z[-1]))

    wanted: Any = data.labels if data.labels is not None else X if data.target is None else data.target
    values, delta = LOSSES[settings.loss](z[last], wanted, units[last])
    loss = float(weight @ values) / m
    deltas: list[FloatArray] = [row * delta]

    means, sparsity = [], 0.0
    share = 1.0 if before is None else 1 - momentum
    for i in range(last):
        mean = mean_of(z[i].astype(np.float64), units[i], weight)
        means.append(mean if before is None else moved(before[i], mean, momentum))
    for i in range(last - 1, -1, -1):
        slope = UNITS[units[i]].slope(z[i])
        delta = (deltas[0] @ layers[i + 1].W) * slope
        if settings.beta[i] > 0:
            pull = penalty_delta(z[i].astype(np.float64), units[i], settings.rho[i], means[i])
            delta = delta + (settings.beta[i] * share * weight[:, None] * pull).astype(dtype)
            sparsity += settings.beta[i] * float(divergence(settings.rho[i], means[i]).sum())
        if settings.l1[i] > 0:
            delta = delta + (settings.l1[i] * row) * np.sign(a[i + 1]) * slope
            sparsity += settings.l1[i] * float(weight @ np.abs(a[i + 1].astype(np.float64)).sum(axis=1)) / m
        deltas.insert(0, delta)

    decay = 0.0
    for lam, (W, _) in zip(settings.weight_decay, layers):
        if lam > 0:
            decay += lam / 2 * float((W.astype(np.float64) ** 2).sum())
    cost = Cost(loss + decay + sparsity, loss, decay, sparsity)
    return Pass(cost, deltas, a, [mean for mean, unit in zip(means, units) if unit != "linear"])


def gradient(layers: Layers, settings: Settings, result: Pass) -> Layers:
    """Gradients of all weights and biases."""
    m = len(result.deltas[0])
    parts = zip(layers, result.deltas, result.activations, settings.weight_decay)
    return tuple(Layer(delta.T @ a / m + lam * W, delta.mean(axis=0)) for (W, _), delta, a, lam in parts)
