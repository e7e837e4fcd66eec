"""What a network does, besides its arrays and its data: units, loss and penalties, checked, as one object."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .. import _core
from . import _losses, _units
from ._checks import check_hidden, check_in, check_output, check_rho, listed
from ._losses import LOSSES, RECONSTRUCTION, serves
from ._units import UNITS

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
    l1 : tuple of float
        One for each hidden layer; empty for none.
    """

    units: tuple[str, ...]
    loss: str = "squared"
    rho: tuple[float, ...] = ()
    beta: tuple[float, ...] = ()
    weight_decay: tuple[float, ...] = ()
    l1: tuple[float, ...] = ()
    core: _core.Settings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        n = len(self.units)
        core = _core.Settings(
            [_units.NUMBER[unit] for unit in self.units],
            [*self.rho, *[0.5] * (n - len(self.rho))],
            [*self.beta, *[0.0] * (n - len(self.beta))],
            [*self.weight_decay, *[0.0] * (n - len(self.weight_decay))],
            _losses.NUMBER[self.loss],
            [*self.l1, *[0.0] * (n - len(self.l1))],
        )
        object.__setattr__(self, "core", core)

    def __reduce__(self) -> tuple[Any, ...]:
        return Settings, self.values

    @property
    def values(self) -> tuple[Any, ...]:
        """The arguments that it is made of: names and numbers alone, to be stored."""
        return self.units, self.loss, self.rho, self.beta, self.weight_decay, self.l1


def check_autoencoder(
    hidden: str,
    output: str,
    rho: object,
    beta: object,
    weight_decay: object,
    loss: str = "squared",
    l1: object = 0.0,
) -> Settings:
    """The settings of an autoencoder, from its arguments."""
    check_hidden(hidden)
    check_output(output)
    check_loss(loss, RECONSTRUCTION)
    _check_served(loss, output, "output")
    penalty = check_weight("beta", beta)
    if penalty > 0 and not UNITS[hidden].bounded:
        raise ValueError(
            f"beta must be 0 for hidden={hidden!r}, whose mean activation has no upper bound; take l1=..., got {beta!r}"
        )
    decay = check_weight("weight_decay", weight_decay)
    sparsity = check_weight("l1", l1)
    return Settings((hidden, output), loss, (check_rho(rho),), (penalty,), (decay, decay), (sparsity,))


def check_weight(name: str, value: object) -> float:
    """Weight of a penalty."""
    return check_in(name, value, 0.0, math.inf, ">= 0 and finite")


def check_settings(
    units: Sequence[str],
    loss: str,
    rho: object,
    beta: object,
    weight_decay: object,
    n_layers: int,
    l1: object = 0.0,
) -> Settings:
    """The settings of a network of ``n_layers``, each argument one value or one for each layer."""
    check_loss(loss)
    names = check_units(units, n_layers, loss)
    n = n_layers - 1
    rhos = _per_layer("rho", rho, n, "hidden layers", check_rho)
    betas = _per_layer("beta", beta, n, "hidden layers", partial(check_weight, "beta"))
    decays = _per_layer("weight_decay", weight_decay, n_layers, "layers", partial(check_weight, "weight_decay"))
    sparsities = _per_layer("l1", l1, n, "hidden layers", partial(check_weight, "l1"))
    for i, penalty in enumerate(betas):
        if penalty > 0 and not UNITS[names[i]].bounded:
            raise ValueError(
                f"beta must be 0 for layer {i}, whose unit is {names[i]!r} and has no upper bound; take l1=..., "
                f"got {penalty!r}"
            )
    return Settings(names, loss, rhos, betas, decays, sparsities)


def check_loss(loss: str, names: Sequence[str] = tuple(LOSSES)) -> None:
    """A loss's name."""
    if not isinstance(loss, str) or loss not in names:
        raise ValueError(f"loss must be {listed(names)}, got {loss!r}")


def check_units(units: Sequence[str], n_layers: int, loss: str) -> tuple[str, ...]:
    """Names of units, one for each layer, the last one such that ``loss`` can be taken of it."""
    if isinstance(units, str) or not isinstance(units, Sequence) or len(units) != n_layers:
        raise ValueError(f"units must have one name for each of the {n_layers} layers, got {units!r}")
    for i, unit in enumerate(units):
        check_output(unit, f"units[{i}]")
    _check_served(loss, units[-1], f"units[{n_layers - 1}], the last,")
    return tuple(units)


def _check_served(loss: str, output: str, name: str) -> None:
    if not serves(loss, output):
        raise ValueError(f"{name} must be {listed(LOSSES[loss].outputs)} with loss={loss!r}, got {output!r}")


def _per_layer(name: str, value: object, n: int, what: str, check: Callable[[object], float]) -> tuple[float, ...]:
    """One value for all of n layers, or one for each."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (check(value),) * n
    if len(value) != n:
        raise ValueError(f"{name} must be one value or one for each of the {n} {what}, got {value!r}")
    return tuple(check(v) for v in value)
