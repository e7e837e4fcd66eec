"""What a model file of each kind holds: every field of its JSON and every tensor, with what it must be.

It is checked before a file is written, and after one is read and before anything is made of it. A field that its kind
has not is an error, and so is one that is missing; only hyper-parameters may be unknown, as those of a newer version
are. Needs NumPy alone.
"""

from __future__ import annotations

import itertools
import math
import re
import reprlib
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import HIDDEN, OUTPUT, check_count, check_hidden, check_in, check_n_threads, check_output, check_rho
from ._layer_plan import check_solver, per_layer, plan_layers
from ._scale import SCALINGS

FORMAT = 2  # the newest that is read; what older versions understand is still written in format 1
KIND = "SparseAutoencoder"  # of files that name none
ENCODERS = ("Encoder", "StackEncoder")
STACKS = ("StackedAutoencoder", "StackedAutoencoderClassifier")
KINDS = (KIND, *ENCODERS, *STACKS)
_LABEL_BYTES = 1 << 26  # of class labels, whose width is the file's word
_ROUNDING = 1e-6  # of means of numbers in [0, 1]

Tensors = dict[str, NDArray[Any]]
Check = Callable[[str, Any], object]


def kind_of(about: dict[str, Any]) -> str:
    """The kind of a file by its JSON."""
    kind = about.get("kind", KIND)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, got {short(kind)}")
    return kind


def check_contents(tensors: Tensors, about: dict[str, Any]) -> None:
    """All fields of the file's kind, none missing and no other one; ValueError or TypeError that names the field."""
    contents = _Contents(tensors, about)
    kind = kind_of(about)
    contents.fields.discard("kind")
    contents.field("format", _one_of((1, FORMAT) if kind == KIND else (FORMAT,)))
    contents.field("versions", _versions)
    contents.fields.discard("checksum")
    if kind == "Encoder":
        _encoder(contents)
    elif kind == "StackEncoder":
        _stack_encoder(contents)
    elif kind == KIND:
        _single_layer(contents)
    else:
        _stack(contents, kind)
    contents.finish()


def short(value: object) -> str:
    """``repr`` that is never long."""
    found = reprlib.Repr()
    found.maxstring = found.maxother = found.maxlong = 60
    return found.repr(value)


class _Contents:
    """Tensors and fields, and which of them nobody has asked for yet."""

    def __init__(self, tensors: Tensors, about: dict[str, Any]) -> None:
        self.about = about
        self.fields = set(about)
        self._tensors = tensors
        self._left = set(tensors)

    def field(self, name: str, check: Check) -> Any:
        """A field, checked."""
        if name not in self.about:
            raise ValueError(f"{name} is missing")
        self.fields.discard(name)
        check(name, self.about[name])
        return self.about[name]

    def optional(self, name: str, check: Check) -> None:
        """A field that may be missing."""
        if name in self.about:
            self.field(name, check)

    def has(self, name: str) -> bool:
        """Is there such a tensor?"""
        return name in self._tensors

    def tensor(
        self,
        name: str,
        shape: Sequence[int | None],
        dtypes: Sequence[Any] = (np.float64,),
        low: float = -math.inf,
        high: float = math.inf,
        finite: bool = True,
    ) -> NDArray[Any]:
        """A tensor of one of the types and of this shape, None for a size >= 0 that is free; without NaN."""
        if name not in self._tensors:
            raise ValueError(f"{name} is missing")
        self._left.discard(name)
        array = self._tensors[name]
        if array.dtype not in dtypes:
            wanted = " or ".join(str(np.dtype(d)) for d in dtypes)
            raise TypeError(f"{name} must have dtype {wanted}, got {array.dtype}")
        fits = array.ndim == len(shape) and all(w in (None, n) for w, n in zip(shape, array.shape, strict=True))
        if not fits:
            sizes = ", ".join("n" if w is None else str(w) for w in shape)
            raise ValueError(f"{name} must have shape ({sizes}), got {array.shape}")
        if not np.isfinite(array).all() if finite else np.isnan(array).any():
            raise ValueError(f"{name} must be finite, got {'NaN' if np.isnan(array).any() else 'infinity'}")
        if array.size and not (low <= array.min() and array.max() <= high):
            raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {array.min():g} to {array.max():g}")
        return array

    def finish(self) -> None:
        """Nothing is left."""
        for what, names in (("tensor", self._left), ("field", self.fields)):
            if names:
                raise ValueError(f"it has a {what} {short(min(names))} that its kind has not")


