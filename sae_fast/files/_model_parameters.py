"""Checks of hyper-parameters in model files; as the estimators check them, which this needs none of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ..network._checks import check_count, check_in, check_n_threads, check_rho
from ..network._layer_plan import per_layer, plan_layers
from ..network._losses import RECONSTRUCTION
from ..network._scale import SCALINGS
from ..network._settings import check_autoencoder, check_loss
from ..network._solvers import check_solver
from ._ksparse_parameters import check_ksparse
from ._model_fields import Check, hidden_unit, one_of, output_unit, short
from ._model_format import LATER


def _flag(name: str, value: Any) -> None:
    if value not in (False, True):
        raise ValueError(f"{name} must be true or false, got {short(value)}")


def _contamination(name: str, value: Any) -> None:
    if value != "auto":
        check_in(name, value, math.ulp(0.0), 0.5 + math.ulp(0.5), "'auto' or in (0, 0.5]")


def _share(name: str, value: Any) -> None:
    check_in(name, value, math.ulp(0.0), 1.0, "in (0, 1)")


def _seed(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or value < 0):
        raise ValueError(f"{name} must be an integer >= 0 or None, got {short(value)}")


def _class_weight(name: str, value: Any) -> None:
    if value is None or value == "balanced":
        return
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise TypeError(f"{name} must be a list of labels and weights, 'balanced' or None, got {short(value)}")
    for label, weight in value:
        if not isinstance(label, (bool, int, float, str)):
            raise TypeError(f"{name} must have numbers, truth values or strings for labels, got {short(label)}")
        _at_least_zero(name, weight)


def _verbosity(name: str, value: Any) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {short(value)}")


def _rate(name: str, value: Any) -> None:
    if value is not None:
        check_in(name, value, math.ulp(0.0), math.inf, "> 0 and finite")


def _at_least_zero(name: str, value: Any) -> None:
    check_in(name, value, 0.0, math.inf, ">= 0 and finite")


HYPER_PARAMETERS: dict[str, Check] = {
    "n_components": check_count,
    "rho": lambda _, value: check_rho(value),
    "beta": _at_least_zero,
    "l1": _at_least_zero,
    "weight_decay": _at_least_zero,
    "loss": lambda _, value: check_loss(value, RECONSTRUCTION),
    "hidden": hidden_unit,
    "output": output_unit,
    "scale": one_of(SCALINGS),
    "solver": check_solver,
    "max_iter": check_count,
    "batch_size": check_count,
    "learning_rate": _rate,
    "momentum": lambda name, value: check_in(name, value, 0.0, 1.0, "in [0, 1)"),
    "tol": _at_least_zero,
    "n_iter_no_change": check_count,
    "early_stopping": _flag,
    "validation_fraction": _share,
    "warm_start": _flag,
    "random_state": _seed,
    "n_threads": lambda _, value: check_n_threads(value),
    "verbose": _verbosity,
}
DETECTOR_PARAMETERS: dict[str, Check] = {"contamination": _contamination, "calibration_fraction": _share}
KSPARSE_PARAMETERS: dict[str, Check] = {"random_state": _seed, "verbose": _verbosity}
_OF_COST = ("rho", "beta", "weight_decay", "hidden", "output")
_OF_LAYERS = ("hidden_layer_sizes", *_OF_COST, "solver", "max_iter")
BY_LAYER = (*_OF_LAYERS, *LATER)
STACK_PARAMETERS: dict[str, Check] = {
    name: check for name, check in HYPER_PARAMETERS.items() if name not in (*BY_LAYER, "n_components", "scale")
} | {
    "class_weight": _class_weight,
    "head_max_iter": check_count,
    "head_weight_decay": _at_least_zero,
    "fine_tune": _flag,
    "fine_tune_solver": check_solver,
    "fine_tune_max_iter": check_count,
    "fine_tune_learning_rate": _rate,
}


def check_hyper_parameters(name: str, value: Any) -> None:
    _check_each(name, value, HYPER_PARAMETERS)
    check_autoencoder(**{key: value[key] for key in _there(name, value, _OF_COST)})


def check_detector_parameters(name: str, value: Any) -> None:
    """Those of an autoencoder, and its own."""
    check_hyper_parameters(name, value)
    _check_each(name, value, DETECTOR_PARAMETERS)


def check_ksparse_parameters(name: str, value: Any) -> None:
    """Those of a k-sparse autoencoder, none of which may be missing."""
    _check_each(name, value, KSPARSE_PARAMETERS)
    try:
        check_ksparse(value)
    except KeyError as error:
        raise ValueError(f"{name}.{error.args[0]} is missing") from None


def _there(name: str, value: dict[str, Any], wanted: Sequence[str]) -> list[str]:
    """The parameters that are wanted, none of which may be missing, and those that older formats have not."""
    for key in wanted:
        if key not in value:
            raise ValueError(f"{name}.{key} is missing")
    return [*wanted, *(LATER.keys() & value.keys())]


def _check_each(name: str, value: Any, checks: dict[str, Check]) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object, got {short(value)}")
    for key in checks.keys() & value.keys():
        checks[key](f"{name}.{key}", value[key])


def check_stack_parameters(n_more: int) -> Check:
    """``n_more`` is how many entries ``fine_tune_weight_decay`` has besides those of the layers."""

    def check(name: str, value: Any) -> None:
        _check_each(name, value, STACK_PARAMETERS)
        keys = _there(name, value, _OF_LAYERS)
        n = len(plan_layers(SimpleNamespace(**LATER | {key: value[key] for key in keys})))
        decay = value.get("fine_tune_weight_decay")
        for entry in [] if decay is None else per_layer("fine_tune_weight_decay", decay, n + n_more):
            _at_least_zero("fine_tune_weight_decay", entry)

    return check
