"""Rows as NumPy, CSV and Arrow have them: what is written of each block, whatever file it goes to."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMED = (".csv", ".parquet")
"""Kinds of files that have names of columns."""


class NpyRows:
    """Rows as bytes, after a header that takes as much room for any number of rows.

    Attributes
    ----------
    n : int
        Rows so far.
    """

    def __init__(self, dtype: np.dtype[Any], width: int) -> None:
        self._dtype, self._width, self.n = dtype, width, 0

    def header(self, file: Any, n: int) -> None:
        """What stands before ``n`` rows."""
        shape = (n, self._width)
        about = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)

    def add(self, file: Any, values: NDArray[Any]) -> None:
        """The next rows."""
        file.write(np.ascontiguousarray(values, self._dtype).data.cast("B"))
        self.n += len(values)


class CsvRows:
    """Rows as lines; columns that are carried along stand first."""

    def __init__(self, dtype: np.dtype[Any], names: Sequence[str], kept: Sequence[str]) -> None:
        self._names = [*kept, *names]
        self._form = "%.9g" if dtype == np.float32 else "%.17g"

    def header(self) -> str:
        """The line of the names."""
        return _lines([self._names])[0]

    def text(self, values: NDArray[Any], kept: Sequence[Any]) -> str:
        """The lines of the next rows."""
        text = io.StringIO()
        np.savetxt(text, values, delimiter=",", fmt=self._form)
        if not kept:
            return text.getvalue()
        before = _lines(list(zip(*map(_texts, kept), strict=True)))
        return "".join(f"{a[:-1]},{b}" for a, b in zip(before, text.getvalue().splitlines(True), strict=True))


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = []
    for row in rows:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(row)
        lines.append(text.getvalue())
    return lines


def entries(column: Any) -> list[Any]:
    """Of a column that is carried along."""
    found = column.to_pylist() if hasattr(column, "to_pylist") else column
    return found.tolist() if isinstance(found, np.ndarray) else list(found)


def _texts(column: Any) -> list[str]:
    return ["" if entry is None else str(entry) for entry in entries(column)]


def arrow_schema(
    arrow: Any, dtype: np.dtype[Any], names: Sequence[str], kept: Sequence[str], columns: Sequence[Any]
) -> Any:
    """The schema of a table of codes with the columns that are carried along."""
    fields = [(name, _as_arrow(arrow, column).type) for name, column in zip(kept, columns, strict=True)]
    return arrow.schema(fields + [(name, arrow.from_numpy_dtype(dtype)) for name in names])


def arrow_table(arrow: Any, schema: Any, values: NDArray[Any], columns: Sequence[Any]) -> Any:
    """A block of such a table."""
    arrays = [_as_arrow(arrow, column) for column in columns]
    return arrow.table([*arrays, *(np.ascontiguousarray(column) for column in values.T)], schema=schema)


def _as_arrow(arrow: Any, column: Any) -> Any:
    if isinstance(column, list):
        return arrow.array(column, arrow.string())
    return column if hasattr(column, "type") else arrow.array(column)
