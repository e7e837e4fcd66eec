"""The model in NumPy: the same names and signatures as ``sae_fast``, short enough to be read and believed.

Formulas: UFLDL, "Autoencoders and Sparsity". What is beyond the textbook is there for saturated units: ``s`` and its
complement ``c = 1 - s`` are computed each on its own, ratios to tiny means through logarithms, and ``a3 - X`` from the
complement where ``a3`` has rounded to its limit. ``n_threads`` is checked and otherwise ignored. One file, so that
the whole mathematics can be read in one go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..network._checks import (
    ParamsLike,
    check_activations,
    check_apart,
    check_count,
    check_grad,
    check_hidden,
    check_in,
    check_in_place,
    check_n_threads,
    check_out,
    check_out_params,
    check_output,
    check_params,
    check_penalty,
    check_sample_weight,
    check_table,
    check_X,
    seed_from,
)
from ..network._convolve import SizeLike, check_filters, check_images, check_pooling, check_shape
from ..network._functional import flatten, init_params, unflatten
from ..network._objective import compare_gradient
from ..network._optimizers import Rule, check_rule, rate_of
from ..network._types import Cost, Deltas, EpochInfo, FloatArray, Forward, Hidden, History, Output, Params, Pooling

__all__ = [
    "SGD",
    "Adam",
    "Objective",
    "check_gradient",
    "convolve",
    "cost",
    "cost_and_grad",
    "decode",
    "deltas",
    "encode",
    "flatten",
    "forward",
    "init_params",
    "train",
    "unflatten",
]

F64 = NDArray[np.float64]


def _pair(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """sigmoid(z) and sigmoid(-z), each with full relative precision."""
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(z))
        small, big = e / (1 + e), 1 / (1 + e)
    return np.where(z < 0, small, big), np.where(z < 0, big, small)


def _unit(z: FloatArray, unit: str) -> FloatArray:
    """Activation: sigmoid, tanh or linear."""
    if unit == "sigmoid":
        return _pair(z)[0]
    return np.tanh(z) if unit == "tanh" else z


def _error(z3: FloatArray, X: FloatArray, output: str) -> tuple[FloatArray, FloatArray]:
    """``g(z3) - X`` and ``g'(z3)``, precise where g has rounded to its limit."""
    if output == "linear":
        return z3 - X, np.ones_like(z3)
    if output == "sigmoid":
        s, c = _pair(z3)
        return np.where(z3 < 0, s - X, (1 - X) - c), s * c
    s, c = _pair(2 * z3)
    far = np.where(z3 < 0, 2 * s - (1 + X), (1 - X) - 2 * c)
    return np.where(np.abs(z3) < 0.55, np.tanh(z3) - X, far), 4 * s * c


def _log_sigmoid(z: FloatArray) -> FloatArray:
    with np.errstate(under="ignore"):
        return np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))


class _Mean(NamedTuple):
    """Means of s and 1 - s for each hidden unit, and their logarithms."""

    s: F64
    c: F64
    log_s: F64
    log_c: F64


def _mean(z: F64, weight: F64) -> _Mean:
    """Weighted means over the samples by log-mean-exp; z is the argument of the sigmoid (n_samples, n_hidden)."""

    def log_mean(x: FloatArray) -> F64:
        top = x.max(axis=0)
        with np.errstate(under="ignore"):
            mean: F64 = top + np.log(np.average(np.exp(x - top), axis=0, weights=weight))
            return mean

    s, c = _pair(z)
    log_s, log_c = log_mean(_log_sigmoid(z)), log_mean(_log_sigmoid(-z))
    with np.errstate(under="ignore"):
        return _Mean(np.average(s, axis=0, weights=weight), np.average(c, axis=0, weights=weight), log_s, log_c)


def _excess(rho: float, mean: _Mean) -> F64:
    """rho_hat - rho, from the complements where both are near 1."""
    return mean.s - rho if rho <= 0.5 else (1 - rho) - mean.c


