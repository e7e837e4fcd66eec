"""What the words of the command line stand for; a wrong one is an error that says what was wanted."""

from __future__ import annotations

import argparse
import glob
import math
import os
from collections.abc import Callable
from pathlib import Path

from .._core import available_isas
from ..files._arrays_io import is_separator, kind_of, suffix_of
from ..files._sparse_write import LINES
from ..network._checks import check_in, check_rho


def input_name(text: str) -> str:
    """Name of a table, or a pattern or folder for several."""
    if glob.has_magic(text) or os.path.isdir(text):
        return text  # the files are looked for when they are read
    try:
        kind_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def separator(text: str) -> str:
    """What stands between fields."""
    sep = {"tab": "\t", "\\t": "\t", "space": " "}.get(text, text)
    if not is_separator(sep):
        raise argparse.ArgumentTypeError(f"must be one character like ; or |, or tab or space, got {text!r}")
    return sep


def array_name(text: str) -> str:
    """Name of a table to write."""
    try:
        suffix_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def codes_name(text: str) -> str:
    """Name of a file of codes to write."""
    try:
        return text if Path(text).suffix.lower() == LINES else array_name(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; that of k-sparse codes in .npz or {LINES}") from None


def contamination(text: str) -> str | float:
    """A share of outliers, or "auto"."""
    if text == "auto":
        return text
    try:
        return check_in("contamination", float(text), math.ulp(0.0), 0.5 + math.ulp(0.5), "")
    except ValueError:
        raise argparse.ArgumentTypeError(f"contamination must be auto or in (0, 0.5], got {text!r}") from None


def model_name(text: str) -> str:
    """Name of a model file to write."""
    if Path(text).suffix != ".safetensors":
        raise argparse.ArgumentTypeError(f"the name of a model file must end in .safetensors, got {text!r}")
    return text


def picture_name(text: str) -> str:
    """Name of a picture to write."""
    if Path(text).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(f"the name of a picture must end in .png, .pdf or .svg, got {text!r}")
    return text


def shape(text: str) -> tuple[int, ...]:
    """Shape of a sample that is a picture."""
    try:
        found = tuple(int(n) for n in text.lower().split("x"))
    except ValueError:
        found = ()
    if len(found) not in (2, 3) or min(found) < 1 or (len(found) == 3 and 3 not in (found[0], found[2])):
        raise argparse.ArgumentTypeError(f"must be ROWSxCOLUMNS, or ROWSxCOLUMNSx3 in colour, got {text!r}")
    return found


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None


def count(text: str) -> int:
    """An integer >= 1."""
    number = _integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be >= 1, got {number}")
    return number


def counts(text: str) -> tuple[int, ...]:
    """Integers >= 1."""
    return tuple(count(part) for part in text.split(","))


def index(text: str) -> int:
    """An integer >= 0."""
    number = _integer(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be >= 0, got {number}")
    return number


def indices(text: str) -> tuple[int, ...]:
    """Integers >= 0."""
    return tuple(index(part) for part in text.split(","))


_RANGES: dict[str, Callable[[float], float]] = {
    "rho": check_rho,
    "dpi": lambda x: check_in("dpi", x, 10.0, math.nextafter(1200.0, math.inf), "in [10, 1200]"),
    "l1": lambda x: check_in("l1", x, 0.0, math.inf, ">= 0 and finite"),
    "beta": lambda x: check_in("beta", x, 0.0, math.inf, ">= 0 and finite"),
    "weight_decay": lambda x: check_in("weight_decay", x, 0.0, math.inf, ">= 0 and finite"),
    "tol": lambda x: check_in("tol", x, 0.0, math.inf, ">= 0 and finite"),
    "checkpoint_every": lambda x: check_in("checkpoint_every", x, 0.0, math.inf, ">= 0 and finite"),
    "momentum": lambda x: check_in("momentum", x, 0.0, 1.0, "in [0, 1)"),
    "learning_rate": lambda x: check_in("learning_rate", x, math.ulp(0.0), math.inf, "> 0 and finite"),
    "validation_fraction": lambda x: check_in("validation_fraction", x, math.ulp(0.0), 1.0, "in (0, 1)"),
}


def real(name: str) -> Callable[[str], float]:
    """A number in the range of the parameter of this name."""

    def convert(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
        try:
            return _RANGES[name](number)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def instruction_sets(text: str) -> list[str]:
    """Instruction sets of the core, the widest first; ``all`` that are usable here."""
    usable = available_isas()[::-1]
    chosen = usable if text == "all" else text.split(",")
    for isa in chosen:
        if isa not in usable:
            raise argparse.ArgumentTypeError(f"must be all, or some of {', '.join(usable)}, got {isa!r}")
    return [isa for isa in usable if isa in chosen]
