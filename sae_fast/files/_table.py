"""A table of samples, how a file of one is to be read, and which of its columns are features."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray


class ArrayFileError(ValueError):
    """The file does not hold one table of real numbers, or is damaged."""


class TableError(ValueError):
    """What is wrong in a table, in words that follow the name of its file; advice follows in brackets."""

    def __init__(self, words: str, advice: str = "") -> None:
        super().__init__(f"{words} ({advice})" if advice else words)
        self.words = words


class Table(NamedTuple):
    """Samples (n_samples, n_features), and where the file has them names of the features and a label of each sample."""

    values: NDArray[Any]
    names: list[str] | None
    labels: NDArray[Any] | None = None


@dataclass(frozen=True)
class TableOptions:
    """How to read a table; those that are None or empty are decided by the file.

    Columns are told by their names; those of a file without names by their numbers, counted from 1.
    """

    key: str | None = None
    """Name of the array in an .npz file."""
    header: bool | None = None
    """CSV: does the first line hold names?"""
    sep: str | None = None
    """CSV: what is between fields; a comma by default, a tab in .tsv files."""
    decimal: str = "."
    """CSV: what is between the digits of a whole number and its fraction."""
    index: Sequence[str] | None = None
    """Columns that number or name the rows; none of them if empty, what the file tells if None."""
    columns: Sequence[str] | None = None
    """The features, in this order; all columns by default."""
    drop: Sequence[str] = ()
    """Columns that are not read."""
    labels: str | None = None
    """The column of the labels."""
    keep: Sequence[str] = ()
    """Columns that are carried along, and are no features unless ``columns`` names them too."""
    in_python: bool = False
    """Messages call options as a call in Python does, not as the command line."""
    gaps: bool = False
    """Features that are missing in a row, empty fields and nulls, are NaN; else they are refused."""

    def word(self, option: str, value: object = None) -> str:
        """What messages call an option, with a value or without.

        Examples
        --------
        >>> TableOptions().word("sep", ";"), TableOptions(in_python=True).word("sep", ";")
        ("--sep ';'", "sep=';'")
        >>> TableOptions().word("header", True), TableOptions(in_python=True).word("header")
        ('--header yes', 'header=')
        """
        if self.in_python:
            return f"{_IN_PYTHON.get(option, option)}=" + ("" if value is None else repr(value))
        text = {True: "yes", False: "no", "\t": "tab"}.get(value, value)
        return f"--{option}" + ("" if value is None else f" {shlex.quote(str(text))}")


_IN_PYTHON = {"labels-column": "labels"}
AS_IT_IS = TableOptions()
"""Nothing is said: the file decides."""


class Selection(NamedTuple):
    """Positions of the features, of the labels, and of the columns that are carried along."""

    features: list[int]
    labels: int | None
    kept: tuple[int, ...] = ()


def column_list(text: str) -> list[str]:
    """Names as in a line of CSV: those with a comma stand in quotes.

    Examples
    --------
    >>> column_list('a,"b, c"')
    ['a', 'b, c']
    """
    return next(csv.reader([text], skipinitialspace=True), [])


def how_to_leave_out(name: str, options: TableOptions) -> str:
    r"""The option that leaves a column out, as a shell takes it, or Python.

    Examples
    --------
    >>> for name in ("when", "so, so", ""):
    ...     print(how_to_leave_out(name, AS_IT_IS))
    --drop when leaves the column out
    --drop '"so, so"' leaves the column out
    --columns takes the others
    >>> how_to_leave_out("so, so", TableOptions(in_python=True))
    "drop=['so, so'] leaves the column out"
    """
    if options.in_python:
        return f"{options.word('drop', [name])} leaves the column out"
    if not name.strip() or not name.isprintable():
        return "--columns takes the others"
    return f"{option('drop', [name])} leaves the column out"


def option(name: str, columns: Sequence[str]) -> str:
    """An option with names of columns, as a shell takes it.

    Examples
    --------
    >>> option("columns", ["a", "b c"])
    "--columns 'a,b c'"
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(columns)
    return f"--{name} {shlex.quote(text.getvalue())}"


def select(names: Sequence[str] | None, n: int, options: TableOptions, index: Sequence[int] = ()) -> Selection:
    """Which of ``n`` columns are features, which one holds the labels, and which ones are carried along.

    Parameters
    ----------
    names : sequence of str, optional
        Of all columns, where they have any.
    n : int
        Columns in all.
    options : TableOptions
        What the user said.
    index : sequence of int
        Positions of the columns that the file itself tells to be its index.

    Raises
    ------
    TableError
        A column that is not there or not the only one of its name; no column is left.

    Examples
    --------
    >>> select(["id", "a", "b", "y"], 4, TableOptions(drop=["id"], labels="y"))
    Selection(features=[1, 2], labels=3, kept=())
    >>> select(None, 3, TableOptions(columns=["3", "1"]))
    Selection(features=[2, 0], labels=None, kept=())
    """

    def positions(option: str, wanted: Sequence[str]) -> list[int]:
        found = [_position(names, n, options.word(option), name) for name in wanted]
        twice = next((wanted[i] for i in range(len(found)) if found[i] in found[:i]), None)
        if twice is not None:
            raise TableError(f"{options.word(option)} must name each column once, got {twice!r} twice")
        return found

    labels = None if options.labels is None else _position(names, n, options.word("labels-column"), options.labels)
    left_out = {*positions("drop", options.drop), labels}
    kept = tuple(positions("keep", options.keep))
    left_out |= set(positions("index-col", options.index or ()))
    if options.columns is None:
        left_out |= {*kept, *(index if options.index is None else ())}
        features = [i for i in range(n) if i not in left_out]
    else:
        features = [i for i in positions("columns", options.columns) if i not in left_out]
    if not features:
        raise TableError(f"no column is left as a feature, of {names_in_words(names, n)}")
    return Selection(features, labels, kept)


def _position(names: Sequence[str] | None, n: int, option: str, name: str) -> int:
    if names is None:
        try:
            number = int(name)
        except ValueError:
            number = 0
        if not 1 <= number <= n:
            raise TableError(f"{option} must be a number from 1 to {n}, as the columns have no names, got {name!r}")
        return number - 1
    count = list(names).count(name)
    if count != 1:
        why = f"{count} columns are named {name!r}" if count else f"no column is named {name!r}"
        raise TableError(f"{option}: {why}, of {names_in_words(names, n)}")
    return list(names).index(name)


def names_in_words(names: Sequence[str] | None, n: int) -> str:
    """The first names, for a message.

    Examples
    --------
    >>> names_in_words(list("abcdefghij"), 10)
    "'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', ... (10 in all)"
    """
    if names is None:
        return f"{n} columns"
    shown = ", ".join(map(repr, names[:8]))
    return shown if n <= 8 else f"{shown}, ... ({n} in all)"
