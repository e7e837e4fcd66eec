"""What commands read besides models: columns that fit a model, and labels."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays_io import STREAM, ArrayFileError, Table, read_table, suffix_of


def check_width(table: Table, n_features: int, path: str) -> None:
    """The table has as many columns as the model has features."""
    n = table.values.shape[1]
    if n != n_features:
        raise ValueError(f"{path} must have {n_features} columns, as the model, got {n}")


def check_columns(model: Any, table: Table, path: str) -> None:
    """The table has the model's columns in its order; after that the model takes blocks, which carry no names."""
    check_width(table, model.n_features_in_, path)
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        return
    if table.names is not None and list(known) != table.names:
        wanted, got = next((a, b) for a, b in zip(known, table.names, strict=True) if a != b)
        raise ValueError(f"{path} must have the model's columns in its order: wanted {wanted!r}, got {got!r}")
    del model.feature_names_in_


def read_labels(path: str, n: int) -> NDArray[Any]:
    """One label for each sample, numbers or text; a CSV file may have a header."""
    labels: NDArray[Any]
    suffix = suffix_of(path)
    if path == STREAM:
        raise ValueError("--labels must be a file: stdin is for samples")
    if suffix == ".npy":
        try:
            labels = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ArrayFileError(f"{path} is damaged or not a .npy file of labels: {error}") from error
    elif suffix == ".csv":
        labels = _csv_labels(path, n)
    else:
        labels = read_table(path).values
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,):
        raise ValueError(f"{path} must hold a label for each of the {n} samples, got shape {labels.shape}")
    return labels


def _csv_labels(path: str, n: int) -> NDArray[Any]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            rows = [row for row in csv.reader(file) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ArrayFileError(f"{path} is damaged or not a .csv file of labels: {error}") from error
    widest = max(map(len, rows), default=0)
    if widest != 1:
        raise ArrayFileError(f"{path} must have one column, a label for each sample, got {widest}")
    text = [row[0] for row in rows[1 if len(rows) == n + 1 else 0 :]]
    try:
        return np.array(text, dtype=np.float64)
    except ValueError:
        return np.array(text)
