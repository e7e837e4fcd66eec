"""Checks of single fields in the JSON of model files: each takes the field's name and value, and raises or returns."""

from __future__ import annotations

import itertools
import math
import re
import reprlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network._checks import check_hidden, check_output
from ..network._scale import SCALINGS

_LABEL_BYTES = 1 << 26  # of class labels, whose width is the file's word
_LARGEST = float(np.finfo(np.float64).max)

Check = Callable[[str, Any], object]


def short(value: object) -> str:
    """``repr`` that is never long."""
    found = reprlib.Repr()
    found.maxstring = found.maxother = found.maxlong = 60
    return found.repr(value)


def one_of(values: Sequence[Any]) -> Check:
    def check(name: str, value: Any) -> None:
        if not any(type(value) is type(v) and value == v for v in values):
            raise ValueError(f"{name} must be {' or '.join(map(repr, values))}, got {short(value)}")

    return check


def hidden_unit(name: str, value: Any) -> None:
    check_hidden(text(name, value))


def output_unit(name: str, value: Any) -> None:
    check_output(text(name, value))


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, got {short(value)}")
    return value


def _list_of(name: str, value: Any, n: int | None, of: type, what: str) -> list[Any]:
    if not isinstance(value, list) or not all(type(v) is of for v in value) or n not in (None, len(value)):
        number = "" if n is None else f"{n} "
        raise TypeError(f"{name} must be a list of {number}{what}, got {short(value)}")
    return value


def names_of(n_visible: int) -> Check:
    def check(name: str, value: Any) -> None:
        if value is not None:
            _list_of(name, value, n_visible, str, "names")

    return check


def units_of(known: Sequence[str], n: int | None = None) -> Check:
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


def check_versions(name: str, value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise TypeError(f"{name} must be an object of texts, got {short(value)}")


def numbers(**checks: Check) -> Check:
    def check(name: str, value: Any) -> None:
        for field, entry in _fields(name, value, list(checks)).items():
            checks[field](f"{name}.{field}", entry)

    return check


def check_integer(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{name} must be an integer >= 0, got {short(value)}")


def in_range(low: int, high: int) -> Check:
    def check(name: str, value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} must be an integer in [{low}, {high}], got {short(value)}")

    return check


def _number(name: str, value: Any, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:
        wanted = ">= 0 and finite" if low == 0 else "finite" if high == _LARGEST else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{name} must be a number, {wanted}, got {short(value)}")


def check_cost(name: str, value: Any) -> None:
    if not isinstance(value, list) or len(value) != 4:
        raise TypeError(f"{name} must be a list of 4 numbers, got {short(value)}")
    for part in value:
        _number(name, part, -_LARGEST, _LARGEST)


def check_scale(name: str, value: Any) -> None:
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


def check_score(name: str, value: Any) -> None:
    _number(name, value, -_LARGEST, 0)


def check_unit(name: str, value: Any) -> None:
    _number(name, value, math.ulp(0.0), _LARGEST)


def labels(value: dict[str, Any]) -> NDArray[Any]:
    """The array of labels that the field ``classes`` holds."""
    return np.array(value["values"], dtype=value["dtype"])


def check_labels(name: str, value: Any) -> None:
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
