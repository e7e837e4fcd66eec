"""Tables out of files: .npy (memory-mapped), .npz, .parquet, .csv and .tsv, also with .gz; ``-`` is CSV on stdin."""

from __future__ import annotations

import contextlib
import errno
import glob
import gzip
import os
import stat
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ._csv_read import CsvReader
from ._labels import make_labels
from ._numpy_read import read_numpy, seekable
from ._parquet_read import import_arrow, read_parquet
from ._table import AS_IT_IS, ArrayFileError, Table, TableError, TableOptions

__all__ = [
    "STREAM",
    "ArrayFileError",
    "Table",
    "TableOptions",
    "expand",
    "import_arrow",
    "kind_of",
    "open_text",
    "read_table",
    "read_tables",
    "separator",
    "suffix_of",
]

SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
READABLE = (*SUFFIXES, ".tsv", ".csv.gz", ".tsv.gz")
STREAM = "-"
_DAMAGE = (
    ValueError,
    EOFError,
    OSError,  # an archive whose directory points before its beginning: EINVAL
    RuntimeError,  # encryption and compression that zipfile does not know
    SyntaxError,
    tokenize.TokenError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy, zipfile and gzip raise for damaged files."""


def suffix_of(path: str) -> str:
    """The kind of a file that is to be written, by its name; ValueError for one that is not known."""
    if path == STREAM:
        return ".csv"
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"the name of an array file must end in {', '.join(SUFFIXES)} (or be -), got {path!r}")
    return suffix


def kind_of(path: str) -> str:
    """The kind of a file that is to be read, by its name; what a pipe without such a name brings is CSV."""
    name = path.lower()
    if path == STREAM:
        return ".csv"
    for suffix in sorted(READABLE, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    with contextlib.suppress(OSError):
        mode = os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
            return ".csv"
    raise ValueError(f"the name of an input file must end in {', '.join(READABLE)} (or be - or a pipe), got {path!r}")


def expand(paths: Sequence[str]) -> list[str]:
    """The files that the names and patterns stand for; those of a pattern in the order of their names, as in a shell.

    Raises
    ------
    FileNotFoundError
        A pattern that no file fits.
    """
    found: list[str] = []
    for path in paths:
        if path == STREAM or os.path.lexists(path) or not glob.has_magic(path):
            found.append(path)
            continue
        matches = sorted(glob.glob(path))
        if not matches:
            raise FileNotFoundError(f"no file fits the pattern {path!r}")
        found += matches
    return found


def read_table(path: str, options: TableOptions = AS_IT_IS) -> Table:
    r"""Read a table of real numbers.

    Parameters
    ----------
    path : str
        File name; its ending tells the kind. ``-`` is CSV on stdin.
    options : TableOptions
        What the file itself does not tell.

    Returns
    -------
    Table
        ``values`` of shape (n_samples, n_features), memory-mapped from .npy; of a CSV file they are float64.

    Raises
    ------
    ArrayFileError
        Damaged, or not a table of real numbers.
    OSError
        It cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.csv")
    >>> _ = path.write_text("id,a,b\nk1,1,2\nk2,3,4\n")
    >>> read_table(str(path), TableOptions(drop=["id"]))
    Table(values=array([[1., 2.], [3., 4.]]), names=['a', 'b'], labels=None)
    """
    kind = kind_of(path)
    title = "stdin" if path == STREAM else path
    check_options(title, kind, options)
    if path != STREAM and Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a directory, wanted a file")
    try:
        table = _read(path, title, kind, options)
    except TableError as error:
        raise ArrayFileError(f"{title}: {error}") from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and error.errno != errno.EINVAL:
            raise
        raise ArrayFileError(f"{title} is damaged or not a {kind} file of numbers: {_why(error)}") from error
    values = table.values
    if values.ndim != 2 or 0 in values.shape:
        raise ArrayFileError(f"{title} must hold a table (n_samples, n_features), got shape {values.shape}")
    return table


def read_tables(paths: Sequence[str], options: TableOptions = AS_IT_IS) -> Table:
    r"""Read several files as one table, the rows of one after those of another.

    Raises
    ------
    ArrayFileError
        A file cannot be read, or has other columns than the first one.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "1.csv").write_text("a,b\n1,2\n"), (folder / "2.csv").write_text("a,b\n3,4\n")
    >>> read_tables(expand([f"{folder}/*.csv"])).values
    array([[1., 2.], [3., 4.]])
    """
    tables = [read_table(path, options) for path in paths]
    first, *others = tables
    for path, table in zip(paths[1:], others, strict=True):
        _check_same_columns(paths[0], first, path, table)
    if not others:
        return first
    labels = None if first.labels is None else np.concatenate([table.labels for table in tables])
    names = next((table.names for table in tables if table.names is not None), None)
    return Table(np.concatenate([table.values for table in tables]), names, labels)


def _check_same_columns(first_path: str, first: Table, path: str, table: Table) -> None:
    wanted, got = first.values.shape[1], table.values.shape[1]
    if wanted != got:
        raise ArrayFileError(f"{path} must have {wanted} columns, as {first_path}, got {got}")
    if first.names is not None and table.names is not None and first.names != table.names:
        i = next(i for i in range(wanted) if first.names[i] != table.names[i])
        names = f"{first.names[i]!r} as column {i + 1}, as {first_path}, got {table.names[i]!r}"
        raise ArrayFileError(f"{path} must have {names}")


def check_options(title: str, kind: str, options: TableOptions) -> None:
    """What is said about one kind of file is for that kind alone."""
    if options.key is not None and kind != ".npz":
        raise ArrayFileError(f"{title}: --key is for .npz files")
    if kind in (".npy", ".npz", ".parquet"):
        for option, is_given in (
            ("header", options.header is not None),
            ("sep", options.sep is not None),
            ("decimal", options.decimal != "."),
        ):
            if is_given:
                raise ArrayFileError(f"{title}: --{option} is for CSV files")


def _read(path: str, title: str, kind: str, options: TableOptions) -> Table:
    if kind in (".npy", ".npz"):
        return read_numpy(path, kind, options)
    if kind == ".parquet":
        return read_parquet(seekable(path), title, options)
    with open_text(path, kind) as stream:
        return _read_csv(stream, separator(kind, options), title, options)


def _read_csv(stream: BinaryIO, sep: str, title: str, options: TableOptions) -> Table:
    reader = CsvReader(stream, sep, options, title)
    parts = list(reader.parts())
    if not parts:
        raise TableError("it must hold at least one row under its header")
    labels = None
    if reader.label_column is not None:
        texts = [text for part in parts for text in part.labels]
        places = [f"line {line}, column {reader.label_column + 1}" for part in parts for line in part.lines]
        labels = make_labels(texts, places, options.decimal)
    values = parts[0].values if len(parts) == 1 else np.concatenate([part.values for part in parts])
    return Table(values, reader.names, labels)


def separator(kind: str, options: TableOptions) -> str:
    """What is between the fields of this kind of CSV file."""
    return options.sep or ("\t" if kind in (".tsv", ".tsv.gz") else ",")


@contextlib.contextmanager
def open_text(path: str, kind: str) -> Iterator[BinaryIO]:
    """The bytes of a CSV file or of stdin, decompressed."""
    if path != STREAM:
        with open(path, "rb") as file, gzip.GzipFile(fileobj=file) as unzipped:
            yield cast(BinaryIO, unzipped) if kind.endswith(".gz") else file
    elif sys.stdin is None:
        raise TableError("it must hold a table, but it is closed")
    else:
        yield sys.stdin.buffer


def _why(error: BaseException) -> str:
    """What is wrong, in words that help its owner."""
    if "pickle" in str(error) or "Python objects" in str(error):
        # NumPy takes all that it does not know for a pickle, and would tell how to load it unsafely.
        return "it holds no array of numbers"
    return str(error).split(";")[0]
