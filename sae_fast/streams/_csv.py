"""Rows of CSV files and pipes, block by block, as ``files/_csv_read.py`` makes numbers of them."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..files._arrays_io import STREAM, open_text, separator
from ..files._csv_read import CsvReader
from ..files._labels import make_labels
from ..files._table import TableError, TableOptions
from ._reader import Reader, Rows, SourceError, skip
from ._spooled import File


class CsvRows(Reader):
    """The rows of a CSV file, which is read anew by each pass; what stdin or a pipe bring is read once."""

    dtype = np.dtype(np.float64)

    def __init__(self, path: str, title: str, kind: str, options: TableOptions) -> None:
        self.title, self._path, self._kind, self._options = title, path, kind, options
        self.once = path == STREAM or not os.path.isfile(path)
        self.ahead = not self.once
        with contextlib.ExitStack() as stack:
            head = self._open(stack, warn=True)
            self.names, self.n_features, self.kept = head.names, head.n_features, head.kept
            self.columns = self.names
            if not self.once and head.is_empty():
                self.n_rows = 0
            self.has_labels = head.label_column is not None
            self._label_column = head.label_column
            self._options = replace(options, header=head.has_header)
            if self.once:
                self._begun: tuple[CsvReader, contextlib.ExitStack] | None = head, stack.pop_all()
                weakref.finalize(self, self._begun[1].close)

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Those of a block of the file each."""
        with contextlib.ExitStack() as stack:
            if not self.once:
                reader = self._open(stack, warn=False)
            elif self._begun is None:
                raise SourceError(f"{self.title} is a pipe, which gives its rows once: write them to a file first")
            else:
                (reader, begun), self._begun = self._begun, None
                stack.callback(begun.close)
            read_any = False
            for piece in skip(self._pieces(reader), start):
                read_any = True
                yield piece
            if not read_any and not start:
                raise TableError("it must hold at least one row under its header, got none")

    def mark(self) -> object | None:
        """What the system says of a file."""
        return None if self.once else File(self._path).mark()

    def make_labels(self, labels: list[Any], places: list[int]) -> Any:
        """Numbers if all texts are."""
        column = (self._label_column or 0) + 1
        return make_labels(labels, (f"line {line}, column {column}" for line in places), self._options.decimal)

    def _open(self, stack: contextlib.ExitStack, warn: bool) -> CsvReader:
        stream = stack.enter_context(open_text(self._path, self._kind))
        return CsvReader(stream, separator(self._kind, self._options), self._options, self.title, warn=warn)

    def _pieces(self, reader: CsvReader) -> Iterator[Rows]:
        for part in reader.parts():
            labels = part.labels if self.has_labels else None
            yield Rows(part.values, labels, part.lines if self.has_labels else None, part.kept)
