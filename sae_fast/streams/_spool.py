"""A source that can be read once, written to a file, from which it can be read again and again."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ._reader import Reader, Rows, SourceError
from ._source import Source


class SpoolReader(Reader):
    """Rows of a file that holds nothing but them."""

    ahead = True

    def __init__(self, file: BinaryIO, like: Source, n_rows: int) -> None:
        self.title = like._reader.title
        self.n_features, self.dtype, self.n_rows = like.n_features, like.dtype, n_rows
        self.names = None if like.feature_names is None else list(like.feature_names)
        self._file = file

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Blocks, each in an array of its own."""
        assert self.n_rows is not None
        row = self.n_features * self.dtype.itemsize
        for i in range(start, self.n_rows, size):
            block = np.empty((min(size, self.n_rows - i), self.n_features), self.dtype)
            view, offset = block.view(np.uint8).reshape(-1).data, i * row
            while len(view):
                count = os.preadv(self._file.fileno(), [view], offset)
                if not count:
                    raise SourceError(f"{self.title}, spooled, ends early")
                view, offset = view[count:], offset + count
            yield Rows(block)

    def mark(self) -> Any:
        """The file has no name that others could change it by."""
        return 0


@contextlib.contextmanager
def spooled(source: Source, folder: str | PathLike[str]) -> Iterator[Source]:
    """The same rows from a file in ``folder``, which has no name and is gone afterwards, whatever ends the process.

    Raises
    ------
    OSError
        It cannot be written, or there is no such folder; names the folder.
    """
    if not os.path.isdir(folder):
        wrong = NotADirectoryError if os.path.exists(folder) else FileNotFoundError
        raise wrong(f"spool must be a folder that exists, got {os.fspath(folder)!r}")
    with contextlib.ExitStack() as stack:
        n_rows = 0
        with _naming(folder):
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
        for block in source:
            n_rows += len(block)
            view = block.view(np.uint8).reshape(-1).data
            with _naming(folder):
                while len(view):
                    view = view[os.write(file.fileno(), view) :]
        if not n_rows:
            raise SourceError(f"{source._reader.title} must have at least one row, got none")
        yield Source(SpoolReader(file, source, n_rows), batch_size=source.batch_size, dtype=source.dtype)


@contextlib.contextmanager
def _naming(folder: str | PathLike[str]) -> Iterator[None]:
    """Errors of the system name the folder."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, f"the rows spooled to {os.fspath(folder)}") from None
