"""What a field of a CSV file is, and the words for one that is no number."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from ._table import TableOptions

MISSING = frozenset(("", "?", "-", ".", "na", "n/a", "nan", "null", "none", "nil", "missing"))
"""What programs write for a missing value, in lower case; spreadsheets' own (#N/A, #DIV/0!) begin with ``#``."""
_SEPARATORS = (",", ";", "\t", "|", " ")


def number(text: str, decimal: str = ".") -> float:
    """The nearest float64; ValueError for what is no number.

    Examples
    --------
    >>> number(" 1.5e3"), number("-0,25", decimal=",")
    (1500.0, -0.25)
    """
    if decimal != ".":
        text = text.replace(".", "_").replace(decimal, ".")
    if "_" in text or not text.strip().isascii():  # float() takes digits of all scripts, and underscores
        raise ValueError(f"could not convert string to float: {text!r}")
    return float(text)


def is_number(text: str, decimal: str = ".") -> bool:
    """Is it the text of a number, NaN and infinity among them?"""
    try:
        number(text, decimal)
    except ValueError:
        return False
    return True


def is_missing(text: str) -> bool:
    """Is it what programs write where there is no value?

    Examples
    --------
    >>> [is_missing(text) for text in ("?", "#N/A", "age")]
    [True, True, False]
    """
    text = text.strip()
    return text.lower() in MISSING or bool(re.fullmatch(r"#[A-Z0-9/]+[!?]?", text))


def short(text: str) -> str:
    """The text for a message, cut if it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def wanted_number(line: int, column: int, text: str) -> str:
    """The words for a field that is no number."""
    return f"line {line}, column {column} must be a number, got {short(text)}"


def separator_hint(lines: Sequence[str], sep: str, options: TableOptions) -> str:
    """The options with which these lines, the last of them a sample, could be read, or nothing.

    Examples
    --------
    >>> separator_hint(["a;b", "0,5;1,5"], ",", TableOptions())
    "--sep ';' --decimal , would read it"
    >>> separator_hint(["a;b", "0,5;1,5"], ",", TableOptions(in_python=True))
    "sep=';', decimal=',' would read it"
    """
    decimal = options.decimal
    for other in sorted(_SEPARATORS, key=lambda other: other != sep):
        try:
            rows = list(csv.reader(lines, delimiter=other))
        except csv.Error:
            continue
        if any(len(row) != len(rows[-1]) for row in rows):
            continue
        if other != sep and (len(rows[-1]) < 2 or not all(rows[-1])):
            continue
        counts = {mark: sum(is_number(field, mark) for field in rows[-1]) for mark in (".", ",") if mark != other}
        mark = max(counts, key=lambda m: (counts[m], m == decimal))
        told = [options.word("sep", other)] * (other != sep) + [options.word("decimal", mark)] * (mark != decimal)
        if told and counts[mark]:
            return f"{(', ' if options.in_python else ' ').join(told)} would read it"
    return ""
