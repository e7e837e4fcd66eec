"""Parameters of a stack that are one value for all layers, or one per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ._checks import check_count, check_hidden, check_output, check_penalty, listed
from ._settings import Settings, check_autoencoder
from ._solvers import check_solver
from ._types import Hidden, Output
from ._units import UNITS


class Parameters(Protocol):
    """Parameters of a stack, each one value or one for each layer."""

    @property
    def hidden_layer_sizes(self) -> Any: ...
    @property
    def rho(self) -> Any: ...
    @property
    def beta(self) -> Any: ...
    @property
    def weight_decay(self) -> Any: ...
    @property
    def hidden(self) -> Any: ...
    @property
    def output(self) -> Any: ...
    @property
    def solver(self) -> Any: ...
    @property
    def max_iter(self) -> Any: ...


@dataclass(frozen=True)
class LayerPlan:
    """What one layer of a stack is trained with, checked."""

    n_hidden: int
    hidden: Hidden
    output: Output
    rho: float
    beta: float
    weight_decay: float
    solver: str
    max_iter: int

    @property
    def settings(self) -> Settings:
        """Of the autoencoder that is trained."""
        return check_autoencoder(self.hidden, self.output, self.rho, self.beta, self.weight_decay)


def per_layer(name: str, value: Any, n_layers: int, layers: str = "layer") -> list[Any]:
    """``value`` for each layer: itself, or its entries if it is a sequence of as many."""
    if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, str) or _is_scalar(value):
        return [value] * n_layers
    if len(value) != n_layers:
        raise ValueError(
            f"{name} must be one value, or one for each {layers} ({n_layers}), got {len(value)} values: {value!r}"
        )
    return list(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0


def layer_sizes(hidden_layer_sizes: Any) -> list[int]:
    """Numbers of hidden units, bottom up."""
    several = isinstance(hidden_layer_sizes, (Sequence, np.ndarray)) and not isinstance(hidden_layer_sizes, str)
    if several and not _is_scalar(hidden_layer_sizes):
        sizes = list(hidden_layer_sizes)
    else:
        sizes = [hidden_layer_sizes]
        if not hasattr(hidden_layer_sizes, "__index__"):
            raise TypeError(
                f"hidden_layer_sizes must be an integer or a sequence of integers, got {hidden_layer_sizes!r}"
            )
    if not sizes:
        raise ValueError(f"hidden_layer_sizes must have at least one layer, got {hidden_layer_sizes!r}")
    return [check_count("hidden_layer_sizes", size) for size in sizes]


def plan_layers(model: Parameters) -> list[LayerPlan]:
    """The layers that the parameters of ``model`` ask for, bottom up.

    An ``output`` that is one value is that of the lowest layer, which reconstructs the data; the layers above
    reconstruct codes, and get the output unit that reaches just what the hidden units below can give.
    """
    sizes = layer_sizes(model.hidden_layer_sizes)
    n = len(sizes)
    hidden = per_layer("hidden", model.hidden, n)
    for unit in hidden:
        check_hidden(unit)
    fitting = [model.output, *hidden[:-1]]
    output = fitting if isinstance(model.output, str) else per_layer("output", model.output, n)
    for layer, unit in enumerate(output):
        check_output(unit)
        if layer > 0 and unit not in (reaching := _reaching(hidden[layer - 1])):
            raise ValueError(
                f"output of layer {layer + 1} must be {listed(reaching)} to reach the codes of {hidden[layer - 1]} "
                f"units below, got {unit!r}"
            )
    solver = per_layer("solver", model.solver, n)
    for name in solver:
        check_solver("solver", name)
    rho, beta, decay = (per_layer(k, getattr(model, k), n) for k in ("rho", "beta", "weight_decay"))
    penalties = [check_penalty(*values) for values in zip(rho, beta, decay, strict=True)]
    max_iter = [check_count("max_iter", value) for value in per_layer("max_iter", model.max_iter, n)]
    return [LayerPlan(*columns[:3], *columns[3], *columns[4:])
            for columns in zip(sizes, hidden, output, penalties, solver, max_iter, strict=True)]  # fmt: skip


def _reaching(hidden: str) -> list[str]:
    """Output units that reach all that these hidden units can give."""
    codes = UNITS[hidden]
    return [name for name, unit in UNITS.items() if unit.low <= codes.low and codes.high <= unit.high]
