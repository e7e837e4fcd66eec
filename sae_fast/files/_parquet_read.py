"""Parquet to arrays: columns of numbers and of lists of numbers, without what pandas marks as the index."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._labels import make_labels
from ._table import ArrayFileError, Table, TableError, TableOptions, how_to_leave_out, select


def read_parquet(source: Any, title: str, options: TableOptions) -> Table:
    """Read the columns that are features, and that of the labels.

    A column of lists of one length is as many features, ``name_0``, ``name_1``, ...

    Parameters
    ----------
    source : path or file object
    title : str
        Its name, for messages.
    options : TableOptions

    Raises
    ------
    TableError
        Damaged, a missing value, no numbers.
    """
    arrow = import_arrow(title)
    try:
        with arrow.parquet.ParquetFile(source) as file:
            return _read(arrow, file, options)
    except (arrow.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        first = (str(error).splitlines() or ["?"])[0]
        raise ArrayFileError(f"{title} is damaged or not a Parquet file: {first}") from error


def _read(arrow: Any, file: Any, options: TableOptions) -> Table:
    names = list(file.schema_arrow.names)
    if not names:
        raise TableError("it must hold a table, got no columns")
    chosen = select(names, len(names), options, _index(names, file.schema_arrow.metadata))
    wanted = [*chosen.features, *([] if chosen.labels is None else [chosen.labels])]
    if len(set(names)) == len(names):
        found = file.read(columns=[names[i] for i in wanted])
        columns = {i: found.column(names[i]) for i in wanted}
    else:
        found = file.read()
        columns = {i: found.column(i) for i in wanted}
    features = {i: _features(arrow, names[i], columns[i]) for i in chosen.features}
    labels = None if chosen.labels is None else _labels(arrow, names[chosen.labels], columns[chosen.labels])
    named = [
        name
        for i, block in features.items()
        for name in ([names[i]] if block.ndim == 1 else [f"{names[i]}_{j}" for j in range(block.shape[1])])
    ]
    return Table(np.column_stack(list(features.values())), named, labels)


def import_arrow(path: str) -> Any:
    """The package pyarrow with its Parquet module; an error names the file that needs it."""
    try:
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ArrayFileError(f'{path}: Parquet needs pyarrow: pip install "sae-fast[parquet]"') from error
    return pyarrow


def _index(names: list[str], metadata: dict[bytes, bytes] | None) -> list[int]:
    """Positions of what pandas wrote for the index, by its metadata or, where these are lost, by the names."""
    try:
        told = json.loads((metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        told = []
    return [i for i, name in enumerate(names) if name in told or name.startswith("__index_level_")]


def _features(arrow: Any, name: str, column: Any) -> NDArray[Any]:
    """The numbers of a column: (n_samples,), or (n_samples, n) of lists."""
    plain = _plain(arrow, column)
    kind = plain.type
    _no_missing(name, plain, 1, "a value")
    n = 1
    if arrow.types.is_fixed_size_list(kind) or arrow.types.is_list(kind) or arrow.types.is_large_list(kind):
        n = _length(arrow, name, plain)
        plain = _plain(arrow, plain.flatten())
        _no_missing(name, plain, n, "numbers")
    values = _numbers(arrow, plain)
    if values is None:
        words = f"column {name!r} must hold real numbers, got {column.type}"
        raise TableError(words, how_to_leave_out(name))
    return values if plain.type == kind else values.reshape(-1, n)


def _length(arrow: Any, name: str, lists: Any) -> int:
    """The one length that all lists have."""
    lengths = arrow.compute.list_value_length(lists).to_numpy(zero_copy_only=False)
    first = int(lengths[0]) if len(lengths) else 0
    for row in np.flatnonzero(lengths != first):
        words = f"must hold {first} numbers, as row 1, got {lengths[row]}"
        raise TableError(f"column {name!r}, row {row + 1} {words}")
    if first == 0:
        raise TableError(f"column {name!r} must hold numbers, got empty lists")
    return first


def _plain(arrow: Any, column: Any) -> Any:
    """One array of plain values, of what is chunked, encoded by a dictionary or an extension type."""
    whole = column.combine_chunks() if isinstance(column, arrow.ChunkedArray) else column
    if isinstance(whole.type, arrow.BaseExtensionType):
        whole = whole.storage
    return whole.dictionary_decode() if arrow.types.is_dictionary(whole.type) else whole


def _no_missing(name: str, column: Any, n: int, wanted: str) -> None:
    """There is no null in it, which has ``n`` values a row."""
    if column.null_count:
        missing = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        words = f"must hold {wanted}, got a missing one ({len(missing)} in all)"
        raise TableError(f"column {name!r}, row {missing[0] // n + 1} {words}")


def _numbers(arrow: Any, column: Any) -> NDArray[Any] | None:
    """As NumPy has them; None for other things than real numbers."""
    if arrow.types.is_decimal(column.type):
        # By way of text to the nearest float64: Arrow's own conversion is off by a last digit now and then.
        column = column.cast(arrow.string()).cast(arrow.float64())
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values if values.dtype.kind in "fiub" else None


def _labels(arrow: Any, name: str, column: Any) -> NDArray[Any]:
    plain = _plain(arrow, column)
    _no_missing(name, plain, 1, "a label")
    values = _numbers(arrow, plain)
    if values is not None:
        return values
    if not (arrow.types.is_string(plain.type) or arrow.types.is_large_string(plain.type)):
        raise TableError(f"column {name!r} must hold labels, numbers or text, got {column.type}")
    return make_labels(plain.to_pylist(), [f"column {name!r}, row {i}" for i in range(1, len(plain) + 1)])
