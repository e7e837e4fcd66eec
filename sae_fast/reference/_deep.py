"""Networks of any number of layers in NumPy, under the names of ``sae_fast.network._deep``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from ..network._checks import check_n_threads, check_out, check_sample_weight, check_X
from ..network._data import Data, check_data, check_targets
from ..network._layers import LayersLike, check_layers, check_out_layers
from ..network._settings import Settings, check_loss, check_settings, check_units
from ..network._types import Cost, FloatArray, Layer
from ._losses import softmax
from ._network import Pass, evaluate, gradient
from ._units import UNITS

__all__ = ["deep_cost", "deep_cost_and_grad", "deep_forward"]


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
        a = UNITS[unit].value(a @ W.T + b)
    if loss == "softmax":
        e, rest, _ = softmax(a)
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
    l1: Any = 0.0,
    sample_weight: ArrayLike | None = None,
    out: Sequence[Layer] | None = None,
    n_threads: int | None = None,
) -> tuple[float, tuple[Layer, ...]]:
    """J and its gradients; see :func:`sae_fast.network._deep.deep_cost_and_grad`."""
    checked, settings, result = _run(layers, X, y, units, loss, rho, beta, weight_decay, l1, sample_weight, n_threads)
    grad = gradient(checked, settings, result)
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
    l1: Any = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Cost:
    """J and its parts; see :func:`sae_fast.network._deep.deep_cost`."""
    return _run(layers, X, y, units, loss, rho, beta, weight_decay, l1, sample_weight, n_threads)[2].cost


def _run(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None,
    units: Sequence[str],
    loss: str,
    rho: Any,
    beta: Any,
    weight_decay: Any,
    l1: Any,
    sample_weight: ArrayLike | None,
    n_threads: int | None,
) -> tuple[tuple[Layer, ...], Settings, Pass]:
    checked, dtype = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(checked), l1)
    X, target, labels = check_data(checked, X, y, loss)
    data = Data(X.astype(dtype, copy=False), None if target is None else target.astype(dtype), labels)
    check_targets(X if target is None else target, loss, "X" if target is None else "y")
    weight = check_sample_weight(sample_weight, len(X))
    check_n_threads(n_threads)
    return checked, settings, evaluate(checked, data, settings, weight)
