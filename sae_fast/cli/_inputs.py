"""What commands read besides models: columns that fit a model, and labels."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..files._arrays_io import STREAM
from ..files._table import Table, TableOptions, column_list, names_in_words, option
from ..streams._files import open_files
from ..streams._reader import Reader
from ..streams._tables import read_tables
from ._labels import read_labels

_FEW = 16
"""So many names are told in advice."""


def table_options(arguments: argparse.Namespace, gaps: bool = False) -> TableOptions:
    """How the command line says that tables are to be read; ``gaps``: what is missing in them is NaN."""
    sep, decimal = arguments.sep, arguments.decimal
    if decimal == "," and sep in (None, ","):
        arguments.wrong("--decimal , needs fields that no comma separates: give --sep ';' or --sep tab too")
    return TableOptions(
        key=arguments.key,
        header={"auto": None, "yes": True, "no": False}[arguments.header],
        sep=sep,
        decimal=decimal,
        index={"auto": None, "none": ()}.get(arguments.index_col, column_list(arguments.index_col)),
        columns=None if arguments.columns is None else column_list(arguments.columns),
        drop=column_list(arguments.drop),
        labels=arguments.labels_column,
        keep=column_list(getattr(arguments, "keep", "")),
        gaps=gaps,
    )


def read_inputs(arguments: argparse.Namespace) -> Table:
    """The samples of all files that are named, one after the other."""
    return read_tables(arguments.data, table_options(arguments))


def open_inputs(arguments: argparse.Namespace, gaps: bool = False) -> Reader:
    """The samples of all files that are named, one after the other, to be read block by block."""
    return open_files(arguments.data, table_options(arguments, gaps))


def title(arguments: argparse.Namespace) -> str:
    """What messages call the samples."""
    first, *others = ("stdin" if path == STREAM else path for path in arguments.data)
    return first if not others else f"{first} and {len(others)} more"


def labels_of(arguments: argparse.Namespace, table: Table) -> NDArray[Any] | None:
    """The labels of the samples, from a column or a file of their own; None if none are asked for."""
    if arguments.labels is None:
        return table.labels
    return read_labels(arguments.labels, len(table.values), table_options(arguments))


def check_labels_usage(arguments: argparse.Namespace) -> None:
    """Labels come from one place."""
    if arguments.labels is not None and arguments.labels_column is not None:
        arguments.wrong("--labels and --labels-column: give one of them")


def check_width(table: Table, n_features: int, path: str, known: Sequence[str] | None = None) -> None:
    """The table has as many columns as the model has features."""
    n = table.values.shape[1]
    if n == n_features:
        return
    words = f"{path} must have {n_features} columns, as the model, got {n}"
    if known is not None and table.names is not None:
        for what, names, others in (("more", table.names, known), ("missing", known, table.names)):
            differ = [name for name in names if name not in set(others)]
            words += f"; {what}: {names_in_words(differ, len(differ))}" if differ else ""
    raise ValueError(words)


def check_columns(model: Any, table: Table, path: str) -> None:
    """The table has the model's columns in its order."""
    check_names(table, getattr(model, "feature_names_in_", None), model.n_features_in_, path)


def check_names(table: Table, known: Sequence[str] | None, n_features: int, path: str) -> None:
    """The table has so many columns, and the known names in their order where both have names."""
    check_width(table, n_features, path, known)
    if known is not None and table.names is not None and list(known) != table.names:
        wanted, got = next((a, b) for a, b in zip(known, table.names, strict=True) if a != b)
        words = f"{path} must have the model's columns in its order: wanted {wanted!r}, got {got!r}"
        advice = f" ({option('columns', known)} takes them so)" if sorted(known) == sorted(table.names) else ""
        raise ValueError(words + (advice if len(known) <= _FEW else " (--columns takes them so)" * bool(advice)))
