"""The losses in NumPy: what ``network/_losses.py`` names, as formulas short enough to be believed.

What is beyond the textbook keeps relative precision where an activation or a probability has rounded to its limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._units import UNITS, Array, log_sigmoid

F64 = NDArray[np.float64]


class Loss(NamedTuple):
    """A loss by its value, one a sample, and its derivative by z of the last layer, the delta of each output."""

    values: F64
    delta: Array


def softmax(z: Array) -> tuple[Array, F64, Array]:
    """``exp(z - max z)``, the sum of all of them but one that is 1, and max z."""
    top = z.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        e = np.exp(z - top)
    below = np.where(z == top, 0, e).astype(np.float64)
    return e, below.sum(axis=1, keepdims=True) + ((z == top).sum(axis=1, keepdims=True) - 1), top


def _softmax(z: Array, labels: NDArray[np.intp], unit: str) -> Loss:
    """``-log p_y`` and ``p - onehot(y)``: both from the sum over the other classes."""
    e, rest, top = softmax(z)
    rows = np.arange(len(z))
    below = top[:, 0].astype(np.float64) - z[rows, labels]
    others = np.where(below == 0, rest[:, 0], 1 + (rest[:, 0] - e[rows, labels]))
    delta = e / (1 + rest).astype(z.dtype)
    delta[rows, labels] = -others / (1 + rest[:, 0])
    return Loss(below + np.log1p(rest[:, 0]), delta)


def _of_error(value: Callable[[F64], F64], derivative: Callable[[Array], Array]) -> Callable[..., Loss]:
    """A loss that is the sum over the outputs of a function of the error ``e = g(z) - target``."""

    def loss(z: Array, target: Array, unit: str) -> Loss:
        e = UNITS[unit].error(z, target)
        return Loss(value(e.astype(np.float64)).sum(axis=1), derivative(e) * UNITS[unit].slope(z))

    return loss


def _cross_entropy(z: Array, target: Array, unit: str) -> Loss:
    """``-(x log a + (1 - x) log(1 - a))`` of a = sigmoid(z), whose derivative by z is a - x."""
    x, wide = target.astype(np.float64), z.astype(np.float64)
    values = -(x * log_sigmoid(wide) + (1 - x) * log_sigmoid(-wide))
    return Loss(values.sum(axis=1), UNITS[unit].error(z, target))


LOSSES: dict[str, Callable[[Array, Any, str], Loss]] = {
    "squared": _of_error(lambda e: e**2 / 2, lambda e: e),
    "softmax": _softmax,
    "absolute": _of_error(np.abs, np.sign),
    "huber": _of_error(lambda e: np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5), lambda e: np.clip(e, -1, 1)),
    "cross_entropy": _cross_entropy,
}