# Kinds


def _encoder(contents: _Contents) -> None:
    contents.field("hidden", _hidden)
    n_visible = _layer(contents, "W1", "b1", None)[1]
    contents.optional("feature_names", _names_of(n_visible))


def _stack_encoder(contents: _Contents) -> None:
    sizes, _ = _layers(contents, "encoder", contents.field("units", _units_of(HIDDEN)), None, None)
    contents.optional("feature_names", _names_of(sizes[0]))


def _single_layer(contents: _Contents) -> None:
    contents.field("hidden", _hidden)
    contents.field("output", _output)
    n_hidden, n_visible, dtype = _layer(contents, "W1", "b1", None)
    contents.tensor("W2", (n_visible, n_hidden), (dtype,))
    contents.tensor("b2", (n_visible,), (dtype,))
    contents.tensor("rho_hat", (n_hidden,), low=-_ROUNDING, high=1 + _ROUNDING)
    low, high = (contents.tensor(f"unit_{end}", (n_hidden,), low=0, high=1) for end in ("lowest", "highest"))
    if not np.all(low <= high):
        raise ValueError("unit_lowest must be <= unit_highest")
    (n_iter,) = contents.tensor("loss_curve", (None,), finite=False).shape
    contents.tensor("loss_parts", (n_iter, 3), finite=False)
    contents.field("fitted", _numbers(n_iter=_integer, cost=_cost, rho=lambda _, value: check_rho(value)))
    contents.field("feature_names", _names_of(n_visible))
    if contents.about["format"] >= 2 and contents.field("scale", _scale)["kind"] == "minmax":
        contents.tensor("scale_minimum", (n_visible,))
        contents.tensor("scale_span", (n_visible,), low=0)
    contents.field("hyper_parameters", _hyper_parameters)


def _stack(contents: _Contents, kind: str) -> None:
    units = contents.field("units", _units_of(HIDDEN))
    (n_visible, *sizes), dtype = _layers(contents, "encoder", units, None, None)
    if kind == "StackedAutoencoder":
        up = contents.field("output_units", _units_of(OUTPUT, len(units)))
        _layers(contents, "decoder", up, [*reversed(sizes), n_visible], dtype)
    else:
        n_classes = len(labels(contents.field("classes", _labels)))
        contents.tensor("head.W", (n_classes, sizes[-1]), (dtype,))
        contents.tensor("head.b", (n_classes,), (dtype,))
        contents.tensor("head_loss_curve", (None,), finite=False)
        if contents.has("validation_curve"):
            contents.tensor("validation_curve", (None,), finite=False)
    for k, size in enumerate(sizes):
        contents.tensor(f"rho_hat.{k}", (size,), low=-_ROUNDING, high=1 + _ROUNDING)
        contents.tensor(f"loss_curve.{k}", (None,), finite=False)
    contents.tensor("fine_tune_loss_curve", (None,), finite=False)
    contents.field("fitted", _numbers(n_iter=_integer, cost=_cost))
    contents.field("feature_names", _names_of(n_visible))
    contents.field("hyper_parameters", _stack_parameters(n_more=0 if kind == "StackedAutoencoder" else 1))


def _layer(
    contents: _Contents, W: str, b: str, n_in: int | None, n_out: int | None = None, dtype: Any = None
) -> tuple[int, int, np.dtype[Any]]:
    """Numbers of outputs and inputs of a layer, and its type."""
    found = contents.tensor(W, (n_out, n_in), (np.float32, np.float64) if dtype is None else (dtype,))
    if 0 in found.shape:
        raise ValueError(f"{W} must have no size of 0, got shape {found.shape}")
    contents.tensor(b, found.shape[:1], (found.dtype,))
    return found.shape[0], found.shape[1], found.dtype


