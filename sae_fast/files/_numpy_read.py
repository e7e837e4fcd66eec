"""NumPy's own files to arrays: .npy, memory-mapped, and .npz; a pipe is read to its end first."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._table import Table, TableError, TableOptions, select

_SPARSE = {"format", "shape", "data"}
"""Names that scipy.sparse.save_npz gives to the arrays of every kind of matrix."""


def read_numpy(path: str, kind: str, options: TableOptions) -> Table:
    """The columns that are asked for; all of them are the file's own array, memory-mapped if it is .npy.

    Raises
    ------
    TableError
        It holds no real numbers, several arrays, or a sparse matrix.
    ValueError, EOFError, zipfile.BadZipFile
        It is damaged.
    """
    values = _read_npy(path) if kind == ".npy" else _read_npz(path, options.key)
    if values.dtype.kind not in "fiub":
        raise TableError(f"it must hold real numbers, got dtype {values.dtype}")
    if values.ndim != 2:
        return Table(values, None)
    n = values.shape[1]
    chosen = select(None, n, options)
    labels = None if chosen.labels is None else np.array(values[:, chosen.labels])
    return Table(values if chosen.features == list(range(n)) else values[:, chosen.features], None, labels)


def seekable(path: str) -> Any:
    """What NumPy and pyarrow can read from: a pipe is read to its end first."""
    if os.path.isfile(path) or not os.path.exists(path):
        return path
    with open(path, "rb") as file:
        return io.BytesIO(file.read())


def _read_npy(path: str) -> NDArray[Any]:
    source = seekable(path)
    values: NDArray[Any] = np.load(source, mmap_mode="r" if source == path else None, allow_pickle=False)
    return values


def _read_npz(path: str, key: str | None) -> NDArray[Any]:
    source = seekable(path)
    # Opened here: NumPy forgets to close a file that turns out to be no archive.
    with open(path, "rb") if source == path else source as file, np.load(file, allow_pickle=False) as archive:
        names = archive.files
        if set(names) >= _SPARSE:
            advice = "np.save('X.npy', scipy.sparse.load_npz(...).toarray()) makes a file that can be"
            raise TableError("it holds a sparse matrix, of scipy.sparse.save_npz, which cannot be read", advice)
        if not names:
            raise TableError("it holds no array")
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            raise TableError(f"it holds {', '.join(names)}: name one with --key")
        values: NDArray[Any] = archive[key]
    return values
