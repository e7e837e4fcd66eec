"""What a network does, besides its arrays and its data: units, loss and penalties, checked, as one object."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from .. import _core
from . import _losses, _units
from ._checks import check_hidden, check_in, check_output, check_rho, listed
from ._losses import LOSSES
from ._units import OUTPUT, UNITS

PerLayer: TypeAlias = float | Sequence[float]


@dataclass(frozen=True, slots=True)
class Settings:
    """Units, loss and penalties of a network, with the core's own object of them, made once.

    The values have been checked: :func:`check_settings` and :func:`check_autoencoder` make it. An autoencoder has two
    layers.

    Attributes
    ----------
    units : tuple of str
        One for each layer.
    loss : str
        What the output is judged by.
    rho, beta : tuple of float
        One for each hidden layer (all but the last).
    weight_decay : tuple of float
        One for each layer; empty for none.
    """

    units: tuple[str, ...]
    loss: str = "squared"
    rho: tuple[float, ...] = ()
    beta: tuple[float, ...] = ()
    weight_decay: tuple[float, ...] = ()
    core: _core.Settings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        n = len(self.units)
        core = _core.Settings(
            [_units.NUMBER[unit] for unit in self.units],
            [*self.rho, *[0.5] * (n - len(self.rho))],
            [*self.beta, *[0.0] * (n - len(self.beta))],
            [*self.weight_decay, *[0.0] * (n - len(self.weight_decay))],
            _losses.NUMBER[self.loss],
        )
        object.__setattr__(self, "core", core)

    def __reduce__(self) -> tuple[Any, ...]:
        return Settings, self.values

    @property
    def values(self) -> tuple[Any, ...]:
        """The arguments that it is made of: names and numbers alone, to be stored."""
        return self.units, self.loss, self.rho, self.beta, self.weight_decay


def check_autoencoder(hidden: str, output: str, rho: object, beta: object, weight_decay: object) -> Settings:
    """The settings of an autoencoder, from its arguments."""
    check_hidden(hidden)
    check_output(output)
    penalty = check_beta(beta)
    if penalty > 0 and not UNITS[hidden].bounded:
        raise ValueError(
            f"beta must be 0 for hidden={hidden!r}, whose mean activation has no upper bound, got {beta!r}"
        )
    decay = _check_decay(weight_decay)
    return Settings((hidden, output), "squared", (check_rho(rho),), (penalty,), (decay, decay))


def check_beta(beta: object) -> float:
    """Weight of the sparsity penalty."""
    return check_in("beta", beta, 0.0, math.inf, ">= 0 and finite")


def check_settings(
    units: Sequence[str], loss: str, rho: object, beta: object, weight_decay: object, n_layers: int
) -> Settings:
    """The settings of a network of ``n_layers``, each argument one value or one for each layer."""
    check_loss(loss)
    names = check_units(units, n_layers, loss)
    n = n_layers - 1
    rhos = _per_layer("rho", rho, n, "hidden layers", check_rho)
    betas = _per_layer("beta", beta, n, "hidden layers", check_beta)
    decays = _per_layer("weight_decay", weight_decay, n_layers, "layers", _check_decay)
    for i, penalty in enumerate(betas):
        if penalty > 0 and not UNITS[names[i]].bounded:
            raise ValueError(
                f"beta must be 0 for layer {i}, whose unit is {names[i]!r} and has no upper bound, got {penalty!r}"
            )
    return Settings(names, loss, rhos, betas, decays)


def check_loss(loss: str) -> None:
    """A loss's name."""
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ValueError(f"loss must be {listed(LOSSES)}, got {loss!r}")


def check_units(units: Sequence[str], n_layers: int, loss: str) -> tuple[str, ...]:
    """Names of units, one for each layer, the last one such that ``loss`` can be taken of it."""
    if isinstance(units, str) or not isinstance(units, Sequence) or len(units) != n_layers:
        raise ValueError(f"units must have one name for each of the {n_layers} layers, got {units!r}")
    for i, unit in enumerate(units):
        if not isinstance(unit, str) or unit not in UNITS:
            raise ValueError(f"units[{i}] must be {listed(OUTPUT)}, got {unit!r}")
    served = LOSSES[loss].outputs
    if served and units[-1] not in served:
        raise ValueError(
            f"units[{n_layers - 1}], the last, must be {listed(served)} with loss={loss!r}, got {units[-1]!r}"
        )
    return tuple(units)


def _check_decay(weight_decay: object) -> float:
    return check_in("weight_decay", weight_decay, 0.0, math.inf, ">= 0 and finite")


def _per_layer(name: str, value: object, n: int, what: str, check: Callable[[object], float]) -> tuple[float, ...]:
    """One value for all of n layers, or one for each."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (check(value),) * n
    if len(value) != n:
        raise ValueError(f"{name} must be one value or one for each of the {n} {what}, got {value!r}")
    return tuple(check(v) for v in value)
