"""Checks of the arguments of deep networks, worded like those of :mod:`sae_fast.network._checks`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import OUTPUT, _describe, check_in, check_out, check_rho, check_X
from ._types import Layer

LOSSES = ("squared", "softmax")
Loss: TypeAlias = Literal["squared", "softmax"]
PerLayer: TypeAlias = float | Sequence[float]


class DeepSettings(NamedTuple):
    """What the core is told of a network besides its arrays: a number for each layer, and the loss."""

    units: list[int]
    rho: list[float]
    beta: list[float]
    weight_decay: list[float]
    loss: int


class DeepData(NamedTuple):
    """What the core is told of the data; ``target`` is None where it is ``X`` itself."""

    X: NDArray[Any]
    target: NDArray[Any] | None
    labels: NDArray[np.intp] | None


def check_loss(loss: str) -> int:
    """Position of ``loss`` in LOSSES, which is its number in the core."""
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ValueError(f"loss must be 'squared' or 'softmax', got {loss!r}")
    return LOSSES.index(loss)


def check_units(units: Sequence[str], n_layers: int, loss: str) -> list[int]:
    """Numbers of the units in the core, one for each layer."""
    if isinstance(units, str) or not isinstance(units, Sequence) or len(units) != n_layers:
        raise ValueError(f"units must have one name for each of the {n_layers} layers, got {units!r}")
    for i, unit in enumerate(units):
        if not isinstance(unit, str) or unit not in OUTPUT:
            raise ValueError(f"units[{i}] must be 'sigmoid', 'tanh' or 'linear', got {unit!r}")
    if loss == "softmax" and units[-1] != "linear":
        raise ValueError(f"units[{n_layers - 1}], the last, must be 'linear' with loss='softmax', got {units[-1]!r}")
    return [OUTPUT.index(unit) for unit in units]


def _per_layer(name: str, value: object, n: int, what: str, check: Callable[[object], float]) -> list[float]:
    """One value for all of n layers, or one for each."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str):
        return [check(value)] * n
    if len(value) != n:
        raise ValueError(f"{name} must be one value or one for each of the {n} {what}, got {value!r}")
    return [check(v) for v in value]


def check_settings(
    units: Sequence[str], loss: str, rho: object, beta: object, weight_decay: object, n_layers: int
) -> DeepSettings:
    """Everything about a network of ``n_layers`` but its arrays."""
    kind = check_loss(loss)
    numbers = check_units(units, n_layers, loss)
    n = n_layers - 1
    wanted = ">= 0 and finite"
    rhos = _per_layer("rho", rho, n, "hidden layers", check_rho)
    betas = _per_layer("beta", beta, n, "hidden layers", lambda v: check_in("beta", v, 0.0, math.inf, wanted))
    decays = _per_layer(
        "weight_decay", weight_decay, n_layers, "layers", lambda v: check_in("weight_decay", v, 0.0, math.inf, wanted)
    )
    for i, penalty in enumerate(betas):
        if penalty > 0 and units[i] == "linear":
            raise ValueError(f"beta must be 0 for layer {i}, whose unit is 'linear', got {penalty!r}")
    return DeepSettings(numbers, [*rhos, 0.5], [*betas, 0.0], decays, kind)


def check_data(layers: tuple[Layer, ...], X: ArrayLike, y: ArrayLike | None, loss: str) -> DeepData:
    """Samples with their targets, which fit the network; labels are copied."""
    n_in, n_out = layers[0].W.shape[1], len(layers[-1].W)
    X = check_X(X, n_in)
    if loss == "softmax":
        return DeepData(X, None, _check_labels(y, len(X), n_out))
    if y is None:
        if n_in != n_out:
            raise ValueError(f"y must be given: the network has {n_out} outputs for {n_in} features")
        return DeepData(X, None, None)
    target = check_X(y, n_out, "y")
    if len(target) != len(X):
        raise ValueError(f"y must have shape ({len(X)}, {n_out}), got {target.shape}")
    return DeepData(X, target, None)


def _check_labels(y: ArrayLike | None, n_samples: int, n_out: int) -> NDArray[np.intp]:
    if y is None:
        raise ValueError(f"y must be given with loss='softmax': integer labels in 0 ... {n_out - 1}")
    labels = np.asarray(y)
    if labels.shape != (n_samples,):
        raise ValueError(f"y must have shape ({n_samples},) with loss='softmax', got {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"y must be integer labels with loss='softmax', got dtype {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= n_out:
        raise ValueError(f"y must be labels in 0 ... {n_out - 1}, got {low if low < 0 else high}")
    return labels.astype(np.intp)


def check_out_layers(
    out: object, layers: tuple[Layer, ...], inputs: Sequence[NDArray[Any]] | None, name: str = "out"
) -> tuple[Layer, ...]:
    """``out``, arrays in the shapes and dtype of ``layers`` to write to, apart from all inputs and one another.

    Without ``inputs`` nothing is said of overlaps, for which the core looks itself.
    """
    if not isinstance(out, Sequence) or len(out) != len(layers):
        raise TypeError(f"{name} must be a sequence of {len(layers)} (W, b), got {_describe(out)}")
    before = [*(inputs or ())]
    found = []
    for i, (layer, like) in enumerate(zip(out, layers, strict=True)):
        if not isinstance(layer, Sequence) or len(layer) != 2:
            raise TypeError(f"{name}[{i}] must be (W, b), two NumPy arrays, got {_describe(layer)}")
        for field, array, wanted in zip(Layer._fields, layer, like, strict=True):
            check_out(array, wanted.shape, wanted.dtype, (), name=f"{name}[{i}].{field}")
            if inputs is not None and any(np.may_share_memory(array, other) for other in before):
                raise ValueError(f"{name}[{i}].{field} must not overlap the memory of an input or of another output")
            before.append(array)
        found.append(layer if isinstance(layer, Layer) else Layer(*layer))
    return out if type(out) is tuple and all(a is b for a, b in zip(out, found)) else tuple(found)
