"""Parameters of a stack that are one value for all layers, or one per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from ._checks import check_count, check_hidden, check_output, listed
from ._losses import RECONSTRUCTION, serves
from ._settings import Settings, check_autoencoder, check_loss
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
    settings: Settings
    solver: str
    max_iter: int

    @property
    def hidden(self) -> Hidden:
        """Activation of the codes."""
        return cast("Hidden", self.settings.units[0])

    @property
    def output(self) -> Output:
        """Activation of what the layer reconstructs."""
        return cast("Output", self.settings.units[1])

    @property
    def rho(self) -> float:
        """Wanted mean activation."""
        return self.settings.rho[0]

    @property
    def beta(self) -> float:
        """Weight of the penalty on mean activations."""
        return self.settings.beta[0]

    @property
    def l1(self) -> float:
        """Weight of the penalty on single activations."""
        return self.settings.l1[0]

    @property
    def weight_decay(self) -> float:
        """Weight of the penalty on weights."""
        return self.settings.weight_decay[0]


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

    ``output`` and ``loss`` that are one value are those of the lowest layer, which reconstructs the data. The layers
    above reconstruct codes: they get the output unit that reaches just what the hidden units below can give, and the
    same loss, or the squared one if that cannot be taken of their output.
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
    given = getattr(model, "loss", "squared")  # files of version 0.1.0 have neither loss nor l1
    loss = per_layer("loss", given, n)
    if isinstance(given, str):
        check_loss(given, RECONSTRUCTION)
        loss[1:] = [given if serves(given, unit) else "squared" for unit in output[1:]]
    solver = [check_solver("solver", name) for name in per_layer("solver", model.solver, n)]
    max_iter = [check_count("max_iter", value) for value in per_layer("max_iter", model.max_iter, n)]
    penalties = [per_layer(name, getattr(model, name), n) for name in ("rho", "beta", "weight_decay")]
    l1 = per_layer("l1", getattr(model, "l1", 0.0), n)
    settings = [check_autoencoder(*each) for each in zip(hidden, output, *penalties, loss, l1, strict=True)]
    return [LayerPlan(*each) for each in zip(sizes, settings, solver, max_iter, strict=True)]


def _reaching(hidden: str) -> list[str]:
    """Output units that reach all that these hidden units can give."""
    codes = UNITS[hidden]
    return [name for name, unit in UNITS.items() if unit.low <= codes.low and codes.high <= unit.high]
