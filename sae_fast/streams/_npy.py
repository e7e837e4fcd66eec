"""Rows of ``.npy`` files and of arrays in ``.npz`` archives, read where they are wanted and never mapped.

A mapped file counts as memory of the process as far as it has been read, and ends the process where another one cuts it
while it is read. Blocks that are read are no slower, as another thread reads them ahead.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..files._table import Table, TableError, TableOptions, select
from ._reader import Reader, Rows, SourceError
from ._spooled import File

_SPARSE = {"format", "shape", "data"}
"""Names that scipy.sparse.save_npz gives to the arrays of every kind of matrix."""


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and dtype of the array that begins here; ValueError for what is none."""
    try:
        version = npy.read_magic(file)
    except ValueError as error:
        raise ValueError("it holds no array of numbers") from error
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of the format is not known")
    shape, fortran, dtype = read(file)
    return shape, fortran, dtype


class NpyReader(Reader):
    """The rows of a ``.npy`` file.

    Raises
    ------
    TableError
        It holds no table of real numbers, or columns are asked for that are not there.
    ValueError, EOFError
        It is damaged.
    """

    ahead = True

    def __init__(self, path: str, title: str, options: TableOptions) -> None:
        self.title, self._file = title, File(path)
        with open(self._file.path, "rb") as file:
            self._set_up(file, os.fstat(file.fileno()).st_size, options)

    def _set_up(self, file: BinaryIO, size: int | None, options: TableOptions) -> None:
        shape, self._fortran, self._stored = read_header(file)
        self._begin = file.tell()
        check_array(shape, self._stored)
        self.n_rows, self._width = shape
        wanted = self._begin + self.n_rows * self._width * self._stored.itemsize
        if size is not None and size < wanted:
            raise ValueError(f"it must have {wanted} bytes for its shape {shape}, got {size}")
        chosen = select(None, self._width, options)
        self._features, self._label_column = chosen.features, chosen.labels
        self._kept_columns = list(chosen.kept)
        self.kept = [str(i + 1) for i in self._kept_columns]
        self.n_features, self.dtype = len(chosen.features), self._stored.newbyteorder("=")
        self.has_labels = chosen.labels is not None
        self._all = chosen.features == list(range(self._width))

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Blocks, each in an array of its own."""
        assert self.n_rows is not None
        with open(self._file.path, "rb", buffering=0) as file:
            for i in range(start, self.n_rows, size):
                n = min(size, self.n_rows - i)
                yield self._chosen(self._columns(file, i, n) if self._fortran else self._block(file, i, n))

    def whole(self) -> Table:
        """The file's own array, memory-mapped, or the columns of it that are wanted."""
        values: NDArray[Any] = np.load(self._file.path, mmap_mode="r", allow_pickle=False)
        labels = None if self._label_column is None else np.array(values[:, self._label_column])
        return Table(values if self._all else values[:, self._features], None, labels)

    def mark(self) -> object:
        """What the system says of the file."""
        return self._file.mark()

    def _chosen(self, whole: NDArray[Any]) -> Rows:
        values = whole if self._all else whole[:, self._features]
        labels = None if self._label_column is None else whole[:, self._label_column].copy()
        return Rows(values, labels, None, tuple(whole[:, i].copy() for i in self._kept_columns))

    def _block(self, file: Any, first: int, n: int) -> NDArray[Any]:
        block = np.empty((n, self._width), self._stored)
        step = self._width * self._stored.itemsize
        self._fill(file, block, self._begin + first * step)
        return block

    def _columns(self, file: Any, first: int, n: int) -> NDArray[Any]:
        """Of an array in Fortran order, whose columns are whole; those that nobody asks for are not read."""
        assert self.n_rows is not None
        block = np.empty((self._width, n), self._stored)
        wanted = set(range(self._width)) if self._all else {*self._features, *self._kept_columns}
        for j in wanted | ({self._label_column} - {None}):
            assert j is not None
            self._fill(file, block[j], self._begin + (j * self.n_rows + first) * self._stored.itemsize)
        return block.T

    def _fill(self, file: Any, block: NDArray[Any], offset: int) -> None:
        if not block.nbytes:
            return
        view = block.view(np.uint8).reshape(-1).data
        while len(view):
            count = os.preadv(file.fileno(), [view], offset)
            if not count:
                raise SourceError(f"{self.title} ends early: it was cut while it was read")
            view, offset = view[count:], offset + count


class NpzReader(NpyReader):
    """The rows of one array of an archive, decompressed as they come.

    An array in Fortran order is decompressed into a temporary file first, as its first row ends where its last column
    begins.
    """

    def __init__(self, path: str, title: str, options: TableOptions) -> None:
        self.title, self._file = title, File(path)
        with zipfile.ZipFile(self._file.path) as archive:
            self._member = member_of([n.removesuffix(".npy") for n in archive.namelist()], options)
            if self._member not in archive.namelist():
                self._member += ".npy"
            size = archive.getinfo(self._member).file_size
            with archive.open(self._member) as file:
                self._set_up(file, size, options)  # type: ignore[arg-type]

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Blocks, each in an array of its own."""
        assert self.n_rows is not None
        with zipfile.ZipFile(self._file.path) as archive, archive.open(self._member) as file:
            if self._fortran:
                with tempfile.TemporaryFile() as whole:
                    shutil.copyfileobj(file, whole, 1 << 20)
                    whole.flush()
                    for i in range(start, self.n_rows, size):
                        yield self._chosen(self._columns(whole, i, min(size, self.n_rows - i)))
                return
            file.seek(self._begin + start * self._width * self._stored.itemsize)
            for i in range(start, self.n_rows, size):
                yield self._chosen(self._next(file, min(size, self.n_rows - i)))
            while file.read(1 << 20):  # its end holds the checksum
                pass

    whole = Reader.whole

    def _next(self, file: Any, n: int) -> NDArray[Any]:
        block = np.empty((n, self._width), self._stored)
        view = block.view(np.uint8).reshape(-1).data
        while len(view):
            count = file.readinto(view)
            if not count:
                raise EOFError("it ends early")
            view = view[count:]
        return block


def check_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """It is a table of real numbers."""
    if dtype.hasobject:
        raise ValueError("it holds no array of numbers")
    if dtype.kind not in "fiub":
        raise TableError(f"it must hold real numbers, got dtype {dtype}")
    if len(shape) != 2 or shape[1] == 0:
        raise TableError(f"it must hold a table (n_samples, n_features), got shape {shape}")


def member_of(names: list[str], options: TableOptions) -> str:
    """Name of the array that is asked for, or of the only one.

    Raises
    ------
    TableError
        There are several, it is not there, or they are the parts of a sparse matrix.
    """
    if set(names) >= _SPARSE:
        advice = "np.save('X.npy', scipy.sparse.load_npz(...).toarray()) makes a file that can be"
        raise TableError("it holds a sparse matrix, of scipy.sparse.save_npz, which cannot be read", advice)
    if not names:
        raise TableError("it holds no array")
    key = names[0] if options.key is None and len(names) == 1 else options.key
    if key not in names:
        raise TableError(f"it holds {', '.join(names)}: name one with {options.word('key')}")
    return key
