"""CSV to arrays, block by block: pyarrow makes the numbers, and what it refuses is gone through field by field.

Both make the same float64 of the same text, the nearest one. pyarrow cannot tell the line of a fault, so a block that
it refuses, or that holds NaN, is read again by the csv module of the standard library. That module alone reads small
files, sooner than pyarrow is imported, and all files where pyarrow is not installed.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._csv_fault import is_missing, number, separator_hint, wanted_number
from ._csv_header import has_header, unnamed
from ._csv_records import Block, First, Record, blocks, count_lines, decoded, first_record, is_blank, raw_line, records
from ._table import TableError, TableOptions, how_to_leave_out, select

_LINES_BELOW = 1000
"""Lines that may be looked at to tell names from a sample."""
_SMALL = 1 << 20
"""So many bytes are read sooner than pyarrow is imported."""
_PIECE = 1 << 20
"""So many bytes pyarrow takes at a time: they stay in cache from one column to the next."""


class CsvPart(NamedTuple):
    """Consecutive samples; the text of their labels and the lines they stand in, if there is a column of labels.

    ``kept`` is the text of columns that are carried along.
    """

    values: NDArray[np.float64]
    labels: list[str]
    lines: Sequence[int]
    kept: tuple[list[str], ...]


class CsvReader:
    """The names of a CSV file's features, and its samples block by block.

    Parameters
    ----------
    stream : binary file
        It is read once, in order, and need not be seekable.
    sep : str
        What is between fields: one character of ASCII.
    options : TableOptions
        Header, decimal mark and columns.
    title : str
        Its name, for warnings.
    warn : bool
        Say what was taken for names and for an index; not for one who reads the same file again.

    Attributes
    ----------
    names : list of str or None
        Names of the features.
    n_features : int
    has_header : bool
    kept : list of str
        Names of the columns that are carried along, or their numbers.
    label_column : int or None
        Position of the labels.

    Raises
    ------
    TableError
        The first line that is neither names nor a sample, and why; columns that are asked for and not there.
    """

    def __init__(
        self, stream: BinaryIO, sep: str, options: TableOptions, title: str = "the file", *, warn: bool = True
    ) -> None:
        self._sep, self._decimal, self._options = sep, options.decimal, options
        self._blocks = blocks(stream, sep)
        self._blank = 0  # the line of an empty one in a file of one column: a missing value, if others follow
        first, whole, rest = self._first_record()
        self._width, self._line = len(first.fields), first.line
        self._first_line = raw_line(whole, first.line)
        self._ahead = [rest]
        try:
            below = itertools.islice(self._below(), _LINES_BELOW)
            header = has_header(first.fields, first.line, below, options, title)
        except TableError as fault:
            hint = separator_hint([self._first_line], sep, options)
            raise (TableError(fault.words, hint) if hint else fault) from None
        self._header = first.fields if header else None
        index = unnamed(first.fields) if header else 0
        chosen = select(self._header, self._width, options, range(index))
        self._features, self.label_column, self._carried = chosen.features, chosen.labels, chosen.kept
        self.n_features, self.has_header = len(chosen.features), header
        self.kept = [first.fields[i] if header else str(i + 1) for i in chosen.kept]
        self.names = [first.fields[i] for i in self._features] if header else None
        if warn and index and options.index is None and options.columns is None and "" not in options.drop:
            columns = "column 1 has no name and is" if index == 1 else f"columns 1 to {index} have no names and are"
            option = options.word("columns" if options.in_python else "index-col")
            warnings.warn(
                f"{title}: {columns} taken for an index of the rows, not for a feature ({option})", stacklevel=2
            )
        if not header:
            self._ahead[0] = whole
        self._parts = itertools.chain(self._ahead, self._blocks)
        self._read_any = False
        if header or self._width > 1:
            self._blank = 0
        self._arrow = _import_arrow() if len(whole.data) > _SMALL else None

    def parts(self) -> Iterator[CsvPart]:
        """The samples, in order; they can be gone through once."""
        for block in self._parts:
            part = self._by_arrow(block) or self._by_fields(block)
            if len(part.values):
                self._read_any = True
                yield part

    def is_empty(self) -> bool:
        """Is there nothing but names? Reads on until there is."""
        return self.has_header and next(self._below(), None) is None

    @property
    def _texts(self) -> list[int]:
        """Positions of the columns that are read as text."""
        return [*dict.fromkeys([*self._carried, *([] if self.label_column is None else [self.label_column])])]

    def _first_record(self) -> First:
        for block in self._blocks:
            found = first_record(block, self._sep)
            if found is None or found.record.line > block.line:
                self._blank = self._blank or block.line
            if found is not None:
                return found
        raise TableError("it must hold a table, got nothing")

    def _below(self) -> Iterator[list[str]]:
        """The records after the first one; blocks that are read for it are kept."""
        for block in itertools.chain(list(self._ahead), self._kept(self._blocks)):
            for record in records(block, self._sep):
                if not is_blank(record.fields):
                    yield record.fields

    def _kept(self, more: Iterator[Block]) -> Iterator[Block]:
        for block in more:
            self._ahead.append(block)
            yield block

    def _by_arrow(self, block: Block) -> CsvPart | None:
        """The samples, or None for what is not quite plain."""
        if self._arrow is None or self._blank:
            return None
        csv, names = self._arrow.csv, [str(i) for i in range(self._width)]
        kinds = {names[i]: self._arrow.float64() for i in self._features}
        for i in self._texts:
            kinds.setdefault(names[i], self._arrow.string())
        doubled = [i for i in self._texts if i in self._features]
        if doubled:
            return None  # a feature that is carried along too, as it is written
        try:
            found = csv.read_csv(
                self._arrow.py_buffer(block.data),
                read_options=csv.ReadOptions(column_names=names, block_size=max(_PIECE, 4 * len(self._first_line))),
                parse_options=csv.ParseOptions(
                    delimiter=self._sep, newlines_in_values=b'"' in block.data, ignore_empty_lines=self._width > 1
                ),
                convert_options=csv.ConvertOptions(
                    column_types=kinds, include_columns=list(kinds), null_values=[], decimal_point=self._decimal
                ),
            )
        except self._arrow.ArrowInvalid:
            return None
        values = np.empty((len(found), len(self._features)))
        for j, column in enumerate(found.columns[: len(self._features)]):
            values[:, j] = column.to_numpy()
        if np.isnan(values).any():
            return None
        texts = {i: found.column(names[i]).to_pylist() for i in self._texts}
        kept = tuple(texts[i] for i in self._carried)
        if self.label_column is None:
            return CsvPart(values, [], (), kept)
        lines = range(block.line, block.line + len(values))
        if b'"' in block.data or count_lines(block.data.rstrip(b"\r\n")) + 1 != len(lines):
            return None  # records and lines are not the same
        return CsvPart(values, texts[self.label_column], lines, kept)

    def _by_fields(self, block: Block) -> CsvPart:
        rows: list[list[float]] = []
        labels, lines = [], []
        kept: tuple[list[str], ...] = tuple([] for _ in self._carried)
        plain = self._decimal == "." and block.data.isascii() and b"_" not in block.data
        features = self._features
        for record in records(block, self._sep):
            fields = record.fields
            if is_blank(fields):
                self._blank = self._blank or (record.line if self._width == 1 else 0)
                continue
            if self._blank:
                raise TableError(wanted_number(self._blank, 1, ""))
            if len(fields) != self._width:
                words = f"line {record.line} must have {self._width} fields, as line {self._line}, got {len(fields)}"
                advice = self._separator_hint(block, record)
                if not advice and self._header and not (self._read_any or rows) and len(fields) == self._width + 1:
                    advice = "there is a name too few: that of the index?"
                raise TableError(words, advice)
            try:
                # float() takes what number() refuses: underscores, and digits of other scripts
                rows.append([float(fields[i]) if plain else number(fields[i], self._decimal) for i in features])
            except ValueError:
                if not self._options.gaps:
                    raise self._fault(block, record, not self._read_any and not rows) from None
                rows.append(self._with_gaps(block, record, not self._read_any and not rows))
            if self.label_column is not None:
                labels.append(decoded(fields[self.label_column], record.line))
                lines.append(record.line)
            for i, column in zip(self._carried, kept, strict=True):
                column.append(decoded(fields[i], record.line))
        return CsvPart(np.array(rows, dtype=np.float64).reshape(len(rows), len(features)), labels, lines, kept)

    def _with_gaps(self, block: Block, record: Record, is_first: bool) -> list[float]:
        """The features of a sample, NaN where they are missing."""
        fields = [record.fields[i] for i in self._features]
        try:
            return [math.nan if is_missing(field) else number(field, self._decimal) for field in fields]
        except ValueError:
            raise self._fault(block, record, is_first) from None

    def _fault(self, block: Block, record: Record, is_first: bool) -> TableError:
        """What the message is for the first field of a sample that is no number."""
        for i in self._features:
            try:
                number(record.fields[i], self._decimal)
            except ValueError:
                if not (self._options.gaps and is_missing(record.fields[i])):
                    break
        advice = self._separator_hint(block, record)
        if not advice and is_first and self._width > 1:
            name = str(i + 1) if self._header is None else self._header[i]
            advice = how_to_leave_out(name, self._options)
        return TableError(wanted_number(record.line, i + 1, decoded(record.fields[i], record.line)), advice)

    def _separator_hint(self, block: Block, record: Record) -> str:
        lines = [self._first_line, raw_line(block, record.line)]
        return separator_hint(lines if self._header else lines[1:], self._sep, self._options)


def _import_arrow() -> Any:
    """The package pyarrow with its CSV module, or None where it is not installed."""
    try:
        import pyarrow.csv
    except ImportError:
        return None
    return pyarrow
