"""What one evaluation of a network tells of the samples: cost, and mean and range of every hidden unit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ._data import Data
from ._layers import as_layers
from ._settings import Settings
from ._types import AnyParams, Cost
from ._units import UNITS, activity

F64 = NDArray[np.float64]


class Measured(NamedTuple):
    """Cost and hidden units over some samples, as penalties and reports see activations (:func:`_units.activity`).

    Attributes
    ----------
    cost : Cost
    rho_hat : tuple of ndarray
        Mean activation of the units of each hidden layer; NaN for linear ones.
    low, high : tuple of ndarray
        Smallest and largest activation of each of these units.
    """

    cost: Cost
    rho_hat: tuple[F64, ...]
    low: tuple[F64, ...]
    high: tuple[F64, ...]


def measure(
    params: AnyParams, data: Data, sample_weight: F64 | None, settings: Settings, n_threads: int = 0
) -> Measured:
    """All of it in one evaluation; the arguments have been checked, ``n_threads`` is 0 for the default."""
    sizes = hidden_sizes(params)
    rho_hat = np.empty(sum(n for n, unit in zip(sizes, settings.units) if has_mean(unit)))
    unit_range = np.empty((sum(sizes), 2))
    results: dict[str, Any] = {"rho_hat": rho_hat, "unit_range": unit_range, "n_threads": n_threads}
    if isinstance(data.X, np.ndarray):
        parts = _core.evaluate(params, *data, sample_weight, settings.core, **results)
    else:
        parts = _core.evaluate_source(params, data.X, sample_weight, settings.core, **results)
    return by_layer(Cost(*parts), rho_hat, unit_range, sizes, settings)


def hidden_sizes(params: AnyParams) -> list[int]:
    """Units of the hidden layers."""
    return [len(layer.b) for layer in as_layers(params)[:-1]]


def has_mean(unit: str) -> bool:
    """Does the core give a mean activation of such units?"""
    return UNITS[unit].low > -np.inf


def by_layer(
    cost: Cost, rho_hat: NDArray[Any], unit_range: NDArray[Any], sizes: list[int], settings: Settings
) -> Measured:
    """What the core gives for all layers in a row."""
    means, low, high, at, first = [], [], [], 0, 0
    for n, unit in zip(sizes, settings.units, strict=False):
        means.append(rho_hat[at : at + n] if has_mean(unit) else np.full(n, np.nan))
        at += n if has_mean(unit) else 0
        ends = activity(unit_range[first : first + n], unit)
        low.append(ends[:, 0].copy())
        high.append(ends[:, 1].copy())
        first += n
    return Measured(cost, tuple(means), tuple(low), tuple(high))