def _divergence(rho: float, mean: _Mean) -> F64:
    """KL(rho || rho_hat) for each unit; near the optimum by the series of x - log(1 + x)."""
    d = _excess(rho, mean)
    x, y = d / rho, -d / (1 - rho)

    def surplus(t: F64) -> F64:
        t = np.clip(t, -0.1, 0.1)
        return t * t * np.polyval([(-1.0) ** i / i for i in range(24, 1, -1)], t)

    near = rho * surplus(x) + (1 - rho) * surplus(y)
    far = rho * (np.log(rho) - mean.log_s) + (1 - rho) * (np.log1p(-rho) - mean.log_c)
    return np.where((np.abs(x) < 0.1) & (np.abs(y) < 0.1), near, far)


def _penalty_delta(z: F64, hidden: str, rho: float, mean: _Mean) -> F64:
    """``(-rho/rho_hat + (1-rho)/(1-rho_hat)) ds/da f'(z2)`` for each sample and unit.

    ``s c d / (rho_hat (1 - rho_hat))`` with d = rho_hat - rho; s and c in logarithms with their means.
    """
    ls, lc = _log_sigmoid(z), _log_sigmoid(-z)
    with np.errstate(under="ignore", over="ignore"):
        active = np.exp(ls - mean.log_s + lc)
        inactive = np.exp(lc - mean.log_c + ls)
        tiny = (mean.s < 1e-290) | (mean.c < 1e-290)
        ratio = np.exp(ls + lc - mean.log_s - mean.log_c) * _excess(rho, mean)
    term = np.where(tiny, -rho * active + (1 - rho) * inactive, ratio)
    return term if hidden == "sigmoid" else 2 * term


class _Pass(NamedTuple):
    cost: Cost
    deltas: Deltas
    a2: FloatArray
    mean: _Mean


def _evaluate(
    params: Params,
    X: FloatArray,
    penalty: tuple[float, float, float],
    hidden: str,
    output: str,
    sample_weight: F64 | None,
    before: _Mean | None = None,
    momentum: float = 0.0,
) -> _Pass:
    """Forward pass, cost and deltas; ``before`` is the running mean of minibatch training."""
    W1, b1, W2, b2 = params
    rho, beta, weight_decay = penalty
    m = len(X)
    weight = np.ones(m) if sample_weight is None else sample_weight * (m / sample_weight.sum())
    row = weight[:, None].astype(W1.dtype)
    z2 = X @ W1.T + b1
    a2 = _unit(z2, hidden)
    inner = z2 if hidden == "sigmoid" else 2 * z2
    s, c = _pair(inner)
    slope = s * c if hidden == "sigmoid" else 4 * s * c
    mean = _mean(inner.astype(np.float64), weight)
    share = 1.0
    if before is not None:
        share = 1 - momentum
        log = [np.logaddexp(np.log(momentum) + b, np.log(share) + n) for b, n in zip(before[2:], mean[2:])]
        plain = [momentum * b + share * n for b, n in zip(before[:2], mean[:2])]
        mean = _Mean(*plain, *log)

    difference, g_slope = _error(a2 @ W2.T + b2, X, output)
    delta3 = row * difference * g_slope
    delta2 = (delta3 @ W2) * slope
    sparsity = 0.0
    if beta > 0:
        pull = beta * share * weight[:, None] * _penalty_delta(inner.astype(np.float64), hidden, rho, mean)
        delta2 = delta2 + pull.astype(delta2.dtype)
        sparsity = beta * float(_divergence(rho, mean).sum())
    reconstruction = float((weight[:, None] * difference.astype(np.float64) ** 2).sum()) / (2 * m)
    decay = 0.0
    if weight_decay > 0:
        decay = weight_decay / 2 * float((W1.astype(np.float64) ** 2).sum() + (W2.astype(np.float64) ** 2).sum())
    total = Cost(reconstruction + decay + sparsity, reconstruction, decay, sparsity)
    return _Pass(total, Deltas(delta3, delta2, mean.s), a2, mean)


