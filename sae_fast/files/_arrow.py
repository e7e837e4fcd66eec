"""pyarrow, where it is installed, and its columns as arrays: numbers, lists of numbers, labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._table import ArrayFileError, TableError, TableOptions, how_to_leave_out, select


def import_arrow(what: str) -> Any:
    """The package pyarrow with its Parquet module; an error names what needs it."""
    try:
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ArrayFileError(f'{what} needs pyarrow: pip install "sae-fast[parquet]"') from error
    return pyarrow


class ArrowColumns:
    """Which columns of a schema are features, and the numbers in its batches.

    A column of lists of one length is as many features, ``name_0``, ``name_1``, ... What pandas marks as the index is
    none.

    Parameters
    ----------
    arrow : module
        pyarrow.
    schema : pyarrow.Schema
    options : TableOptions

    Attributes
    ----------
    wanted : list of int
        Positions of the columns to read: features, labels, and those that are carried along.
    features_of : list of str
        Names of the columns that the features are read from.
    names : list of str
        Of the features, once a batch has been seen, or at once where ``dtype`` is known.
    dtype : numpy.dtype or None
        Of the features, where the schema tells: no lists, nor other things that may or may not be numbers.
    is_plain : bool
        All that is to be read is numbers as NumPy has them, and not lists of them.
    row_bytes : int
        What they take in memory.
    missing : callable
        Told a column's name, it tells how many of its values are missing in all, or None.

    Raises
    ------
    TableError
        Columns that are not there; a missing value, no numbers.
    """

    def __init__(self, arrow: Any, schema: Any, options: TableOptions) -> None:
        self._arrow, self._options = arrow, options
        self._all = list(schema.names)
        if not self._all:
            raise TableError("it must hold a table, got no columns")
        chosen = select(self._all, len(self._all), options, _index(self._all, schema.metadata))
        self._features, self._labels, self._kept = chosen.features, chosen.labels, chosen.kept
        self.wanted = [
            *dict.fromkeys([*chosen.features, *chosen.kept, *([] if chosen.labels is None else [chosen.labels])])
        ]
        self.features_of = [self._all[i] for i in chosen.features]
        self.kept = [self._all[i] for i in chosen.kept]
        self.label = None if chosen.labels is None else self._all[chosen.labels]
        self.names: list[str] = []
        self.missing: Callable[[str], int | None] = lambda name: None
        self._lengths: dict[int, int] = {}
        self._place = {i: k for k, i in enumerate(self.wanted)}
        types = {i: schema.field(i).type for i in self.wanted}
        self._simple = {i for i, kind in types.items() if _is_simple(arrow, kind)}
        self.is_plain = self._simple.issuperset(self.wanted)
        self.row_bytes = sum(types[i].bit_width // 8 if i in self._simple else 8 for i in self.wanted)
        self.dtype: np.dtype[Any] | None = None
        if self._simple.issuperset(self._features):
            self.names = [self._all[i] for i in self._features]
            self.dtype = np.result_type(*{types[i].to_pandas_dtype() for i in self._features})
            if self._options.gaps and self.dtype.kind != "f":
                self.dtype = np.dtype(np.float64)

    def features(self, columns: Sequence[Any], first: int = 0) -> list[NDArray[Any]]:
        """The numbers of each column of features, (n_samples,) or (n_samples, n) of lists, after ``first`` other rows.

        They are not copied where Arrow has them as NumPy would.
        """
        read = self._with_gaps if self._options.gaps else self._numbers_of
        blocks = [read(i, columns[self._place[i]], first) for i in self._features]
        if not self.names:
            self.names = [
                name
                for i, block in zip(self._features, blocks, strict=True)
                for name in ([self._all[i]] if i not in self._lengths else _numbered(self._all[i], block.shape[1]))
            ]
        return blocks

    def labels(self, columns: Sequence[Any], first: int = 0) -> Sequence[Any] | NDArray[Any] | None:
        """A label for each row: numbers in an array, text in a list; None without a column of them."""
        if self._labels is None:
            return None
        name, column = self._all[self._labels], columns[self._place[self._labels]]
        plain = _plain(self._arrow, column)
        self._no_missing(name, plain, 1, "a label", first)
        values = _numbers(self._arrow, plain)
        if values is not None:
            return values
        if not (self._arrow.types.is_string(plain.type) or self._arrow.types.is_large_string(plain.type)):
            raise TableError(f"column {name!r} must hold labels, numbers or text, got {column.type}")
        texts: list[str] = plain.to_pylist()
        return texts

    def carried(self, columns: Sequence[Any]) -> tuple[Any, ...]:
        """The columns that are carried along, as they are."""
        return tuple(columns[self._place[i]] for i in self._kept)

    def _numbers_of(self, i: int, column: Any, first: int) -> NDArray[Any]:
        """The numbers of a column: (n_samples,), or (n_samples, n) of lists."""
        arrow, name = self._arrow, self._all[i]
        if i in self._simple and not column.null_count:
            return _view(column)
        plain = _plain(arrow, column)
        kind = plain.type
        self._no_missing(name, plain, 1, "a value", first)
        n = 1
        if arrow.types.is_fixed_size_list(kind) or arrow.types.is_list(kind) or arrow.types.is_large_list(kind):
            n = self._length(i, plain, first)
            plain = _plain(arrow, plain.flatten())
            self._no_missing(name, plain, n, "numbers", first)
        found = _numbers(arrow, plain)
        if found is None:
            words = f"column {name!r} must hold real numbers, got {column.type}"
            raise TableError(words, how_to_leave_out(name, self._options))
        return found if plain.type == kind else found.reshape(-1, n)

    def _with_gaps(self, i: int, column: Any, first: int) -> NDArray[Any]:
        """The numbers of a column, NaN where they are missing; whole numbers in float64, as others may have gaps."""
        arrow, name = self._arrow, self._all[i]
        plain = _plain(arrow, column)
        kind = plain.type
        is_list = arrow.types.is_fixed_size_list(kind) or arrow.types.is_list(kind) or arrow.types.is_large_list(kind)
        here = plain.is_valid().to_numpy(zero_copy_only=False)
        n = self._length(i, plain.drop_null(), first) if is_list else 1
        values = _plain(arrow, plain.drop_null().flatten()) if is_list else plain
        if arrow.types.is_boolean(values.type):
            values = values.cast(arrow.uint8())
        if arrow.types.is_null(values.type) or (values.null_count and _is_simple(arrow, values.type)):
            values = values.cast(arrow.float32() if arrow.types.is_float32(values.type) else arrow.float64())
        found = _numbers(arrow, values)
        if found is None:
            raise TableError(
                f"column {name!r} must hold real numbers, got {column.type}", how_to_leave_out(name, self._options)
            )
        if found.dtype.kind != "f":
            found = found.astype(np.float64)
        if not is_list:
            return found
        lists = np.full((len(here), n), np.nan, found.dtype)
        lists[here] = found.reshape(-1, n)
        return lists

    def _length(self, i: int, lists: Any, first: int) -> int:
        """The one length that all lists of the column have."""
        name = self._all[i]
        if self._arrow.types.is_fixed_size_list(lists.type):
            lengths = np.full(min(1, len(lists)), lists.type.list_size)
        else:
            lengths = self._arrow.compute.list_value_length(lists).to_numpy(zero_copy_only=False)
        wanted = self._lengths.setdefault(i, int(lengths[0]) if len(lengths) else 0)
        for row in np.flatnonzero(lengths != wanted):
            words = f"must hold {wanted} numbers, as row 0, got {lengths[row]}"
            raise TableError(f"column {name!r}, row {first + row} (counted from 0) {words}")
        if wanted == 0:
            raise TableError(f"column {name!r} must hold numbers, got empty lists")
        return wanted

    def _no_missing(self, name: str, column: Any, n: int, wanted: str, first: int) -> None:
        """There is no null in it, which has ``n`` values a row."""
        if column.null_count:
            missing = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
            count = self.missing(name) if n == 1 else None
            of_all = "" if count is None else f" ({count} in all)"
            row = f"column {name!r}, row {first + missing[0] // n} (counted from 0)"
            raise TableError(f"{row} must hold {wanted}, got a missing one{of_all}")


def together(blocks: Sequence[NDArray[Any]], start: int, stop: int) -> NDArray[Any]:
    """Rows ``start`` to ``stop`` (n, n_features) of the columns' numbers; those of a single one are not copied."""
    if len(blocks) == 1:
        return blocks[0][start:stop] if blocks[0].ndim == 2 else blocks[0][start:stop, None]
    width = sum(1 if block.ndim == 1 else block.shape[1] for block in blocks)
    values = np.empty((stop - start, width), np.result_type(*{block.dtype for block in blocks}))
    j = 0
    for block in blocks:
        if block.ndim == 1:
            values[:, j] = block[start:stop]
            j += 1
        else:
            values[:, j : j + block.shape[1]] = block[start:stop]
            j += block.shape[1]
    return values


