"""Tables that are written over several runs: what one that was killed has done, the next one goes on with.

Beside the target ``codes.npy`` there are ``.codes.npy.part``, with the rows so far, and ``.codes.npy.part.json``, which
tells how many of them count and what they were made of. The target itself appears when the last row is in. ``.npy`` and
``.csv`` grow in the part file; an archive and a Parquet file end in what is known at the end alone, and are made from
rows that the part file holds as NumPy and Arrow write them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ._arrays_write import check_kept, parquet_writer
from ._arrow import import_arrow
from ._atomic import naming, replacing, writing_to
from ._row_formats import CsvRows, NpyRows, arrow_schema, arrow_table
from ._targets import check_target, is_stream
from ._temporary import install, like

SAVE_SECONDS = 2.0
"""The work of so much time may be lost."""


class Unfinished:
    """A table on its way.

    Parameters
    ----------
    path : str
        Where it goes in the end.
    dtype, names, kept
        As for :func:`~sae_fast.files._arrays_write.writing`.
    about : str
        Of what and how it is made; another one than the rows that are there were made of is an error.

    Attributes
    ----------
    rows : int
        Rows that are there.
    """

    def __init__(
        self, path: str, dtype: np.dtype[Any], names: list[str], kept: Sequence[str], about: str, file: BinaryIO
    ) -> None:
        self._suffix = check_kept(path, names, kept)
        self._path, self._dtype, self._names, self._kept, self._about = path, dtype, names, kept, about
        self._file = file
        self._npy, self._csv = NpyRows(dtype, len(names)), CsvRows(dtype, names, kept)
        self._schema: Any = None
        self._state = _state_of(check_target(path))
        self.rows = self._go_on()
        self._saved = time.monotonic()

    def write(self, values: NDArray[Any], *kept: Any) -> None:
        """The next rows, with the columns that are carried along."""
        if self._suffix == ".csv":
            self._file.write(self._csv.text(values, kept).encode())
        elif self._suffix == ".parquet":
            self._add_arrow(values, kept)
        else:
            self._npy.add(self._file, values)
        self.rows += len(values)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """From here on the next run goes on."""
        self._file.flush()
        with naming(self._path):
            os.fdatasync(self._file.fileno())
        size = self._file.tell()
        with replacing(self._state) as file:
            file.write(json.dumps({"about": self._about, "rows": self.rows, "bytes": size}).encode())
        self._size, self._saved = size, time.monotonic()

    def cut(self, part: Path) -> None:
        """Leave what the next run goes on with, and no more: the disk may be full of the rest."""
        if not part.exists():  # it is where it belongs
            return
        if self._size:
            os.ftruncate(self._file.fileno(), self._size)
        else:
            part.unlink()

    def finish(self, target: Path, part: Path) -> None:
        """Put the table where it belongs."""
        if self._suffix == ".npy":
            self._file.seek(0)
            self._npy.header(self._file, self.rows)
        self._file.flush()
        if self._suffix in (".npz", ".parquet"):
            self.save()  # all rows, which may not fit beside the table that is made of them
            with open(part, "rb") as rows, replacing(self._path) as file:
                (self._to_npz if self._suffix == ".npz" else self._to_parquet)(rows, file)
        else:
            with naming(self._path):
                os.fsync(self._file.fileno())
                if target.exists():
                    like(self._file.fileno(), os.stat(target))
                install(self._file.fileno(), os.fspath(part), target)
        for name in (part, self._state):
            name.unlink(missing_ok=True)

    def _go_on(self) -> int:
        """How many rows are there; the file stands behind them."""
        try:
            state = json.loads(self._state.read_bytes())
            about, rows, size = state["about"], int(state["rows"]), int(state["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            about, rows, size = self._about, 0, 0
        if about != self._about:
            raise ValueError(
                f"{self._state} is of a run with another model, data or options, or of another version: remove it, and "
                "this one begins anew"
            )
        if size > os.fstat(self._file.fileno()).st_size or not rows:
            rows = size = 0
        self._size = size
        self._file.truncate(size)
        self._file.seek(size)
        if not rows:
            self._begin()
        return rows

    def _begin(self) -> None:
        if self._suffix == ".csv":
            self._file.write(self._csv.header().encode())
        elif self._suffix == ".npy":
            self._npy.header(self._file, 0)

    def _add_arrow(self, values: NDArray[Any], kept: Sequence[Any]) -> None:
        """A stream of its own for each block, so that any number of them can be cut off."""
        arrow = import_arrow("Parquet")
        if self._schema is None:
            self._schema = arrow_schema(arrow, self._dtype, self._names, self._kept, kept)
        sink = arrow.BufferOutputStream()
        with arrow.ipc.new_stream(sink, self._schema) as stream:
            stream.write_table(arrow_table(arrow, self._schema, values, kept))
        self._file.write(sink.getvalue())

    def _to_parquet(self, rows: BinaryIO, file: BinaryIO) -> None:
        arrow = import_arrow("Parquet")
        n = len(self._kept)
        with parquet_writer(file, self._dtype, self._names, self._kept) as write:
            size = os.fstat(rows.fileno()).st_size
            while rows.tell() < size:
                with arrow.ipc.open_stream(arrow.PythonFile(rows, "r")) as stream:
                    block = stream.read_all().combine_chunks()
                values = np.column_stack([column.to_numpy() for column in block.columns[n:]])
                write(values, *block.columns[:n])

    def _to_npz(self, rows: BinaryIO, file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive, archive.open("codes.npy", "w", force_zip64=True) as member:
            self._npy.header(member, self.rows)
            shutil.copyfileobj(rows, member, 1 << 20)


def _state_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part.json")


@contextlib.contextmanager
def going_on(
    path: str, dtype: np.dtype[Any], names: list[str], kept: Sequence[str], about: str
) -> Iterator[Unfinished]:
    """Go on with the table that an earlier run has begun, or begin it; it appears when the block ends without an error.

    Raises
    ------
    ValueError
        The earlier run made it of something else; a pipe, of which nothing stays.
    OSError
        It cannot be written, or another process is writing it.
    """
    target = check_target(path)
    if is_stream(target):
        raise ValueError(f"{path} is a pipe or a device, of which nothing stays to go on with")
    check_kept(path, names, kept)
    part = target.with_name(f".{target.name}.part")
    with naming(os.fspath(part)):
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, "another process is writing it", path) from None
    with writing_to(descriptor, path) as file:
        table = Unfinished(path, dtype, names, kept, about, file)
        try:
            yield table
            table.finish(target, part)
        except OSError:
            table.cut(part)
            raise