def _gradient(params: Params, X: FloatArray, weight_decay: float, result: _Pass) -> Params:
    delta3, delta2, _ = result.deltas
    m = len(X)
    return Params(
        delta2.T @ X / m + weight_decay * params.W1,
        delta2.mean(axis=0),
        delta3.T @ result.a2 / m + weight_decay * params.W2,
        delta3.mean(axis=0),
    )


def _prepare(params: ParamsLike, X: ArrayLike) -> tuple[Params, FloatArray]:
    checked, dtype = check_params(params)
    return checked, check_X(X, checked.W1.shape[1]).astype(dtype, copy=False)


def encode(
    params: ParamsLike,
    X: ArrayLike,
    *,
    hidden: Hidden = "sigmoid",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """``a2 = f(X W1^T + b1)``; see :func:`sae_fast.encode`."""
    checked, X = _prepare(params, X)
    check_hidden(hidden)
    return _give(_unit(X @ checked.W1.T + checked.b1, hidden), out, (*checked, X), n_threads)


def convolve(
    params: ParamsLike,
    images: ArrayLike,
    patch_size: SizeLike,
    *,
    hidden: Output = "sigmoid",
    pool: SizeLike | None = None,
    pooling: Pooling = "mean",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Codes of every patch, pooled, by way of all patches and all codes; see :func:`sae_fast.convolve`."""
    (W1, b1, *_), dtype = check_params(params)
    array = check_images(images)
    (patch, (p, q), (rows, columns)) = check_shape(array.shape[1:], patch_size, pool)
    check_filters(W1, patch, array.shape[3])
    check_output(hidden, "hidden")
    patches = np.lib.stride_tricks.sliding_window_view(array, patch, axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    X = patches.reshape(*patches.shape[:3], -1).astype(dtype)
    a2 = _unit(X @ W1.T + b1, hidden)[:, : rows * p, : columns * q]
    cells = a2.reshape(len(a2), rows, p, columns, q, len(W1))
    maps = cells.max(axis=(2, 4)) if check_pooling(pooling) else cells.mean(axis=(2, 4), dtype=np.float64)
    return _give(maps.astype(dtype), out, (W1, b1, array), n_threads)


def decode(
    params: ParamsLike,
    a2: ArrayLike,
    *,
    output: Output = "sigmoid",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """``a3 = g(a2 W2^T + b2)``; see :func:`sae_fast.decode`."""
    checked, dtype = check_params(params)
    codes = check_X(a2, checked.W1.shape[0], "a2").astype(dtype, copy=False)
    check_output(output)
    return _give(_unit(codes @ checked.W2.T + checked.b2, output), out, (*checked, codes), n_threads)


def _give(result: FloatArray, out: FloatArray | None, inputs: tuple[Any, ...], n_threads: int | None) -> FloatArray:
    check_n_threads(n_threads)
    if out is None:
        return result
    check_out(out, result.shape, result.dtype, inputs)[...] = result
    return out


def forward(
    params: ParamsLike,
    X: ArrayLike,
    *,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    n_threads: int | None = None,
) -> Forward:
    """Codes and reconstructions; see :func:`sae_fast.forward`."""
    a2 = encode(params, X, hidden=hidden, n_threads=n_threads)
    return Forward(a2, decode(params, a2, output=output))


def deltas(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Deltas:
    """``delta3``, ``delta2`` and ``rho_hat``; see :func:`sae_fast.deltas`."""
    checked, X = _prepare(params, X)
    check_activations(hidden, output)
    check_n_threads(n_threads)
    weight = check_sample_weight(sample_weight, len(X))
    return _evaluate(checked, X, check_penalty(rho, beta, 0.0), hidden, output, weight).deltas


def cost(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Cost:
    """J and its parts; see :func:`sae_fast.cost`."""
    checked, X = _prepare(params, X)
    check_activations(hidden, output)
    check_n_threads(n_threads)
    weight = check_sample_weight(sample_weight, len(X))
    return _evaluate(checked, X, check_penalty(rho, beta, weight_decay), hidden, output, weight).cost


def cost_and_grad(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    sample_weight: ArrayLike | None = None,
    out: Params | None = None,
    n_threads: int | None = None,
) -> tuple[float, Params]:
    """J and its gradients; see :func:`sae_fast.cost_and_grad`."""
    checked, X = _prepare(params, X)
    check_activations(hidden, output)
    check_n_threads(n_threads)
    penalty = check_penalty(rho, beta, weight_decay)
    result = _evaluate(checked, X, penalty, hidden, output, check_sample_weight(sample_weight, len(X)))
    grad = _gradient(checked, X, penalty[2], result)
    if out is None:
        return result.cost.total, grad
    out = check_out_params(out, checked)
    check_apart(out, (*checked, X))
    for to, value in zip(out, grad):
        to[...] = value
    return result.cost.total, out


def check_gradient(
    params: ParamsLike,
    X: ArrayLike,
    *,
    eps: float | None = None,
    n_directions: int | None = None,
    **settings: Any,
) -> float:
    """Largest relative error against finite differences; see :func:`sae_fast.check_gradient`."""
    return compare_gradient(cost, cost_and_grad, params, X, eps, n_directions, settings)


class Objective:
    """``f(theta) -> (J, grad)``; see :class:`sae_fast.Objective`."""

    def __init__(self, X: ArrayLike, n_hidden: int, *, dtype: DTypeLike | None = None, **settings: Any) -> None:
        array, kind = check_table(X, dtype)
        self._X = array.astype(kind, copy=False)
        self._settings = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-4} | settings
        self.n_visible, self.n_hidden, self.n_evaluations = array.shape[1], check_count("n_hidden", n_hidden), 0

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """J and gradient at ``theta``."""
        self.n_evaluations += 1
        params = unflatten(theta.astype(self._X.dtype), self.n_visible, self.n_hidden)
        J, grad = cost_and_grad(params, self._X, **self._settings)
        return J, flatten(grad).astype(theta.dtype)


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
    start, X = _prepare(params, X)
    params = Params(*(a.copy() for a in start))
    check_n_threads(n_threads)
    check_activations(hidden, output)
    penalty = check_penalty(rho, beta, weight_decay)
    weight = check_sample_weight(sample_weight, len(X))
    rate = rate_of(solver, learning_rate)
    check_rule(solver, rate, momentum, nesterov, beta1, beta2, eps)
    check_in("rho_hat_momentum", rho_hat_momentum, 0.0, 1.0, "in [0, 1)")
    opt = (
        Adam(params, learning_rate=rate, beta1=beta1, beta2=beta2, eps=eps)
        if solver == "adam"
        else SGD(params, learning_rate=rate, momentum=momentum, nesterov=nesterov)
    )
    state, mean, rows, began = seed_from(random_state), None, [], time.perf_counter()
    for epoch in range(1, check_count("n_epochs", n_epochs) + 1):
        order = np.arange(len(X))
        if shuffle:
            order, state = permutation(len(X), state)
        sums, total = np.zeros(4), 0.0
        for i in range(0, len(X), check_count("batch_size", batch_size)):
            batch = order[i : i + batch_size]
            w = None if weight is None else weight[batch]
            size = float(len(batch)) if w is None else float(w.sum())
            if size <= 0:
                continue
            result = _evaluate(params, X[batch], penalty, hidden, output, w, mean, rho_hat_momentum)
            mean = result.mean if rho_hat_momentum > 0 else None
            opt.step(_gradient(params, X[batch], weight_decay, result))
            sums += size * np.array([*result.cost[1:], result.mean.s.mean()])
            total += size
        sums /= total
        rows.append((sums[:3].sum(), *sums))
        info = EpochInfo(epoch, n_epochs, Cost(*rows[-1][:4]), sums[3], params, time.perf_counter() - began)
        if callback is not None and callback(info):
            break
    return params, History(*np.array(rows).T.copy())