def _is_simple(arrow: Any, kind: Any) -> bool:
    """Does NumPy have such numbers as they are?"""
    return bool(arrow.types.is_integer(kind) or arrow.types.is_floating(kind))


def _view(column: Any) -> NDArray[Any]:
    """The numbers of a column without missing ones, where they lie.

    As ``to_numpy`` gives them, which would import pandas: a quarter of a second.
    """
    dtype = np.dtype(column.type.to_pandas_dtype())
    if not len(column):
        return np.empty(0, dtype)
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * dtype.itemsize)


def _numbered(name: str, n: int) -> list[str]:
    return [f"{name}_{j}" for j in range(n)]


def _index(names: list[str], metadata: dict[bytes, bytes] | None) -> list[int]:
    """Positions of what pandas wrote for the index, by its metadata or, where these are lost, by the names."""
    try:
        told = json.loads((metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        told = []
    return [i for i, name in enumerate(names) if name in told or name.startswith("__index_level_")]


def _plain(arrow: Any, column: Any) -> Any:
    """One array of plain values, of what is chunked, encoded by a dictionary or an extension type."""
    whole = column.combine_chunks() if isinstance(column, arrow.ChunkedArray) else column
    if isinstance(whole.type, arrow.BaseExtensionType):
        whole = whole.storage
    return whole.dictionary_decode() if arrow.types.is_dictionary(whole.type) else whole


def _numbers(arrow: Any, column: Any) -> NDArray[Any] | None:
    """As NumPy has them; None for other things than real numbers."""
    if arrow.types.is_decimal(column.type):
        # By way of text to the nearest float64: Arrow's own conversion is off by a last digit now and then.
        column = column.cast(arrow.string()).cast(arrow.float64())
    if _is_simple(arrow, column.type) and not column.null_count:
        return _view(column)
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values if values.dtype.kind in "fiub" else None
