"""Tables out of files: .npy (memory-mapped), .npz, .csv and .parquet; ``-`` is CSV on stdin."""

from __future__ import annotations

import contextlib
import csv
import itertools
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._csv_fault import csv_fault

SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
STREAM = "-"


class ArrayFileError(ValueError):
    """The file does not hold one table of real numbers, or is damaged."""


class Table(NamedTuple):
    """Samples (n_samples, n_features), and the names of the features where the file has any."""

    values: NDArray[Any]
    names: list[str] | None


def suffix_of(path: str) -> str:
    """The kind of the file by its name; ValueError for one that is not known."""
    if path == STREAM:
        return ".csv"
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"the name of an array file must end in {', '.join(SUFFIXES)} (or be -), got {path!r}")
    return suffix


def import_arrow(path: str) -> Any:
    """The package pyarrow with its Parquet module; an error names the file that needs it."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ArrayFileError(f'{path}: Parquet needs pyarrow: pip install "sae-fast[parquet]"') from error
    return pyarrow


def read_table(path: str, key: str | None = None) -> Table:
    """Read a table of real numbers.

    Parameters
    ----------
    path : str
        File name; its ending tells the kind.
    key : str, optional
        Name of the array in an .npz file that holds several.

    Returns
    -------
    Table
        ``values`` of shape (n_samples, n_features), memory-mapped from .npy.

    Raises
    ------
    ArrayFileError
        Damaged, or not a table of real numbers.
    OSError
        It cannot be read.
    """
    suffix = suffix_of(path)
    if key is not None and suffix != ".npz":
        raise ArrayFileError(f"{path}: a key is for .npz files")
    if path != STREAM and Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a directory, wanted a file")
    try:
        if suffix == ".csv":
            table = _read_csv(path)
        elif suffix == ".parquet":
            table = _read_parquet(path)
        elif suffix == ".npy":
            table = Table(np.load(path, mmap_mode="r", allow_pickle=False), None)
        else:
            table = Table(_read_npz(path, key), None)
    except ArrayFileError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArrayFileError(f"{path} is damaged or not a {suffix} file of numbers: {_why(path, error)}") from error
    values = table.values
    if values.dtype.kind not in "fiub":
        raise ArrayFileError(f"{path} must hold real numbers, got dtype {values.dtype}")
    if values.ndim != 2 or 0 in values.shape:
        raise ArrayFileError(f"{path} must hold a table (n_samples, n_features), got shape {values.shape}")
    return table


def _why(path: str, error: BaseException) -> str:
    """What is wrong, in words that help its owner."""
    if "pickle" in str(error) or "Python objects" in str(error):
        # NumPy takes all that it does not know for a pickle, and would tell how to load it unsafely.
        return "it holds no array of numbers"
    found = csv_fault(path) if suffix_of(path) == ".csv" and path != STREAM else None
    return found or str(error).split(";")[0]


def _read_npz(path: str, key: str | None) -> NDArray[Any]:
    # Opened here: NumPy forgets to close a file that turns out to be no archive.
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        names = archive.files
        if not names:
            raise ArrayFileError(f"{path} holds no array")
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            raise ArrayFileError(f"{path} holds {', '.join(names)}: name one with --key")
        values: NDArray[Any] = archive[key]
    return values


def _read_csv(path: str) -> Table:
    if path == STREAM and sys.stdin is None:
        raise ArrayFileError("stdin must hold a table, but it is closed")
    stream = sys.stdin if path == STREAM else open(path, encoding="utf-8-sig", newline="")  # noqa: SIM115
    with contextlib.nullcontext() if path == STREAM else stream:
        lines = (line for line in stream if line.strip())
        first = next(lines, "")
        if not first:
            raise ArrayFileError(f"{'stdin' if path == STREAM else path} must hold a table, got nothing")
        names: list[str] | None = next(csv.reader([first]))
        assert names is not None
        second = next(lines, "")
        try:
            numbers = [float(field) for field in names]
        except ValueError:
            if not second:
                raise ArrayFileError(f"{path} must hold at least one row under its header") from None
            values = np.loadtxt(itertools.chain([second], lines), delimiter=",", quotechar='"', ndmin=2)
        else:
            names = None
            values = np.array([numbers])
            if second:
                more = np.loadtxt(itertools.chain([second], lines), delimiter=",", quotechar='"', ndmin=2)
                if more.shape[1] != len(numbers):
                    raise ValueError(f"its first row has {len(numbers)} fields, those after it {more.shape[1]}")
                values = np.concatenate([values, more])
    if names is not None and len(names) != values.shape[1]:
        raise ArrayFileError(f"{path} has {len(names)} names in its header, but {values.shape[1]} columns")
    return Table(values, names)


def _read_parquet(path: str) -> Table:
    arrow = import_arrow(path)
    try:
        found = arrow.parquet.read_table(path)
    except arrow.ArrowException as error:
        raise ArrayFileError(f"{path} is damaged or not a Parquet file: {error}") from error
    columns = []
    for name, column in zip(found.column_names, found.columns, strict=True):
        if column.null_count:
            raise ArrayFileError(f"{path}: column {name!r} must have no missing values, got {column.null_count}")
        values = column.to_numpy()
        if values.dtype.kind not in "fiub":
            raise ArrayFileError(f"{path}: column {name!r} must hold real numbers, got {column.type}")
        columns.append(values)
    if not columns:
        raise ArrayFileError(f"{path} must hold a table, got no columns")
    return Table(np.column_stack(columns), list(found.column_names))
