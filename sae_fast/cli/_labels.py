"""A file of labels: one for each sample, in their order."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._arrays_io import STREAM, kind_of, open_text, separator
from ..files._csv_fault import is_missing, is_number
from ..files._csv_header import unnamed
from ..files._csv_records import Record, blocks, decoded, is_blank, records
from ..files._labels import make_labels
from ..files._table import ArrayFileError, TableError, TableOptions
from ..streams._tables import read_table


def read_labels(path: str, n: int, options: TableOptions) -> NDArray[Any]:
    """One label for each of ``n`` samples, numbers or text; a CSV file may have a header.

    Raises
    ------
    ArrayFileError
        A line that is no label; damaged.
    ValueError
        Fewer or more labels than samples.
    """
    if path == STREAM:
        raise ValueError("--labels must be a file: stdin is for samples")
    kind = kind_of(path)
    labels: NDArray[Any]
    if kind == ".npy":
        try:
            labels = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ArrayFileError(f"{path} is damaged or not a .npy file of labels: {error}") from error
    elif kind in (".npz", ".parquet"):
        labels = read_table(path).values
    else:
        labels = _read_csv(path, kind, n, options)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,):
        raise ValueError(f"{path} must hold a label for each of the {n} samples, got shape {labels.shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        row = np.isnan(labels).argmax()
        raise ValueError(f"{path} must hold a label for each sample, got NaN in row {row} (counted from 0)")
    return labels


def _read_csv(path: str, kind: str, n: int, options: TableOptions) -> NDArray[Any]:
    sep = separator(kind, options)
    try:
        with open_text(path, kind) as stream:
            rows = [record for block in blocks(stream, sep) for record in records(block, sep)]
        texts, places, header = _one_column(path, rows, n, options)
        labels = make_labels(texts, places, options.decimal)
    except TableError as error:
        raise ArrayFileError(f"{path}: {error}") from error
    except (csv.Error, EOFError) as error:
        raise ArrayFileError(f"{path} is damaged or not a {kind} file of labels: {error}") from error
    if len(labels) != n:
        advice = "" if header or len(labels) != n + 1 else " (if line 1 holds a name: --header yes)"
        raise ValueError(f"{path} must hold a label for each of the {n} samples, got {len(labels)}{advice}")
    return labels


def _one_column(path: str, rows: list[Record], n: int, options: TableOptions) -> tuple[list[str], list[str], bool]:
    """The labels, where each of them stands, and whether a name stands above them."""
    while rows and is_blank(rows[-1].fields):
        rows.pop()
    index = unnamed(rows[0].fields) if rows else 0  # pandas writes that of a series into a column without a name
    width = max((len(record.fields) for record in rows), default=0)
    if rows and width != index + 1:
        raise ArrayFileError(f"{path} must have one column, a label for each sample, got {width}")
    texts, places = [], []
    for fields, line in rows:
        if len(fields) not in (0, width):
            raise TableError(f"line {line} must have {width} fields, got {len(fields)}")
        texts.append(decoded(fields[-1], line) if fields else "")
        places.append(f"line {line}, column {width}")
    header = options.header
    if header is None:
        header = index > 0 or _has_header(texts, n, options.decimal)
    return texts[header:], places[header:], header


def _has_header(texts: Sequence[str], n: int, decimal: str) -> bool:
    """Is the first one a name and no label? In doubt it is none, and the file has one label too many."""
    if len(texts) < 2 or is_missing(texts[0]) or is_number(texts[0], decimal):
        return False
    others = texts[1:]
    if all(is_number(text, decimal) or is_missing(text) for text in others):
        return True
    # Among classes, each of which occurs many times, one that occurs once is a name.
    return len(texts) == n + 1 and texts[0] not in others and 2 * len(set(others)) <= len(others)
