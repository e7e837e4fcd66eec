"""Tables into files, row block by row block: .npy, .npz, .csv and .parquet; ``-`` is CSV on stdout."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ._arrays_io import STREAM, import_arrow, suffix_of
from ._atomic import replacing

Write = Callable[[NDArray[Any]], None]
"""Takes the next rows."""


@contextlib.contextmanager
def writing(path: str, shape: tuple[int, int], dtype: np.dtype[Any], names: list[str]) -> Iterator[Write]:
    """Write a table row block by row block; the file appears when the last one is in, or not at all.

    Parameters
    ----------
    path : str
        File name; its ending tells the kind. ``-`` writes CSV to stdout.
    shape : (int, int)
        Of the whole table.
    dtype : float32 or float64
    names : list of str
        Names of the columns, for the kinds that have them.

    Yields
    ------
    callable
        Call it with the rows, in order.
    """
    suffix = suffix_of(path)
    if path == STREAM:
        if sys.stdout is None:
            raise OSError("stdout is closed: give a file name")
        yield _csv_writer(sys.stdout.write, names, dtype)
        sys.stdout.flush()
        return
    with contextlib.ExitStack() as stack:
        if suffix == ".parquet":
            import_arrow(path)  # before a file is begun
        file = stack.enter_context(replacing(path))
        if suffix == ".csv":
            yield _csv_writer(lambda text: file.write(text.encode()), names, dtype)
        elif suffix == ".parquet":
            yield stack.enter_context(_parquet_writer(path, file, names, dtype))
        elif suffix == ".npy":
            yield _npy_writer(file, shape, dtype)
        else:
            archive = stack.enter_context(zipfile.ZipFile(file, "w"))
            yield _npy_writer(stack.enter_context(archive.open("codes.npy", "w", force_zip64=True)), shape, dtype)


def _npy_writer(file: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> Write:
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)

    def write(rows: NDArray[Any]) -> None:
        file.write(np.ascontiguousarray(rows, dtype).data.cast("B"))

    return write


def _csv_writer(put: Callable[[str], object], names: list[str], dtype: np.dtype[Any]) -> Write:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(names)
    put(header.getvalue())
    form = "%.9g" if dtype == np.float32 else "%.17g"

    def write(rows: NDArray[Any]) -> None:
        text = io.StringIO()
        np.savetxt(text, rows, delimiter=",", fmt=form)
        put(text.getvalue())

    return write


@contextlib.contextmanager
def _parquet_writer(path: str, file: BinaryIO, names: list[str], dtype: np.dtype[Any]) -> Iterator[Write]:
    arrow = import_arrow(path)
    schema = arrow.schema([(name, arrow.from_numpy_dtype(dtype)) for name in names])
    with arrow.parquet.ParquetWriter(file, schema) as parquet:

        def write(rows: NDArray[Any]) -> None:
            parquet.write_table(arrow.table([np.ascontiguousarray(c) for c in rows.T], schema=schema))

        yield write