def _layers(
    contents: _Contents, name: str, units: list[str], sizes: Sequence[int] | None, dtype: Any
) -> tuple[list[int], Any]:
    """Sizes of a chain of layers, of its input first, and their type."""
    found: list[int] = []
    for k in range(len(units)):
        below = found[-1] if found else None
        n_in, n_out = (below, None) if sizes is None else (sizes[k], sizes[k + 1])
        n_out, n_in, dtype = _layer(contents, f"{name}.{k}.W", f"{name}.{k}.b", n_in, n_out, dtype)
        found += [n_out] if found else [n_in, n_out]
    return found, dtype


# Fields


def _one_of(values: Sequence[Any]) -> Check:
    def check(name: str, value: Any) -> None:
        if not any(type(value) is type(v) and value == v for v in values):
            raise ValueError(f"{name} must be {' or '.join(map(repr, values))}, got {short(value)}")

    return check


def _hidden(name: str, value: Any) -> None:
    check_hidden(_text(name, value))


def _output(name: str, value: Any) -> None:
    check_output(_text(name, value))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, got {short(value)}")
    return value


def _list_of(name: str, value: Any, n: int | None, of: type, what: str) -> list[Any]:
    if not isinstance(value, list) or not all(type(v) is of for v in value) or n not in (None, len(value)):
        number = "" if n is None else f"{n} "
        raise TypeError(f"{name} must be a list of {number}{what}, got {short(value)}")
    return value


def _names_of(n_visible: int) -> Check:
    def check(name: str, value: Any) -> None:
        if value is not None:
            _list_of(name, value, n_visible, str, "names")

    return check


def _units_of(known: Sequence[str], n: int | None = None) -> Check:
    def check(name: str, value: Any) -> None:
        for unit in _list_of(name, value, n, str, "units"):
            if unit not in known:
                raise ValueError(f"{name} must be {', '.join(known)}, got {short(unit)}")
        if not value:
            raise ValueError(f"{name} must name at least one layer's units, got none")

    return check


