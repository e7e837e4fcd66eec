"""Formats of model files: which one holds what, and what the older ones leave unsaid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._kinds import KIND, KSPARSE_MODEL, STACKS

FORMAT = 3  # the newest that is read; every file is written in the oldest one that can hold it
_UNITS = ("sigmoid", "tanh", "linear")
_FORMAT_2: dict[str, Sequence[Any]] = {  # what fields may be in files of formats 1 and 2
    "hidden": _UNITS,
    "output": _UNITS,
    "units": _UNITS,
    "output_units": _UNITS,
    "loss": ("squared",),
    "l1": (0,),
}
_FORMAT_2_KINDS = (KIND, "Encoder", "StackEncoder", *STACKS)
# What formats 1 and 2 do not tell of a cost, and what it is there: hyper-parameters, the loss also of what was fitted.
LATER: dict[str, Any] = {"loss": "squared", "l1": 0.0}


def format_of(about: dict[str, Any]) -> int:
    """The oldest format that can hold these fields, so that older versions read what they understand.

    Format 1 is of single layers, 2 of those with a scaling, of their encoders and of stacks. Units, losses, penalties
    and kinds that came after these are format 3.
    """
    if about.get("kind", KIND) not in _FORMAT_2_KINDS:
        return 3
    hyper = about.get("hyper_parameters")
    for fields in (about, hyper if isinstance(hyper, dict) else {}):
        for name, known in _FORMAT_2.items():
            value = fields.get(name, known[0])
            several = isinstance(value, list) and name not in LATER  # they were by layer
            if any(entry not in known for entry in (value if several else [value])):
                return 3
    return 1 if about.get("kind", KIND) == KIND and "scale" not in about else 2


def as_stored(about: dict[str, Any]) -> dict[str, Any]:
    """The fields with the number of their format, and without those that it has not."""
    number = format_of(about)
    if number < 3 and "hyper_parameters" in about:
        about = _without_later(about) | {"hyper_parameters": _without_later(about["hyper_parameters"])}
    return about | {"format": number}


def _without_later(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in LATER}


def as_read(about: dict[str, Any]) -> dict[str, Any]:
    """Checked fields, with those that their format has not."""
    if "hyper_parameters" not in about or about.get("kind") == KSPARSE_MODEL:
        return about
    hyper = about["hyper_parameters"]
    hyper = hyper | {name: value for name, value in LATER.items() if name not in hyper}
    reconstructs = "output" in about or "output_units" in about
    return ({"loss": LATER["loss"]} if reconstructs else {}) | about | {"hyper_parameters": hyper}
