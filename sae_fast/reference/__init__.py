"""The model in NumPy: the same names and signatures as ``sae_fast``, short enough to be read and believed.

``_network.py`` is the evaluation, with the formulas of ``_units.py``, ``_losses.py`` and ``_sparsity.py``;
``_training.py`` what trains by it; ``_ksparse.py`` is sparse codes, ``_ksparse_training.py`` a step of their training,
``_ksparse_figures.py`` and ``_ksparse_judging.py`` how good they are. ``n_threads`` is checked and otherwise ignored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..network._checks import (
    ParamsLike,
    check_apart,
    check_count,
    check_hidden,
    check_n_threads,
    check_out,
    check_out_params,
    check_output,
    check_params,
    check_sample_weight,
    check_table,
    check_X,
)
from ..network._convolve import SizeLike, check_filters, check_images, check_pooling, check_shape
from ..network._data import Data, check_targets
from ..network._functional import flatten, init_params, unflatten
from ..network._layers import as_given, as_layers
from ..network._objective import compare_gradient
from ..network._settings import Settings, check_autoencoder
from ..network._types import Cost, Deltas, FloatArray, Forward, Hidden, Loss, Output, Params, Pooling
from ._ksparse import KSparseEncoder
from ._ksparse_judging import evaluate_retrieval, latent_similarities, match_dictionary, top_examples
from ._ksparse_training import KSparseTrainer
from ._network import Pass, evaluate, gradient
from ._training import SGD, Adam, train
from ._units import UNITS

__all__ = [
    "SGD",
    "Adam",
    "KSparseEncoder",
    "KSparseTrainer",
    "Objective",
    "check_gradient",
    "convolve",
    "cost",
    "cost_and_grad",
    "decode",
    "deltas",
    "encode",
    "evaluate_retrieval",
    "flatten",
    "forward",
    "init_params",
    "latent_similarities",
    "match_dictionary",
    "top_examples",
    "train",
    "unflatten",
]


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
    return _give(UNITS[hidden].value(X @ checked.W1.T + checked.b1), out, (*checked, X), n_threads)


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
    a2 = UNITS[hidden].value(X @ W1.T + b1)[:, : rows * p, : columns * q]
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
    return _give(UNITS[output].value(codes @ checked.W2.T + checked.b2), out, (*checked, codes), n_threads)


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
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Deltas:
    """``delta3``, ``delta2`` and ``rho_hat``; see :func:`sae_fast.deltas`."""
    settings = check_autoencoder(hidden, output, rho, beta, 0.0, loss, l1)
    result = _run(params, X, settings, sample_weight, n_threads)[1]
    delta2, delta3 = result.deltas
    return Deltas(delta3, delta2, result.rho_hat)


def cost(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Cost:
    """J and its parts; see :func:`sae_fast.cost`."""
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
    return _run(params, X, settings, sample_weight, n_threads)[1].cost


def cost_and_grad(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    out: Params | None = None,
    n_threads: int | None = None,
) -> tuple[float, Params]:
    """J and its gradients; see :func:`sae_fast.cost_and_grad`."""
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
    checked, result = _run(params, X, settings, sample_weight, n_threads)
    grad = as_given(gradient(as_layers(checked), settings, result), checked)
    if out is None:
        return result.cost.total, grad
    out = check_out_params(out, checked)
    check_apart(out, (*checked, result.activations[0]))
    for to, value in zip(out, grad):
        to[...] = value
    return result.cost.total, out


def _run(
    params: ParamsLike, X: ArrayLike, settings: Settings, sample_weight: ArrayLike | None, n_threads: int | None
) -> tuple[Params, Pass]:
    checked, X = _prepare(params, X)
    check_n_threads(n_threads)
    check_targets(X, settings.loss)
    return checked, evaluate(as_layers(checked), Data(X), settings, check_sample_weight(sample_weight, len(X)))


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
