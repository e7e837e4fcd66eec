"""Whether the first line of a CSV file holds names or a sample: told by it, by the lines below, or by the user.

No choice here loses a sample, or makes one of names, without a word: what may be either is an error.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from ._csv_fault import is_missing, is_number, number, wanted_number
from ._table import TableError, TableOptions

_ENOUGH = 4
"""In fewer columns a sample may well climb in equal steps by chance, or stand as whole numbers above decimals."""


def has_header(
    first: Sequence[str], line: int, below: Iterable[Sequence[str]], options: TableOptions, title: str = "the file"
) -> bool:
    """Does the first line hold names?

    Parameters
    ----------
    first : sequence of str
        Its fields.
    line : int
        Its number.
    below : iterable of sequence of str
        Fields of some lines after it; looked at only if they are to decide.
    options : TableOptions
        What the user said: about the header, and about columns.
    title : str
        Name of the file, for a warning.

    Raises
    ------
    TableError
        It is neither a sample nor names, or may be both.

    Examples
    --------
    >>> has_header(["a", "b"], 1, [["1", "2"]], TableOptions())
    True
    >>> has_header(["0", "1", "2"], 1, [["0.5", "7.0", "1e-3"]], TableOptions())
    True
    >>> has_header(["0", "1", "2"], 1, [["3", "4", "5"]], TableOptions())
    False
    """
    if options.header is not None:
        return options.header
    start = unnamed(first)
    names = first[start:]
    numeric = [is_number(field, options.decimal) for field in names]
    if all(numeric) and (_counts(names) or (len(names) >= _ENOUGH and _climbs(names, options.decimal))):
        rows = [row for row in below if len(row) == len(first)]
        return _is_scale(first, line, rows, options, title)
    if all(numeric) and not start:
        return False
    if not any(numeric) and any(map(_is_word, names)):
        return True
    return _mixed(first, line, options)


def unnamed(first: Sequence[str]) -> int:
    """How many of the first columns have no name, as pandas and R leave those of an index; 0 if none has one.

    Examples
    --------
    >>> unnamed(["", "a", "", "b"])
    1
    """
    return next((i for i, field in enumerate(first) if field.strip()), 0)


def _is_word(text: str) -> bool:
    """Is it no number, with neither decimal mark, and does not stand for a missing one?"""
    return not (is_missing(text) or is_number(text, ".") or is_number(text, ","))


def _counts(fields: Sequence[str]) -> bool:
    """Are they 0, 1, 2, ... or 1, 2, 3, ...?"""
    return any(list(fields) == [str(i) for i in range(k, k + len(fields))] for k in (0, 1))


def _climbs(fields: Sequence[str], decimal: str) -> bool:
    """Are they numbers that climb in equal steps?"""
    if not all(is_number(field, decimal) for field in fields):
        return False
    values = np.array([number(field, decimal) for field in fields])
    if not np.isfinite(values).all():
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() and np.allclose(steps, steps[:1], rtol=1e-6, atol=0))


def _is_scale(
    first: Sequence[str], line: int, below: Sequence[Sequence[str]], options: TableOptions, title: str
) -> bool:
    """The first line counts, or climbs in equal steps as wavelengths and years do: is it names, or the first sample?"""
    start = unnamed(first)
    names = first[start:]
    n, decimal, no = len(names), options.decimal, options.word("header", False)
    if not start and _goes_on(names, below, decimal):
        return False
    if start == 1 and len(below) > 1 and [row[0] for row in below] == [str(i) for i in range(len(below))]:
        return True  # the rows are counted too, in a column without a name
    columns = [[row[j] for row in below if is_number(row[j], decimal)] for j in range(start, len(first))]
    decimals = [column for column in columns if column and not any(map(_is_whole, column))]
    # A program that writes 15 as "15.0" would have written "0.0": the first line is not of its numbers.
    whole = all(map(_is_whole, names))
    if whole and any(number(field, decimal).is_integer() for column in decimals for field in column):
        return True
    shown = ",".join(names if n <= _ENOUGH else [*names[:3], "...", names[-1]])
    if whole and n >= _ENOUGH and (start or len(decimals) == n):
        warnings.warn(f"{title}: line {line} is {shown} and taken for names ({no}: for a sample)", stacklevel=2)
        return True
    ask = f"{options.word('header', True)} takes it for names, {no} for a sample"
    raise TableError(f"line {line} is {shown}: names of the columns, or a sample? {ask}")


def _goes_on(first: Sequence[str], below: Sequence[Sequence[str]], decimal: str) -> bool:
    """Do the lines below climb as the first one does, as 0,1,2 and then 3,4,5: is it a sample among such?"""
    if len(first) == 1:
        return len(below) > 1 and _climbs([*first, *(row[0] for row in below)], decimal)
    if len(first) == 2:
        return bool(below) and list(below[0]) == [str(int(field) + 2) for field in first]
    return bool(below) and _climbs(below[0], decimal)


def _is_whole(text: str) -> bool:
    """Is it written as a whole number, without point and exponent?"""
    return re.fullmatch(r"\s*[+-]?\d+\s*", text) is not None


def _mixed(first: Sequence[str], line: int, options: TableOptions) -> bool:
    """Some fields are numbers, or stand for missing ones, and some are not: what else tells?"""
    numeric = [is_number(field, options.decimal) for field in first]
    words = [field for field, is_a_number in zip(first, numeric, strict=True) if not is_a_number]
    named = [*(options.columns or ()), *options.drop, *(options.index or ())]
    named += [] if options.labels is None else [options.labels]
    if named and all(name in words and not is_missing(name) for name in named):
        return True  # the user names columns that are in it
    if named and all(name.isdecimal() for name in named):
        chosen = set(options.columns or map(str, range(1, len(first) + 1)))
        chosen -= {*options.drop, *(options.index or ()), options.labels or ""}
        if all(numeric[int(i) - 1] for i in chosen if 1 <= int(i) <= len(first)):
            return False  # by number, and what is no number is not read
    start = unnamed(first)
    counted = [field for field, is_a_number in zip(first, numeric, strict=True) if is_a_number]
    if len(counted) > 1 and _counts(counted) and len(words) > start and all(map(_is_word, words[start:])):
        return True  # label,0,1,2,...
    column = numeric.index(False)
    raise TableError(
        wanted_number(line, column + 1, first[column]), f"if that line holds names: {options.word('header', True)}"
    )
