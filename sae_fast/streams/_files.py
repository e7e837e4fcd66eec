"""Readers of files, by the endings of their names; what is wrong with one is told with its name."""

from __future__ import annotations

import contextlib
import errno
import gzip
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..files._arrays_io import STREAM, check_options, expand, kind_of
from ..files._table import ArrayFileError, TableError, TableOptions
from ._npy import NpyReader, NpzReader
from ._reader import Chain, Reader, Rows, SourceError

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


def open_files(paths: Sequence[str], options: TableOptions) -> Reader:
    """All files that the names and patterns stand for, one after the other."""
    readers = [FileReader(path, options) for path in expand(paths)]
    return readers[0] if len(readers) == 1 else Chain(readers)


class FileReader(Reader):
    """The rows of a file of any kind.

    Raises
    ------
    ArrayFileError
        Damaged, or not a table of real numbers.
    OSError
        It cannot be read.
    """

    def __init__(self, path: str, options: TableOptions) -> None:
        self.title = "stdin" if path == STREAM else path
        self._kind = kind_of(path)
        check_options(self.title, self._kind, options)
        if path != STREAM and Path(path).is_dir():
            raise IsADirectoryError(f"{path} is a directory, wanted a file")
        with naming(self.title, self._kind):
            self._inner = inner = _reader(path, self.title, self._kind, options)
        self.n_features, self.dtype, self.names, self.n_rows = inner.n_features, inner.dtype, inner.names, inner.n_rows
        self.once, self.ahead, self.has_labels, self.kept = inner.once, inner.ahead, inner.has_labels, inner.kept

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Those of the reader of its kind."""
        with naming(self.title, self._kind):
            yield from self._inner.rows(size, start)

    def mark(self) -> object | None:
        """That of the reader of its kind."""
        return self._inner.mark()


def _reader(path: str, title: str, kind: str, options: TableOptions) -> Reader:
    if kind == ".npy":
        return NpyReader(path, title, options)
    if kind == ".npz":
        return NpzReader(path, title, options)
    raise ArrayFileError(f"{title}: open_source reads .npy and .npz")


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
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and error.errno != errno.EINVAL:
            raise
        raise ArrayFileError(f"{title} is damaged or not a {kind} file of numbers: {_why(error)}") from error


def _why(error: BaseException) -> str:
    """What is wrong, in words that help its owner."""
    if "pickle" in str(error) or "Python objects" in str(error):
        # NumPy takes all that it does not know for a pickle, and would tell how to load it unsafely.
        return "it holds no array of numbers"
    return str(error).split(";")[0]
