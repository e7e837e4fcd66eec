"""The deep network in NumPy, under the names of ``sae_fast.network._deep``; short enough to be read and believed.

What is beyond the textbook keeps relative precision where units saturate (see :mod:`sae_fast.reference`) and where a
probability rounds to 1: ``-log p_y`` and ``p_y - 1`` come from the sum over the other classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network._checks import check_n_threads, check_out, check_sample_weight, check_X
from ..network._data import check_data
from ..network._layers import LayersLike, check_layers, check_out_layers
from ..network._settings import Settings, check_loss, check_settings, check_units
from ..network._types import Cost, FloatArray, Layer
from . import _divergence, _error, _mean, _pair, _penalty_delta, _unit, permutation

__all__ = ["deep_cost", "deep_cost_and_grad", "deep_forward", "deep_train"]

F64 = NDArray[np.float64]


def _softmax(z: FloatArray) -> tuple[FloatArray, F64, FloatArray]:
    """``exp(z - max z)``, the sum of all of them but one that is 1, and max z."""
    top = z.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        e = np.exp(z - top)
    below = np.where(z == top, 0, e).astype(np.float64)
    return e, below.sum(axis=1, keepdims=True) + ((z == top).sum(axis=1, keepdims=True) - 1), top


def _softmax_error(z: FloatArray, labels: NDArray[np.intp]) -> tuple[F64, FloatArray]:
    """``-log p_y`` (n_samples,) and ``p - onehot(y)``."""
    e, rest, top = _softmax(z)
    rows = np.arange(len(z))
    below = top[:, 0].astype(np.float64) - z[rows, labels]
    others = np.where(below == 0, rest[:, 0], 1 + (rest[:, 0] - e[rows, labels]))
    delta = e / (1 + rest).astype(z.dtype)
    delta[rows, labels] = -others / (1 + rest[:, 0])
    return below + np.log1p(rest[:, 0]), delta


class _Pass(NamedTuple):
    cost: Cost
    deltas: list[FloatArray]
    activations: list[FloatArray]
    rho_hat: F64


def _evaluate(
    layers: tuple[Layer, ...],
    X: FloatArray,
    target: FloatArray | None,
    labels: NDArray[np.intp] | None,
    settings: Settings,
    sample_weight: F64 | None,
) -> _Pass:
    """Forward through all layers, cost, and deltas back from the last one."""
    m, last, units = len(X), len(layers) - 1, settings.units
    weight = np.ones(m) if sample_weight is None else sample_weight * (m / sample_weight.sum())
    row = weight[:, None].astype(X.dtype)
    a, z = [X], []
    for (W, b), unit in zip(layers, units):
        z.append(a[-1] @ W.T + b)
        a.append(_unit(z[-1], unit))

    if labels is not None:
        losses, delta = _softmax_error(z[last], labels)
        loss = float(weight @ losses) / m
        deltas = [row * delta]
    else:
        difference, slope = _error(z[last], X if target is None else target, units[last])
        loss = float((weight[:, None] * difference.astype(np.float64) ** 2).sum()) / (2 * m)
        deltas = [row * difference * slope]

    sparsity = 0.0
    means: list[F64] = []
    for i in range(last - 1, -1, -1):
        delta = deltas[0] @ layers[i + 1].W
        if units[i] != "linear":
            inner = z[i] if units[i] == "sigmoid" else 2 * z[i]
            s, c = _pair(inner)
            mean = _mean(inner.astype(np.float64), weight)
            means.insert(0, mean.s)
            delta = delta * (s * c if units[i] == "sigmoid" else 4 * s * c)
            if settings.beta[i] > 0:
                pull = _penalty_delta(inner.astype(np.float64), units[i], settings.rho[i], mean)
                delta = delta + (settings.beta[i] * weight[:, None] * pull).astype(delta.dtype)
                sparsity += settings.beta[i] * float(_divergence(settings.rho[i], mean).sum())
        deltas.insert(0, delta)
    decay = 0.0
    for lam, (W, _) in zip(settings.weight_decay, layers):
        if lam > 0:
            decay += lam / 2 * float((W.astype(np.float64) ** 2).sum())
    cost = Cost(loss + decay + sparsity, loss, decay, sparsity)
    return _Pass(cost, deltas, a, np.concatenate(means) if means else np.empty(0))


def _gradient(layers: tuple[Layer, ...], settings: Settings, result: _Pass) -> tuple[Layer, ...]:
    m = len(result.activations[0])
    parts = zip(layers, result.deltas, result.activations, settings.weight_decay)
    return tuple(Layer(delta.T @ a / m + lam * W, delta.mean(axis=0)) for (W, _), delta, a, lam in parts)


def deep_forward(
    layers: LayersLike,
    X: ArrayLike,
    *,
    units: Sequence[str],
    loss: str = "squared",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Activations of the last layer, or probabilities; see :func:`sae_fast.network._deep.deep_forward`."""
    checked, dtype = check_layers(layers)
    a = check_X(X, checked[0].W.shape[1]).astype(dtype, copy=False)
    inputs = [a, *sum(checked, ())]
    check_loss(loss)
    check_units(units, len(checked), loss)
    check_n_threads(n_threads)
    for (W, b), unit in zip(checked, units):
        a = _unit(a @ W.T + b, unit)
    if loss == "softmax":
        e, rest, _ = _softmax(a)
        a = (e / (1 + rest)).astype(dtype)
    if out is None:
        return a
    check_out(out, a.shape, dtype, inputs)[...] = a
    return out


