"""Mean activations, and the penalty on them, for units that saturate.

Ratios to tiny means go through logarithms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._units import UNITS, Array


class Mean(NamedTuple):
    """Means of s and 1 - s of each hidden unit, and their logarithms; without bound, ``s`` is the plain mean."""

    s: Array
    c: Array
    log_s: Array
    log_c: Array


def mean_of(z: Array, unit: str, weight: Array) -> Mean:
    """Weighted means over the samples (n_samples, n_hidden), by log-mean-exp."""

    def log_mean(x: Array) -> Array:
        top = x.max(axis=0)
        top = np.where(np.isneginf(top), 0, top)
        with np.errstate(under="ignore", divide="ignore"):
            mean: Array = top + np.log(np.average(np.exp(x - top), axis=0, weights=weight))
            return mean

    sides = UNITS[unit].sides
    with np.errstate(under="ignore"):
        if sides is None:
            nothing = np.full(z.shape[1], np.nan)
            return Mean(np.average(UNITS[unit].value(z), axis=0, weights=weight), nothing, nothing, nothing)
        s, c, log_s, log_c, _ = sides(z)
        mean_s, mean_c = (np.average(x, axis=0, weights=weight) for x in (s, c))
    return Mean(mean_s, mean_c, log_mean(log_s), log_mean(log_c))


def moved(before: Mean, now: Mean, momentum: float) -> Mean:
    """The running mean of minibatches, ``momentum before + (1 - momentum) now``."""
    share = 1 - momentum
    plain = [momentum * b + share * n for b, n in zip(before[:2], now[:2])]
    logs = [np.logaddexp(np.log(momentum) + b, np.log(share) + n) for b, n in zip(before[2:], now[2:])]
    return Mean(*plain, *logs)


def _excess(rho: float, mean: Mean) -> Array:
    """rho_hat - rho, from the complements where both are near 1."""
    return mean.s - rho if rho <= 0.5 else (1 - rho) - mean.c


def divergence(rho: float, mean: Mean) -> Array:
    """KL(rho || rho_hat) for each unit; near the optimum by the series of x - log(1 + x)."""
    d = _excess(rho, mean)
    x, y = d / rho, -d / (1 - rho)

    def surplus(t: Array) -> Array:
        t = np.clip(t, -0.1, 0.1)
        return t * t * np.polyval([(-1.0) ** i / i for i in range(24, 1, -1)], t)

    near = rho * surplus(x) + (1 - rho) * surplus(y)
    far = rho * (np.log(rho) - mean.log_s) + (1 - rho) * (np.log1p(-rho) - mean.log_c)
    return np.where((np.abs(x) < 0.1) & (np.abs(y) < 0.1), near, far)


def penalty_delta(z: Array, unit: str, rho: float, mean: Mean) -> Array:
    """``(-rho/rho_hat + (1-rho)/(1-rho_hat)) ds/dz`` for each sample and unit.

    ``ds/dz d / (rho_hat (1 - rho_hat))`` with d = rho_hat - rho, the slope in logarithms with the means.
    """
    sides = UNITS[unit].sides
    assert sides is not None
    slope = sides(z).log_slope
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        active, inactive = np.exp(slope - mean.log_s), np.exp(slope - mean.log_c)
        tiny = (mean.s < 1e-290) | (mean.c < 1e-290)
        ratio = np.exp(slope - mean.log_s - mean.log_c) * _excess(rho, mean)
        term = np.where(tiny, -rho * active + (1 - rho) * inactive, ratio)
    return np.where(np.isneginf(slope) & np.isfinite(z), 0, term)
