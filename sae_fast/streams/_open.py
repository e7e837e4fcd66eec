"""open_source: what a Source can be made of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._public import public_in
from ..files._arrays_io import check_options, is_separator
from ..files._table import TableOptions
from ..network._checks import check_count
from ._arrays import IterableReader, SliceReader
from ._files import open_files
from ._parquet import StreamReader
from ._reader import Reader
from ._source import Source

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


@public_in("sae_fast")
def open_source(
    data: Any,
    *,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    labels: str | None = None,
    key: str | None = None,
    header: bool | None = None,
    sep: str | None = None,
    decimal: str = ".",
    ensure_all_finite: bool = True,
) -> Source:
    """Rows of files, streams and arrays in blocks: for data that do not fit in memory.

    Parameters
    ----------
    data : path, pattern, sequence of them, array or iterable of arrays
        - Files, by their endings: ``.npy``, ``.npz``, ``.parquet``, and ``.csv``, ``.tsv``, which may be compressed
          (``.csv.gz``, ``.csv.zst``). Several files follow one another, those of a pattern (``"part-*.npy"``) or of
          a folder in the order of their names. Columns with names go by them, in the order of the first file; files
          without rows are left out, unless all are.
        - An array or data frame, or any object with a length that gives rows for slices (datasets of HDF5 and Zarr).
        - What gives Arrow's batches: tables, datasets and readers of PyArrow, frames of polars, relations of DuckDB.
        - An iterable of arrays (n, n_features), asked for a new iterator by each pass; an iterator can be read once.
    batch_size : int, optional
        Rows of a block; by default some megabytes of them.
    dtype : float32 or float64, optional
        Of the blocks; by default float32 where all data are, otherwise float64.
    columns : sequence of str, optional
        The features, in this order, by name, or by number from 1 where the columns have no names; all by default.
    drop : sequence of str
        Columns to leave out.
    labels : str, optional
        The column of labels, which is no feature; ``source.labels`` has them.
    key : str
        Name of the array in an ``.npz`` file that holds several.
    header : bool, optional
        Does the first line of CSV hold names? By default the file tells, or an error asks.
    sep, decimal : str
        What is between the fields of CSV, a comma by default and a tab in ``.tsv``, and between the digits of a whole
        number and its fraction.
    ensure_all_finite : bool
        Refuse NaN and infinity, as estimators do.

    Returns
    -------
    Source

    Raises
    ------
    TypeError, ValueError
        Data of another kind; an empty table, or one of something else than real numbers; columns that are not there;
        files whose columns differ.
    OSError
        A file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, sae_fast as sf
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for i in range(3):
    ...     np.save(folder / f"part-{i}.npy", np.full((100, 8), i, np.float32))
    >>> source = sf.open_source(folder / "part-*.npy", batch_size=128)
    >>> source.n_features, source.dtype, [len(block) for block in source]
    (8, dtype('float32'), [128, 128, 44])
    """
    if batch_size is not None:
        check_count("batch_size", batch_size)
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is not None and wanted not in _FLOATS:
        raise ValueError(f"dtype must be float32, float64 or None, got {dtype!r}")
    options = TableOptions(
        key=key,
        header=header,
        sep=sep,
        decimal=decimal,
        columns=None if columns is None else _names("columns", columns),
        drop=_names("drop", drop),
        labels=None if labels is None else _names("labels", [labels])[0],
        in_python=True,
    )
    _check_marks(header, sep, decimal)
    return Source(_reader_of(data, options), batch_size=batch_size, dtype=wanted, ensure_all_finite=ensure_all_finite)


def _names(option: str, given: Any) -> list[str]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        one = "a name" if option == "labels" else "a sequence of names"
        got = given[0] if option == "labels" else given
        raise TypeError(f"{option} must be {one} (of columns without: '1', '2', ... as text), got {got!r}")
    return list(given)


def _check_marks(header: bool | None, sep: str | None, decimal: str) -> None:
    if header not in (True, False, None):
        raise ValueError(f"header must be True, False or None, got {header!r}")
    if sep is not None and not (isinstance(sep, str) and is_separator(sep)):
        raise ValueError(f"sep must be one character like ';', '|' or '\\t', got {sep!r}")
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r}")
    if decimal == "," and sep in (None, ","):
        raise ValueError("decimal=',' needs fields that no comma separates: give sep=';' or sep='\\t' too")


def as_source(data: Any) -> Source:
    """A source as it is, and one of what else there may be."""
    return data if isinstance(data, Source) else open_source(data)


def _reader_of(data: Any, options: TableOptions) -> Reader:
    if isinstance(data, (str, os.PathLike)):
        return open_files([os.fspath(data)], options)
    if isinstance(data, (list, tuple)):
        if not data:
            raise ValueError("data must hold at least one row, got nothing")
        if all(isinstance(item, (str, os.PathLike)) for item in data):
            return open_files([os.fspath(item) for item in data], options)
        if np.ndim(data[0]) == 2:
            check_options("data", "", options)
            return IterableReader(data, options)
        data = _as_table(data)
    check_options("data", "", options)
    if is_arrow(data):
        return StreamReader(data, options)
    if hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, (bytes, bytearray, dict)):
        return SliceReader(data, options)
    if isinstance(data, Iterable) and not isinstance(data, (bytes, bytearray, dict, set)):
        return IterableReader(data, options)
    raise TypeError(
        "data must be a path, an array, an object with a length that gives rows for slices, or an iterable of arrays, "
        f"got {type(data).__name__}"
    )


def _as_table(rows: Any) -> NDArray[Any]:
    try:
        return np.asarray(rows)
    except ValueError as error:  # of other lengths, in NumPy's own words
        raise ValueError(f"data must have rows of one length: {error}") from None


def is_arrow(data: Any) -> bool:
    """Does it give Arrow's batches, and is it no frame of pandas, whose columns NumPy has already?"""
    if hasattr(data, "iloc") or isinstance(data, np.ndarray):
        return False
    return hasattr(data, "__arrow_c_stream__") or (hasattr(data, "to_batches") and hasattr(data, "files"))