def deep_cost_and_grad(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    units: Sequence[str],
    loss: str = "squared",
    rho: Any = 0.05,
    beta: Any = 0.0,
    weight_decay: Any = 0.0,
    sample_weight: ArrayLike | None = None,
    out: Sequence[Layer] | None = None,
    n_threads: int | None = None,
) -> tuple[float, tuple[Layer, ...]]:
    """J and its gradients; see :func:`sae_fast.network._deep.deep_cost_and_grad`."""
    checked, settings, result = _run(layers, X, y, units, loss, rho, beta, weight_decay, sample_weight, n_threads)
    grad = _gradient(checked, settings, result)
    if out is None:
        return result.cost.total, grad
    target = check_out_layers(out, checked, [result.activations[0], *sum(checked, ())])
    for to, layer in zip(target, grad):
        to.W[...], to.b[...] = layer
    return result.cost.total, target


def deep_cost(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    units: Sequence[str],
    loss: str = "squared",
    rho: Any = 0.05,
    beta: Any = 0.0,
    weight_decay: Any = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Cost:
    """J and its parts; see :func:`sae_fast.network._deep.deep_cost`."""
    return _run(layers, X, y, units, loss, rho, beta, weight_decay, sample_weight, n_threads)[2].cost


def _run(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None,
    units: Sequence[str],
    loss: str,
    rho: Any,
    beta: Any,
    weight_decay: Any,
    sample_weight: ArrayLike | None,
    n_threads: int | None,
) -> tuple[tuple[Layer, ...], Settings, _Pass]:
    checked, dtype = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(checked))
    data = check_data(checked, X, y, loss)
    target = None if data.target is None else data.target.astype(dtype)
    weight = check_sample_weight(sample_weight, len(data.X))
    check_n_threads(n_threads)
    result = _evaluate(checked, data.X.astype(dtype, copy=False), target, data.labels, settings, weight)
    return checked, settings, result


def deep_train(
    layers: tuple[Layer, ...],
    X: FloatArray,
    y: NDArray[Any] | None,
    *,
    step: Any,
    n_epochs: int,
    batch_size: int,
    seed: int,
    sample_weight: F64 | None = None,
    shuffle: bool = True,
    **network: Any,
) -> list[tuple[float, ...]]:
    """Minibatch training in place, as :class:`sae_fast.network._solvers.EpochSolver` does it.

    ``step(layers, grad)`` is the update. Returns, for each epoch, total, loss, weight decay, sparsity and mean
    activation.
    """
    units, loss = network["units"], network.get("loss", "squared")
    rho, beta = network.get("rho", 0.05), network.get("beta", 0.0)
    settings = check_settings(units, loss, rho, beta, network.get("weight_decay", 0.0), len(layers))
    _, target, labels = check_data(layers, X, y, loss)
    rows, state = [], seed
    for _ in range(n_epochs):
        order = np.arange(len(X))
        if shuffle:
            order, state = permutation(len(X), state)
        sums, total = np.zeros(4), 0.0
        for i in range(0, len(X), batch_size):
            batch = order[i : i + batch_size]
            w = None if sample_weight is None else sample_weight[batch]
            size = float(len(batch)) if w is None else float(w.sum())
            if size <= 0:
                continue
            t, k = None if target is None else target[batch], None if labels is None else labels[batch]
            result = _evaluate(layers, X[batch], t, k, settings, w)
            step(layers, _gradient(layers, settings, result))
            mean = result.rho_hat.mean() if len(result.rho_hat) else np.nan
            sums += size * np.array([*result.cost[1:], mean])
            total += size
        sums /= total
        rows.append((float(sums[:3].sum()), *map(float, sums)))
    return rows
