"""The units in NumPy: what ``network/_units.py`` names, as formulas short enough to be believed.

What is beyond the textbook is there for saturated units: the activation mapped to [0, 1], ``s``, and its complement
``c = 1 - s`` are computed each on its own, and ``f(z) - x`` from the complement where ``f`` has rounded to its limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class Sides(NamedTuple):
    """The activation mapped to [0, 1] and its complement, their logarithms, and the logarithm of ds/dz."""

    s: Array
    c: Array
    log_s: Array
    log_c: Array
    log_slope: Array


class Unit(NamedTuple):
    """Formulas of an activation function f of z."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    error: Callable[[Array, Array], Array]
    sides: Callable[[Array], Sides] | None
    """None where f has no bound on both sides."""


def pair(z: Array) -> tuple[Array, Array]:
    """sigmoid(z) and sigmoid(-z), each with full relative precision."""
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(z))
        small, big = e / (1 + e), 1 / (1 + e)
    return np.where(z < 0, small, big), np.where(z < 0, big, small)


def log_sigmoid(z: Array) -> Array:
    """Log sigmoid(z)."""
    with np.errstate(under="ignore"):
        return np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))


def _sigmoid_slope(z: Array) -> Array:
    s, c = pair(z)
    return s * c


def _sigmoid_error(z: Array, x: Array) -> Array:
    s, c = pair(z)
    return np.where(z < 0, s - x, (1 - x) - c)


def _sigmoid_sides(z: Array) -> Sides:
    log_s, log_c = log_sigmoid(z), log_sigmoid(-z)
    return Sides(*pair(z), log_s, log_c, log_s + log_c)


def _tanh_error(z: Array, x: Array) -> Array:
    s, c = pair(2 * z)
    far = np.where(z < 0, 2 * s - (1 + x), (1 - x) - 2 * c)
    return np.where(np.abs(z) < 0.55, np.tanh(z) - x, far)


def _tanh_sides(z: Array) -> Sides:
    sides = _sigmoid_sides(2 * z)
    return sides._replace(log_slope=sides.log_slope + np.log(2))


def _relu(z: Array) -> Array:
    return np.maximum(z, 0)


def _satlin_sides(z: Array) -> Sides:
    s, c = np.clip(z, 0, 1), np.clip(1 - z, 0, 1)
    with np.errstate(divide="ignore"):
        return Sides(s, c, np.log(s), np.log(c), np.log(((z > 0) & (z < 1)).astype(z.dtype)))


UNITS = {
    "sigmoid": Unit(lambda z: pair(z)[0], _sigmoid_slope, _sigmoid_error, _sigmoid_sides),
    "tanh": Unit(np.tanh, lambda z: 4 * _sigmoid_slope(2 * z), _tanh_error, _tanh_sides),
    "linear": Unit(lambda z: z, np.ones_like, lambda z, x: z - x, None),
    "relu": Unit(_relu, lambda z: (z > 0).astype(z.dtype), lambda z, x: _relu(z) - x, None),
    "satlin": Unit(
        lambda z: np.clip(z, 0, 1),
        lambda z: ((z > 0) & (z < 1)).astype(z.dtype),
        lambda z, x: np.clip(z, 0, 1) - x,
        _satlin_sides,
    ),
}
