"""Rows of Parquet files, and of whatever gives Arrow's streams, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..files._arrow import ArrowColumns, import_arrow, together
from ..files._labels import make_labels
from ..files._table import ArrayFileError, TableOptions
from ._reader import Reader, Rows, SourceError
from ._spooled import File

_LARGE_GROUP, _READ_BYTES = 1 << 26, 1 << 16
"""Of row groups beyond so many bytes that much of each column is read at a time, not the whole of it."""
_MANY_COLUMNS, _WHOLE_GROUP, _PAGE_BYTES, _COLUMNS_AT_ONCE = 16, 1 << 26, 1 << 20, 128
"""From so many columns on row groups of so many bytes, or so many a column, are decoded whole, so many columns at a
time. Row by row the page and the dictionary of each column would be in memory, which are more."""


class ArrowReader(Reader):
    """Rows of record batches.

    Parameters
    ----------
    title : str
    schema : pyarrow.Schema
    options : TableOptions
    """

    def __init__(self, title: str, arrow: Any, schema: Any, options: TableOptions) -> None:
        self.title, self._arrow = title, arrow
        self._columns = ArrowColumns(arrow, schema, options)
        self.has_labels, self.kept = self._columns.label is not None, self._columns.kept

    def _learn(self, first: Sequence[Any]) -> None:
        """Names and dtype, from columns with a row in them; where the schema does not tell."""
        blocks = self._columns.features(first)
        values = together(blocks, 0, 1)
        self.names, self.n_features, self.dtype = self._columns.names, values.shape[1], values.dtype

    def _rows(self, batches: Iterator[list[Any]], size: int, start: int, done: int = 0) -> Iterator[Rows]:
        """The rows from ``start`` on, ``done`` of which were before the columns of the first batch.

        Those of large batches come in pieces that are blocks of ``size`` rows: of what has been decoded no copy is made
        but that of a block.
        """
        for columns in batches:
            n = len(columns[0])
            if not n:
                continue
            labels, kept = self._columns.labels(columns, done), self._columns.carried(columns)
            places = range(done, done + n) if isinstance(labels, list) else None
            blocks = self._columns.features(columns, done)
            del columns
            i = max(0, start - done)
            while i < n:
                cut = slice(i, min(n, i + size - (done + i - start) % size))
                yield Rows(
                    together(blocks, cut.start, cut.stop),
                    None if labels is None else labels[cut],
                    None if places is None else places[cut],
                    tuple(column[cut] for column in kept),
                )
                i = cut.stop
            done += n
            del blocks, labels, kept  # before the next ones are decoded, which may be as large

    def make_labels(self, labels: list[Any], places: list[int]) -> Any:
        """Numbers if all texts are."""
        where = (f"column {self._columns.label!r}, row {row} (counted from 0)" for row in places)
        return make_labels(labels, where) if places else np.array(labels)


class ParquetReader(ArrowReader):
    """The rows of a Parquet file, row group by row group."""

    ahead = True
    _buffer = 0
    _whole_groups = False
    _about: Any = None

    def __init__(self, path: str, title: str, options: TableOptions, alone: bool = False) -> None:
        arrow = import_arrow(f"{title}: Parquet")
        self._file = File(path)
        self.title, self._arrow = title, arrow
        with self._reading() as file:
            about, schema = file.metadata, file.schema_arrow  # made anew whenever they are asked for
            super().__init__(title, arrow, schema, options)
            names, wanted = schema.names, self._columns.wanted
            self._names = [names[i] for i in wanted] if len(set(names)) == len(names) else None
            self._all = wanted == list(range(len(names)))
            self.n_rows = about.num_rows
            self._columns.missing = self._missing
            groups = [about.row_group(i) for i in range(about.num_row_groups)]
            self._group_rows = [group.num_rows for group in groups]
            largest = max((group.total_byte_size for group in groups), default=0)
            decoded = max(self._group_rows, default=0) * self._columns.row_bytes
            if not self._columns.is_plain:
                decoded = max(decoded, largest)
            enough = max(_WHOLE_GROUP, _PAGE_BYTES * len(wanted))
            self._whole_groups = len(wanted) >= _MANY_COLUMNS and decoded <= enough
            if largest > _LARGE_GROUP and not self._whole_groups:
                self._buffer = _READ_BYTES
            if alone:
                self._about = about
            self.columns = self._columns.features_of
            if self._columns.dtype is not None or not self.n_rows:
                self.names = self._columns.names or self.columns
                self.n_features, self.dtype = len(self.names), self._columns.dtype or np.dtype(np.float64)
            else:
                self._learn(next(columns for columns in self._batches(file, 1, 0) if len(columns[0])))

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Those of a row group, or of a part of it, in pieces of ``size`` rows."""
        begin, before = 0, 0
        while begin < len(self._group_rows) and before + self._group_rows[begin] <= start:
            before += self._group_rows[begin]
            begin += 1
        with self._reading() as file:
            yield from self._rows(self._batches(file, size, begin), size, start, before)

    def mark(self) -> object:
        """What the system says of the file."""
        return self._file.mark()

    def _missing(self, name: str) -> int | None:
        """Nulls of a column in the whole file, if its statistics tell."""
        with self._reading() as file:
            about = file.metadata
            groups = [about.row_group(i) for i in range(about.num_row_groups)]
        columns = [
            [c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == name] for group in groups
        ]
        told = [c.statistics.null_count for (c, *_) in columns if c.statistics is not None] if all(columns) else []
        return sum(told) if told and len(told) == len(groups) else None

    def _batches(self, file: Any, size: int, begin: int) -> Iterator[list[Any]]:
        groups = range(begin, len(self._group_rows))
        if self._whole_groups:
            for i in groups:
                yield self._group(file, i)
            return
        for batch in file.iter_batches(size, row_groups=list(groups), columns=None if self._all else self._names):
            yield self._in_order(batch)
            del batch

    def _group(self, file: Any, i: int) -> list[Any]:
        """The columns of a row group, some at a time: what is read of them is in memory until all are decoded."""
        if self._names is None:
            return self._in_order(file.read_row_group(i))
        found: list[Any] = []
        for j in range(0, len(self._names), _COLUMNS_AT_ONCE):
            names = self._names[j : j + _COLUMNS_AT_ONCE]
            found += self._in_order(file.read_row_group(i, names), names)
        return found

    def _in_order(self, table: Any, names: Sequence[str] | None = None) -> list[Any]:
        """The columns that are wanted, or those named, of a table or batch that has them in the order of the file."""
        names = names or self._names
        if names is not None and not (self._all and table.num_columns == len(names)) and table.schema.names != names:
            table = table.select(names)
        if isinstance(table, self._arrow.RecordBatch):
            columns = table.columns
        else:
            columns = [column.chunk(0) for column in table.combine_chunks().columns]
        return columns if names is not None else [columns[i] for i in self._columns.wanted]

    def _reading(self) -> Any:
        return _Reading(self._arrow, self._file.path, self.title, self._buffer, self._about)


