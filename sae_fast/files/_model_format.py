"""Formats of model files: which one holds what, and what the older ones leave unsaid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._kinds import KIND

FORMAT = 3  # the newest that is read; every file is written in the oldest one that can hold it
_UNITS = ("sigmoid", "tanh", "linear")
_FORMAT_2: dict[str, Sequence[Any]] = {  # what fields may be in files of formats 1 and 2
    "hidden": _UNITS,
    "output": _UNITS,
    "units": _UNITS,
    "output_units": _UNITS,
}


def format_of(about: dict[str, Any]) -> int:
    """The oldest format that can hold these fields, so that older versions read what they understand.

    Format 1 is of single layers, 2 of those with a scaling and of all other kinds. Units that came after these are
    format 3.
    """
    hyper = about.get("hyper_parameters")
    for fields in (about, hyper if isinstance(hyper, dict) else {}):
        for name, known in _FORMAT_2.items():
            value = fields.get(name, known[0])
            if any(entry not in known for entry in (value if isinstance(value, list) else [value])):
                return 3
    return 1 if about.get("kind", KIND) == KIND and "scale" not in about else 2


def as_stored(about: dict[str, Any]) -> dict[str, Any]:
    """The fields with the number of their format."""
    return about | {"format": format_of(about)}
