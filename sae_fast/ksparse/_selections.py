"""Which latents a code keeps: what each activation needs, and how the core sees it. Needs NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..files._kinds import KSPARSE_TENSORS
from ..network._checks import check_in, listed
from ..network._types import FloatArray

Activation: TypeAlias = Literal["topk", "batchtopk", "jumprelu", "relu", "gated"]
_Given: TypeAlias = dict[str, Any]


class Selector(NamedTuple):
    """The core's number of a selection, with its thresholds and scales."""

    number: int
    threshold: FloatArray | None = None
    scale: FloatArray | None = None


def _gated(given: _Given, dtype: np.dtype[Any]) -> Selector:
    with np.errstate(over="ignore"):
        scale = np.exp(given["r_mag"].astype(np.float64)).astype(dtype)
    if not np.isfinite(scale).all():
        raise ValueError(f"r_mag must have exponentials that {dtype} holds, got up to {given['r_mag'].max():g}")
    return Selector(3, -given["b_gate"], scale)


SELECTORS: dict[str, Callable[[_Given, np.dtype[Any]], Selector]] = {
    "topk": lambda given, dtype: Selector(0),
    "batchtopk": lambda given, dtype: Selector(1, np.array([given["threshold"]], dtype)),
    # Never below 0: a latent that fires is positive.
    "jumprelu": lambda given, dtype: Selector(2, np.maximum(given["threshold"], 0)),
    "relu": lambda given, dtype: Selector(1, np.zeros(1, dtype)),
    "gated": _gated,
}


def check_activation(activation: object) -> None:
    """An activation that is known."""
    if not isinstance(activation, str) or activation not in SELECTORS:
        raise ValueError(f"activation must be {listed(SELECTORS)}, got {activation!r}")


def check_numbers(name: str, value: object, shape: tuple[int, ...], dtype: np.dtype[Any], like: str) -> NDArray[Any]:
    """An array of this shape and dtype with finite numbers, C-contiguous."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(value).__name__}")
    if value.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, as {like} has, got {value.dtype}")
    if value.shape != shape:
        raise ValueError(f"{name} must have shape {shape} to match {like}, got {value.shape}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite, got {'NaN' if np.isnan(value).any() else 'infinity'}")
    return np.ascontiguousarray(value)


def check_given(activation: str, given: _Given, n_latents: int, dtype: np.dtype[Any]) -> _Given:
    """The arguments that an activation takes beside the weights, checked; all others must be None."""
    needs = KSPARSE_TENSORS[activation]
    checked: _Given = {}
    for name, value in given.items():
        if name not in needs:
            if value is not None:
                raise ValueError(f"{name} must be None with activation={activation!r}, got {value!r:.80}")
        elif value is None:
            raise ValueError(f"{name} must be given with activation={activation!r}, got None")
        elif activation == "batchtopk":
            checked[name] = check_in(name, value, 0.0, math.inf, ">= 0 and finite")
        else:
            checked[name] = check_numbers(name, value, (n_latents,), dtype, "W_enc")
    return checked
