"""Rows of Parquet files, and of whatever gives Arrow's streams, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..files._arrow import ArrowColumns, import_arrow
from ..files._labels import make_labels
from ..files._table import ArrayFileError, TableError, TableOptions
from ._reader import Reader, Rows, SourceError, skip
from ._spooled import File

_LARGE_GROUP, _READ_BYTES = 1 << 26, 1 << 16
"""Of row groups beyond so many bytes that much of each column is read at a time, not the whole of it."""
_MANY_COLUMNS = 16
"""From so many on small row groups are decoded whole: what a batch costs a column would be more than its numbers."""


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

    def _learn(self, first: Any, wanted: list[int]) -> None:
        """Names and dtype, from a batch with a row in it; where the schema does not tell."""
        values = self._columns.features([first.column(i) for i in wanted])
        self.names, self.n_features, self.dtype = self._columns.names, values.shape[1], values.dtype
        if not len(values):
            raise TableError(f"it must hold a table (n_samples, n_features), got shape {values.shape}")

    def _rows(self, batches: Iterable[Any], wanted: list[int], done: int = 0) -> Iterator[Rows]:
        for batch in batches:
            n = batch.num_rows
            if not n:
                continue
            columns = [batch.column(i) for i in wanted]
            labels = self._columns.labels(columns, done)
            places = range(done + 1, done + n + 1) if isinstance(labels, list) else None
            rows = Rows(self._columns.features(columns, done), labels, places, self._columns.carried(columns))
            done += n
            del batch, columns  # before the next ones are decoded, which may be as large
            yield rows
            del rows

    def make_labels(self, labels: list[Any], places: list[int]) -> Any:
        """Numbers if all texts are."""
        where = (f"column {self._columns.label!r}, row {row}" for row in places)
        return make_labels(labels, where) if places else np.array(labels)


class ParquetReader(ArrowReader):
    """The rows of a Parquet file, row group by row group."""

    ahead = True
    _buffer = 0
    _whole_groups = False

    def __init__(self, path: str, title: str, options: TableOptions) -> None:
        arrow = import_arrow(f"{title}: Parquet")
        self._file = File(path)
        self.title, self._arrow = title, arrow
        with self._reading() as file:
            schema = file.schema_arrow  # made anew whenever it is asked for
            super().__init__(title, arrow, schema, options)
            self._names, self._unique = None, len(set(schema.names)) == len(schema.names)
            in_order = self._columns.wanted == list(range(len(schema.names)))
            if self._unique and not in_order:  # names with a dot in them are told apart by the whole of their path
                self._names = [schema.names[i] for i in self._columns.wanted]
            self.n_rows = file.metadata.num_rows
            self._columns.missing = self._missing
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            largest = max((group.total_byte_size for group in groups), default=0)
            if largest > _LARGE_GROUP:
                self._buffer = _READ_BYTES
            many, rows = len(self._columns.wanted), max((group.num_rows for group in groups), default=0)
            self._whole_groups = many >= _MANY_COLUMNS and max(largest, 8 * rows * many) <= _LARGE_GROUP
            if self.n_rows and self._columns.dtype is not None:
                self.names, self.n_features = self._columns.names, len(self._columns.names)
                self.dtype = self._columns.dtype
            else:
                first = next(self._batches(file, 1, 0), None)
                self._learn(first if first is not None else file.read(), self._order)

    @property
    def _order(self) -> list[int]:
        return list(range(len(self._columns.wanted))) if self._unique else self._columns.wanted

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Batches of ``size`` rows."""
        with self._reading() as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            begin, before = 0, 0
            while begin < len(groups) and before + groups[begin] <= start:
                before += groups[begin]
                begin += 1
            yield from skip(self._rows(self._batches(file, size, begin), self._order, before), start - before)

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

    def _batches(self, file: Any, size: int, begin: int) -> Iterator[Any]:
        ordered = self._names is None
        for batch in self._decoded(file, size, range(begin, file.metadata.num_row_groups)):
            ordered = ordered or batch.schema.names == self._names  # which takes a while where they are many
            yield batch if ordered else batch.select(self._names)
            del batch

    def _decoded(self, file: Any, size: int, groups: Sequence[int]) -> Iterator[Any]:
        if not self._whole_groups:
            yield from file.iter_batches(size, row_groups=list(groups), columns=self._names)
            return
        for i in groups:
            yield from file.read_row_group(i, self._names).to_batches()

    def _reading(self) -> Any:
        return _Reading(self._arrow, self._file.path, self.title, self._buffer)


class _Reading:
    """An open Parquet file; what is wrong with it is told with its title."""

    def __init__(self, arrow: Any, path: str, title: str, buffer: int) -> None:
        self._arrow, self._path, self._title, self._buffer = arrow, path, title, buffer

    def __enter__(self) -> Any:
        try:
            self._file = self._arrow.parquet.ParquetFile(self._path, buffer_size=self._buffer, pre_buffer=False)
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
        self._learn(head[-1], self._columns.wanted)
        self._begun = self._chained(head, batches) if self.once else None
        if isinstance(data, arrow.Table):
            self.n_rows = data.num_rows

    @staticmethod
    def _chained(head: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
        yield from head
        yield from rest

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Batches as they come."""
        if not self.once:
            batches = self._batches(self._arrow)[1]
        elif self._begun is None:
            raise SourceError(
                f"{self.title} is a stream, which gives its rows once: give the table, or the files, that it comes from"
            )
        else:
            batches, self._begun = self._begun, None
        yield from skip(self._rows(batches, self._columns.wanted), start)

    def _stream(self, arrow: Any) -> tuple[Any, Iterator[Any]]:
        reader = arrow.RecordBatchReader.from_stream(self._data)
        return reader.schema, iter(reader)

    def _dataset(self, arrow: Any) -> tuple[Any, Iterator[Any]]:
        batches: Callable[[], Iterator[Any]] = self._data.to_batches
        return self._data.schema, iter(batches())
