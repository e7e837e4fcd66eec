"""Readers of files, by the endings of their names; what is wrong with one is told with its name."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..files._arrays_io import STREAM, check_options, expand, is_readable, kind_of
from ..files._table import ArrayFileError, Table, TableError, TableOptions
from ._csv import CsvRows
from ._npy import NpyReader, NpzReader
from ._parquet import ParquetReader
from ._reader import Chain, Reader, Rows, SourceError

_DAMAGE = (
    ValueError,
    EOFError,
    OSError,  # gzip and zstd, with no number; an archive whose directory points before its beginning: EINVAL
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


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def open_files(paths: Sequence[str], options: TableOptions) -> Reader:
    """All files that the names and patterns stand for, one after the other.

    Columns by name are in the order of the first file; files without rows among others are left out.
    """
    files = files_of(paths)
    if len(files) == 1:
        return FileReader(files[0], options, alone=True)
    readers: list[FileReader] = []
    first: FileReader | None = None
    for path in files:
        reader = FileReader(path, options)
        if first is not None and _is_reordered(first, reader):
            reader = FileReader(path, replace(options, columns=first.columns))
        if first is None and reader.n_rows != 0:
            first = reader
        readers.append(reader)
    return Chain(readers)


def _is_reordered(first: Reader, other: Reader) -> bool:
    """Has it the columns of the first one in another order, and can it be opened once more?"""
    if first.columns is None or other.columns is None or other.once or other.n_rows == 0:
        return False
    return first.columns != other.columns and sorted(first.columns) == sorted(set(other.columns))


def files_of(paths: Sequence[str]) -> list[str]:
    """The files that names, patterns and folders stand for."""
    return [file for path in expand(paths) for file in (in_folder(path) if os.path.isdir(path) else [path])]


def in_folder(path: str) -> list[str]:
    """The files of a folder and those below it, in the order of their names, but for those that begin with . or _.

    Nothing is left out in silence: links to folders are followed, once each, a link to nothing is a file that is not
    there, and a folder that cannot be read an error.
    """
    found: list[Path] = []
    seen = {os.path.realpath(path)}
    for folder, below, files in os.walk(path, onerror=_stop, followlinks=True):
        for name in sorted(below):
            real = os.path.realpath(os.path.join(folder, name))
            if name.startswith((".", "_")) or real in seen:
                below.remove(name)
            seen.add(real)
        for file in (Path(folder, name) for name in files if not name.startswith((".", "_")) and is_readable(name)):
            if file.is_file() or not os.path.exists(file):
                found.append(file)
    if not found:
        raise IsADirectoryError(f"{path} is a directory, wanted a file, or a folder that holds some")
    return [str(file) for file in sorted(found)]


def _stop(error: OSError) -> None:
    raise error


class FileReader(Reader):
    """The rows of a file of any kind.

    One that is ``alone`` must have a row, and what tells where its rows are is kept between passes.

    Raises
    ------
    ArrayFileError
        Damaged, or not a table of real numbers.
    OSError
        It cannot be read.
    """

    def __init__(self, path: str, options: TableOptions, alone: bool = False) -> None:
        self.title = "stdin" if path == STREAM else path
        self._kind = kind_of(path)
        check_options(self.title, self._kind, options)
        with naming(self.title, self._kind):
            self._inner = inner = _reader(path, self.title, self._kind, options, alone)
        self.n_features, self.dtype, self.names, self.n_rows = inner.n_features, inner.dtype, inner.names, inner.n_rows
        self.columns = inner.columns
        if alone and self.n_rows == 0:
            under = " under its header" if isinstance(inner, CsvRows) else ""
            raise ArrayFileError(f"{self.title}: it must hold at least one row{under}, got none")
        self.once, self.ahead, self.has_labels, self.kept = inner.once, inner.ahead, inner.has_labels, inner.kept

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Those of the reader of its kind."""
        with naming(self.title, self._kind):
            yield from self._inner.rows(size, start)

    def whole(self) -> Table:
        """As the reader of its kind gives it."""
        with naming(self.title, self._kind):
            return self._inner.whole()

    def make_labels(self, labels: list[Any], places: list[int]) -> NDArray[Any]:
        """As the reader of its kind makes them."""
        with naming(self.title, self._kind):
            return self._inner.make_labels(labels, places)

    def mark(self) -> object | None:
        """That of the reader of its kind."""
        return self._inner.mark()


def _reader(path: str, title: str, kind: str, options: TableOptions, alone: bool) -> Reader:
    if kind == ".npy":
        return NpyReader(path, title, options)
    if kind == ".npz":
        return NpzReader(path, title, options)
    if kind == ".parquet":
        return ParquetReader(path, title, options, alone)
    return CsvRows(path, title, kind, options)


@contextlib.contextmanager
def naming(title: str, kind: str) -> Iterator[None]:
    """What goes wrong with a file is told with its name."""
    try:
        yield
    except (ArrayFileError, SourceError):
        raise
    except TableError as error:
        raise ArrayFileError(f"{title}: {error}") from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            if error.filename is None:  # pipes, and columns of archives, are copied where they can be read anywhere
                error.filename = f"a temporary copy of {title}" if error.errno in _FULL else title
            raise
        raise ArrayFileError(f"{title} is damaged or not a {kind} file of numbers: {_why(error)}") from error


def _why(error: BaseException) -> str:
    """What is wrong, in words that help its owner."""
    if "pickle" in str(error) or "Python objects" in str(error):
        # NumPy takes all that it does not know for a pickle, and would tell how to load it unsafely.
        return "it holds no array of numbers"
    return str(error).split(";")[0]
