"""Tables of named tuples as text, and for JSON. Needs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any


def number(field: str, form: str, unit: str = "") -> Callable[[Any], str]:
    """What shows a field of a row: a dash where it is None or NaN."""

    def show(row: Any) -> str:
        value = getattr(row, field)
        return "-" if value is None or value != value else f"{value:{form}}{unit}"

    return show


def for_json(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows as dicts; None where a field is NaN."""
    return [{name: None if v != v else v for name, v in row._asdict().items()} for row in rows]


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of text: the first column begins at the left, the others end at the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        right = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *right]))
    return lines