class _Reading:
    """An open Parquet file; what is wrong with it is told with its title."""

    def __init__(self, arrow: Any, path: str, title: str, buffer: int, about: Any) -> None:
        self._arrow, self._path, self._title = arrow, path, title
        self._options = {"buffer_size": buffer, "metadata": about, "pre_buffer": False}

    def __enter__(self) -> Any:
        try:
            self._file = self._arrow.parquet.ParquetFile(self._path, **self._options)
        except BaseException as error:
            self._tell(error)
            raise
        return self._file

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._file.close()
        if error is not None:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        if not isinstance(error, (self._arrow.ArrowException, UnicodeDecodeError, OSError)):
            return
        if isinstance(error, OSError) and error.errno is not None:
            return
        first = (str(error).splitlines() or ["?"])[0]
        raise ArrayFileError(f"{self._title} is damaged or not a Parquet file: {first}") from error


class StreamReader(ArrowReader):
    """The rows of an object with ``__arrow_c_stream__``, or of a dataset of pyarrow's.

    A table gives a stream of its rows each time; a reader of batches gives its own, once.
    """

    def __init__(self, data: Any, options: TableOptions) -> None:
        arrow = import_arrow("a stream of Arrow's")
        self._data = data
        self._batches = self._dataset if hasattr(data, "to_batches") and hasattr(data, "files") else self._stream
        self.once = isinstance(data, arrow.RecordBatchReader)
        schema, batches = self._batches(arrow)
        super().__init__(self.title, arrow, schema, options)
        head = []
        for batch in batches:
            head.append(batch)
            if batch.num_rows:
                break
        else:
            raise SourceError(f"{self.title} must give at least one row, got none")
        self._learn(self._wanted(head[-1].slice(0, 1)))
        self._begun = self._chained(head, batches) if self.once else None
        if isinstance(data, arrow.Table):
            self.n_rows = data.num_rows

    @staticmethod
    def _chained(head: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
        yield from head
        yield from rest

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Batches as they come, or parts of them."""
        if not self.once:
            batches = self._batches(self._arrow)[1]
        elif self._begun is None:
            raise SourceError(
                f"{self.title} is a stream, which gives its rows once: give the table, or the files, that it comes from"
            )
        else:
            batches, self._begun = self._begun, None
        yield from self._rows(map(self._wanted, batches), size, start)

    def _wanted(self, batch: Any) -> list[Any]:
        return [batch.column(i) for i in self._columns.wanted]

    def _stream(self, arrow: Any) -> tuple[Any, Iterator[Any]]:
        reader = arrow.RecordBatchReader.from_stream(self._data)
        return reader.schema, iter(reader)

    def _dataset(self, arrow: Any) -> tuple[Any, Iterator[Any]]:
        batches: Callable[[], Iterator[Any]] = self._data.to_batches
        return self._data.schema, iter(batches())
