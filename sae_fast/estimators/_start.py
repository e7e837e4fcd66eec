"""Parameters that a training starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network._functional import init_params
from ..network._types import Params
from ..network._units import UNITS
from ..reference._units import UNITS as FORMULAS
from ._layer_training import Samples

MARGIN = 0.01  # of an output's range, at both ends, where its mean is not taken to
STEPS = 60  # halvings: to the last bit


def start_of(samples: Samples, n_hidden: int, units: tuple[str, str], rng: np.random.RandomState) -> Params:
    """Parameters for samples as the network sees them: those of :func:`sae_fast.init_params`, but for units with kinks.

    Such a unit learns nothing where it is flat. So the mean of the samples is where it is not, ``b1 = middle - W1
    mean(x)``, and the network begins near its samples, since the first steps down from large errors take many units
    where they stay off: ``W2 = W1^T`` (Gao et al., "Scaling and evaluating sparse autoencoders", 2024)
    and ``g(W2 f(W1 mean(x) + b1) + b2) = mean(x)``. The latter holds for outputs with kinks over any hidden units.
    """
    X, weight = samples.data.X, samples.weight
    W1, b1, W2, b2 = init_params(X.shape[1], n_hidden, random_state=rng, dtype=X.dtype)
    hidden, output = units
    middle = UNITS[hidden].middle
    if middle is not None or UNITS[output].middle is not None:
        mean = np.average(X, axis=0, weights=weight) if isinstance(X, np.ndarray) else X.mean(weight)
        if middle is not None:
            W2, b1 = np.ascontiguousarray(W1.T), (middle - W1 @ mean).astype(X.dtype)
        b2 = (_inverse(output, mean) - W2 @ FORMULAS[hidden].value(W1 @ mean + b1)).astype(X.dtype)
    return Params(W1, b1, W2, b2)


def _inverse(unit: str, a: NDArray[Any]) -> NDArray[Any]:
    """The z of which a unit makes ``a``, cut to what it reaches with some slope; by bisection where z is not a."""
    low, high, value = UNITS[unit].low, UNITS[unit].high, FORMULAS[unit].value
    room = MARGIN * (high - low) if UNITS[unit].bounded else 0.0
    a = np.clip(a.astype(np.float64), low + room, high - room)
    below, above = np.full(len(a), -50.0), np.full(len(a), 50.0)
    for _ in range(STEPS):
        z = (below + above) / 2
        less = value(z) < a
        below, above = np.where(less, z, below), np.where(less, above, z)
    return np.where(value(a) == a, a, above)