def _fields(name: str, value: Any, wanted: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or sorted(value) != sorted(wanted):
        raise TypeError(f"{name} must be an object with {', '.join(wanted)}, got {short(value)}")
    return value


def _versions(name: str, value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise TypeError(f"{name} must be an object of texts, got {short(value)}")


def _numbers(**checks: Check) -> Check:
    def check(name: str, value: Any) -> None:
        for field, entry in _fields(name, value, list(checks)).items():
            checks[field](f"{name}.{field}", entry)

    return check


def _integer(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{name} must be an integer >= 0, got {short(value)}")


def _number(name: str, value: Any, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:
        wanted = ">= 0 and finite" if low == 0 else "finite" if high == _LARGEST else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{name} must be a number, {wanted}, got {short(value)}")


def _cost(name: str, value: Any) -> None:
    if not isinstance(value, list) or len(value) != 4:
        raise TypeError(f"{name} must be a list of 4 numbers, got {short(value)}")
    for part in value:
        _number(name, part, -_LARGEST, _LARGEST)


_LARGEST = float(np.finfo(np.float64).max)


def _scale(name: str, value: Any) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind not in SCALINGS[1:]:
        raise ValueError(f"{name}.kind must be 'minmax' or 'ufldl', got {short(kind if kind else value)}")
    _fields(name, value, ("kind", "low", "high", "limit") if kind == "ufldl" else ("kind", "low", "high"))
    for end in ("low", "high"):
        _number(f"{name}.{end}", value[end], -1, 1)
    if not value["low"] < value["high"]:
        raise ValueError(f"{name} must have low < high, got {value['low']} and {value['high']}")
    if kind == "ufldl":
        _number(f"{name}.limit", value["limit"], 0, _LARGEST)


def labels(value: dict[str, Any]) -> NDArray[Any]:
    """The array of labels that the field ``classes`` holds."""
    return np.array(value["values"], dtype=value["dtype"])


def _labels(name: str, value: Any) -> None:
    """At least two labels that the type holds exactly, sorted, none twice."""
    dtype, values = (_fields(name, value, ("dtype", "values"))[k] for k in ("dtype", "values"))
    if not isinstance(values, list) or len(values) < 2:
        raise TypeError(f"{name}.values must be a list of at least two labels, got {short(values)}")
    known = isinstance(dtype, str) and re.fullmatch(r"object|\|b1|[<>|=]?[iu][1248]|[<>=]?f[248]|[<>=]?U\d{1,8}", dtype)
    if not known:
        raise ValueError(f"{name}.dtype must be a type of numbers, truth values or strings, got {short(dtype)}")
    kind = "U" if dtype == "object" else dtype.strip("<>|=")[0]
    python = {"b": bool, "U": str, "i": int, "u": int, "f": float}[kind]
    _list_of(f"{name}.values", values, None, python, f"labels of type {dtype}")
    if kind == "U" and dtype != "object":
        width = int(dtype.strip("<>=U"))
        if max(map(len, values)) > width or 4 * width * len(values) > _LABEL_BYTES:
            raise ValueError(f"{name}.dtype must be as wide as the longest label, got {dtype}")
    elif kind in "iuf":
        limits: Any = np.finfo(dtype) if kind == "f" else np.iinfo(dtype)
        if not all(int(limits.min) <= v <= int(limits.max) for v in values):
            raise ValueError(f"{name}.values must be finite numbers that {dtype} holds, got {short(values)}")
    found = labels(value).tolist()
    if found != values:
        raise ValueError(f"{name}.values must be labels that {dtype} holds exactly, got {short(values)}")
    if any(not a < b for a, b in itertools.pairwise(found)):
        raise ValueError(f"{name}.values must be sorted, none of them twice, got {short(values)}")


# Hyper-parameters


def _flag(name: str, value: Any) -> None:
    if value not in (False, True):
        raise ValueError(f"{name} must be true or false, got {short(value)}")


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
    "weight_decay": _at_least_zero,
    "hidden": _hidden,
    "output": _output,
    "scale": _one_of(SCALINGS),
    "solver": check_solver,
    "max_iter": check_count,
    "batch_size": check_count,
    "learning_rate": _rate,
    "momentum": lambda name, value: check_in(name, value, 0.0, 1.0, "in [0, 1)"),
    "tol": _at_least_zero,
    "n_iter_no_change": check_count,
    "early_stopping": _flag,
    "validation_fraction": lambda name, value: check_in(name, value, math.ulp(0.0), 1.0, "in (0, 1)"),
    "warm_start": _flag,
    "random_state": _seed,
    "n_threads": lambda _, value: check_n_threads(value),
    "verbose": _verbosity,
}
BY_LAYER = ("hidden_layer_sizes", "rho", "beta", "weight_decay", "hidden", "output", "solver", "max_iter")
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


def _hyper_parameters(name: str, value: Any) -> None:
    _check_each(name, value, HYPER_PARAMETERS)


def _check_each(name: str, value: Any, checks: dict[str, Check]) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object, got {short(value)}")
    for key in checks.keys() & value.keys():
        checks[key](f"{name}.{key}", value[key])


def _stack_parameters(n_more: int) -> Check:
    """``n_more`` is how many entries ``fine_tune_weight_decay`` has besides those of the layers."""

    def check(name: str, value: Any) -> None:
        _check_each(name, value, STACK_PARAMETERS)
        missing = [key for key in BY_LAYER if key not in value]
        if missing:
            raise ValueError(f"{name}.{missing[0]} is missing")
        n = len(plan_layers(SimpleNamespace(**{key: value[key] for key in BY_LAYER})))  # type: ignore[arg-type]
        decay = value.get("fine_tune_weight_decay")
        for entry in [] if decay is None else per_layer("fine_tune_weight_decay", decay, n + n_more):
            _at_least_zero("fine_tune_weight_decay", entry)

    return check
