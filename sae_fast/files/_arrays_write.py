"""Tables into files, row block by row block: .npy, .npz, .csv and .parquet; ``-`` is CSV on stdout."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ._arrays_io import STREAM, suffix_of
from ._arrow import import_arrow
from ._atomic import replacing
from ._row_formats import NAMED, CsvRows, NpyRows, arrow_schema, arrow_table

Write = Callable[..., None]
"""Takes the next rows, and the columns that are carried along with them."""


@contextlib.contextmanager
def writing(
    path: str, shape: tuple[int | None, int], dtype: np.dtype[Any], names: list[str], kept: Sequence[str] = ()
) -> Iterator[Write]:
    """Write a table row block by row block; the file appears when the last one is in, or not at all.

    Parameters
    ----------
    path : str
        File name; its ending tells the kind. ``-`` writes CSV to stdout.
    shape : (int or None, int)
        Of the whole table; None for rows that are counted as they come.
    dtype : float32 or float64
    names : list of str
        Names of the columns, for the kinds that have them.
    kept : sequence of str
        Names of columns that stand before them, in .csv and .parquet.

    Yields
    ------
    callable
        Call it with the rows, in order, and those columns: lists, or arrays of NumPy or Arrow.
    """
    suffix = check_kept(path, names, kept)
    rows = CsvRows(dtype, names, kept)
    if path == STREAM:
        if sys.stdout is None:
            raise OSError("stdout is closed: give a file name")
        sys.stdout.write(rows.header())
        yield lambda values, *columns: _drop(sys.stdout.write(rows.text(values, columns)))
        sys.stdout.flush()
        return
    with contextlib.ExitStack() as stack:
        if suffix == ".parquet":
            import_arrow(f"{path}: Parquet")  # before a file is begun
        file = stack.enter_context(replacing(path))
        if suffix == ".csv":
            file.write(rows.header().encode())
            yield lambda values, *columns: _drop(file.write(rows.text(values, columns).encode()))
        elif suffix == ".parquet":
            yield stack.enter_context(parquet_writer(file, dtype, names, kept))
        elif suffix == ".npz":
            yield stack.enter_context(_npz_writer(file, shape, dtype))
        else:
            yield stack.enter_context(_npy_writer(file, shape, dtype))


def check_kept(path: str, names: Sequence[str], kept: Sequence[str]) -> str:
    """The ending of the file, if it can hold the columns that are carried along."""
    suffix = suffix_of(path)
    if kept and suffix not in NAMED:
        raise ValueError(f"columns are kept in {' and '.join(NAMED)} files, which have names of columns, got {path}")
    if doubled := sorted({*kept} & {*names}):
        raise ValueError(f"the kept column {doubled[0]!r} has the name of a code")
    return suffix


def _drop(_: object) -> None:
    """Of what is written nobody needs the length."""


@contextlib.contextmanager
def _npy_writer(file: Any, shape: tuple[int | None, int], dtype: np.dtype[Any]) -> Iterator[Write]:
    rows = NpyRows(dtype, shape[1])
    if shape[0] is None and not file.seekable():  # whose header comes first
        with tempfile.TemporaryFile() as spool:
            yield lambda values: rows.add(spool, values)
            spool.seek(0)
            rows.header(file, rows.n)
            shutil.copyfileobj(spool, file, 1 << 20)
        return
    rows.header(file, shape[0] or 0)
    yield lambda values: rows.add(file, values)
    if shape[0] is None:
        file.seek(0)
        rows.header(file, rows.n)


@contextlib.contextmanager
def _npz_writer(file: BinaryIO, shape: tuple[int | None, int], dtype: np.dtype[Any]) -> Iterator[Write]:
    with (
        zipfile.ZipFile(file, "w") as archive,
        archive.open("codes.npy", "w", force_zip64=True) as member,
        _npy_writer(_Forward(member), shape, dtype) as write,
    ):
        yield write


class _Forward:
    """A member of an archive, which is written from its beginning to its end."""

    def __init__(self, member: Any) -> None:
        self.write = member.write

    def seekable(self) -> bool:
        return False


@contextlib.contextmanager
def parquet_writer(file: BinaryIO, dtype: np.dtype[Any], names: list[str], kept: Sequence[str]) -> Iterator[Write]:
    """A row group for each block."""
    arrow = import_arrow("Parquet")
    with contextlib.ExitStack() as stack:
        parquet: Any = None

        def write(values: NDArray[Any], *columns: Any) -> None:
            nonlocal parquet
            if parquet is None:
                schema = arrow_schema(arrow, dtype, names, kept, columns)
                parquet = stack.enter_context(arrow.parquet.ParquetWriter(file, schema))
            parquet.write_table(arrow_table(arrow, parquet.schema, values, columns))

        yield write
