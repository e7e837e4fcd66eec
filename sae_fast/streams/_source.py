"""Source: blocks of rows, the same ones in every pass."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._types import FloatArray
from ._ahead import read_ahead
from ._reader import Reader, Rows, SourceError, rows_of

_BLOCK_BYTES = 1 << 24
_STRIP = 64


@public_in("sae_fast")
class Source:
    """Rows in blocks, in bounded memory, as often as they are asked for; :func:`open_source` makes one.

    ``len(source)`` is the number of its rows: known from the file where that tells, otherwise by reading it once.
    ``iter(source)`` begins a pass. It gives C-contiguous arrays of ``batch_size`` rows each, and the last of what is
    left; every pass gives the same ones. Files are read ahead by one thread, so that reading overlaps what is done with
    the blocks.

    Attributes
    ----------
    n_features : int
        Columns of a block.
    dtype : numpy.dtype
        float32 or float64.
    batch_size : int
        Rows of a block.
    feature_names : tuple of str or None
        Names of the columns, where the data have any.
    once : bool
        It can be read in one pass alone, as a pipe or an iterator can.

    Raises
    ------
    ValueError
        While it is read: NaN or an infinite value, unless they are allowed; another width, or a dtype that would lose
        digits, in a later part; other rows than in the first pass, fewer or more; a second pass where there is but one.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> source = sf.open_source([np.zeros((3, 2)), np.ones((2, 2))], batch_size=4)
    >>> len(source), [block.shape for block in source]
    (5, [(4, 2), (1, 2)])
    """

    def __init__(
        self,
        reader: Reader,
        *,
        batch_size: int | None = None,
        dtype: np.dtype[Any] | None = None,
        ensure_all_finite: bool = True,
    ) -> None:
        self._reader = reader
        self._wanted = dtype
        self._finite = ensure_all_finite
        self.n_features = reader.n_features
        self.dtype = dtype or (reader.dtype if reader.dtype == np.float32 else np.dtype(np.float64))
        self.batch_size = batch_size or default_rows(self.n_features)
        self.feature_names = None if reader.names is None else tuple(reader.names)
        self._n_rows = reader.n_rows
        self._marks: list[int] = []  # of each block, as the first pass saw it
        self._mark = reader.mark()
        self._labels: NDArray[Any] | None = None

    @property
    def once(self) -> bool:
        """It can be read in one pass alone."""
        return self._reader.once

    def __len__(self) -> int:
        if self._n_rows is None:
            if self.once:
                raise TypeError(f"{self._reader.title} can be read once, and its number of rows is known afterwards")
            for _ in self.passing():
                pass
        assert self._n_rows is not None
        return self._n_rows

    def __iter__(self) -> Iterator[FloatArray]:
        for rows in self.passing():
            yield rows.values

    def __repr__(self) -> str:
        n = "?" if self._n_rows is None else self._n_rows
        return f"Source({self._reader.title}, {n} x {self.n_features}, {self.dtype}, batch_size={self.batch_size})"

    @property
    def labels(self) -> NDArray[Any] | None:
        """One label for each row, of the column that ``labels=`` names; None without one. The first look reads all."""
        if self._labels is None and self._reader.has_labels:
            for _ in self._checked(0, labelled=True):
                pass
        return self._labels

    def passing(self, start: int = 0) -> Generator[Rows]:
        """One pass over the blocks, from row ``start`` on, with what goes along with them."""
        blocks = self._checked(start, labelled=self.once)
        return read_ahead(blocks) if self._reader.ahead else blocks

    def _checked(self, start: int, *, labelled: bool) -> Generator[Rows]:
        self._check_mark()
        labels: list[Any] = []
        places: list[int] = []
        done = start
        for rows in in_blocks(self._cast(start), self.batch_size, self.dtype):
            if self._finite:
                check_finite(rows.values, self.feature_names, self._reader.title, done)
            if len(rows.values) < self.batch_size:  # the last one
                self._check_count(done + len(rows.values))
            self._check_same(rows.values, done)
            if labelled and rows.labels is not None:
                labels.extend(rows.labels)
                places.extend(rows.places or ())
            done += len(rows.values)
            yield rows
        self._check_mark()
        self._check_count(done)
        self._n_rows = done
        if self._reader.has_labels and labelled:
            self._labels = self._reader.make_labels(labels, places)

    def _check_count(self, done: int) -> None:
        """So many rows in all are those that are known of."""
        if done != (self._n_rows if self._n_rows is not None else done):
            whose = "it says itself" if self._reader.n_rows is not None else "in the first pass"
            raise SourceError(f"{self._reader.title} must give {self._n_rows} rows, as {whose}, got {done}")

    def _cast(self, start: int) -> Iterator[Rows]:
        done = start
        for rows in self._reader.rows(self.batch_size, start):
            got = rows.values.dtype
            if self._wanted is None and self.dtype == np.float32 and not np.can_cast(got, np.float32):
                raise SourceError(
                    f"row {done} (counted from 0) of {self._reader.title} and those that follow must have dtype "
                    f"float32, as the first ones, got {got} (dtype= decides for all)"
                )
            done += len(rows.values)
            yield rows

    def _check_mark(self) -> None:
        if self._reader.mark() != self._mark:
            raise SourceError(f"{self._reader.title} has been changed since it was opened")

    def _check_same(self, values: FloatArray, done: int) -> None:
        """The block is that of the first pass, unless what it is read from is known not to have been changed."""
        if self._mark is not None or self.once:
            return
        i, rest = divmod(done, self.batch_size)
        if rest:
            return
        mark = mark_of(values)
        if i == len(self._marks):
            self._marks.append(mark)
        elif i < len(self._marks) and self._marks[i] != mark:
            rows = rows_of(done, done + len(values), self._reader.title)
            raise SourceError(f"{rows} must be the same in every pass, and are not those of the first one")


def default_rows(n_features: int) -> int:
    """Rows of a block that are some megabytes, whole strips where they are many."""
    rows = max(1, _BLOCK_BYTES // (8 * n_features))
    return rows - rows % _STRIP if rows > _STRIP else rows


def mark_of(values: FloatArray) -> int:
    """A checksum that values and rows cannot change, nor change places, without changing it (columns together could).

    Of the sums over each row and each column of the bits, at the speed of memory.
    """
    bits = values.view(np.uint32 if values.shape[1] * values.itemsize % 8 else np.uint64)
    sums = np.add.reduce(bits, axis=1, dtype=bits.dtype), np.add.reduce(bits, axis=0, dtype=bits.dtype)
    return zlib.crc32(sums[1], zlib.crc32(sums[0]))


def in_blocks(pieces: Iterator[Rows], size: int, dtype: np.dtype[Any]) -> Iterator[Rows]:
    """The pieces cut and put together to blocks of ``size`` rows, the last one of what is left.

    A piece that is a block already is handed on as it is; others are copied once.
    """
    block: NDArray[Any] | None = None
    others: list[Rows] = []
    filled = 0
    for piece in pieces:
        n, start = len(piece.values), 0
        while start < n:
            stop = min(n, start + size - filled)
            part = piece.values[start:stop]
            others.append(Rows(part[:0], *_cut(piece, start, stop)))
            if not filled and stop - start == size:
                block = _as_floats(part, dtype)
            else:
                if block is None:
                    block = np.empty((size, part.shape[1]), dtype)
                with np.errstate(over="ignore"):  # an infinite value, which is told as such
                    block[filled : filled + stop - start] = part
            filled += stop - start
            start = stop
            if filled == size:
                assert block is not None
                yield _together(block, others)
                block, others, filled = None, [], 0
    if block is not None:
        yield _together(block[:filled], others)


def _cut(rows: Rows, start: int, stop: int) -> tuple[Any, ...]:
    cut = slice(start, stop)
    return (
        None if rows.labels is None else rows.labels[cut],
        None if rows.places is None else rows.places[cut],
        tuple(column[cut] for column in rows.kept),
    )


def _as_floats(values: NDArray[Any], dtype: np.dtype[Any]) -> FloatArray:
    with np.errstate(over="ignore"):
        found: FloatArray = np.ascontiguousarray(values, dtype)
    return found


def _together(values: NDArray[Any], parts: list[Rows]) -> Rows:
    """A block with the labels and kept columns of its parts."""
    first = parts[0]
    if len(parts) == 1:
        return first._replace(values=values)
    labels = None if first.labels is None else _joined([part.labels for part in parts])
    places = None if first.places is None else _joined([part.places for part in parts])
    kept = tuple(_joined(list(columns)) for columns in zip(*(part.kept for part in parts), strict=True))
    return Rows(values, labels, places, kept)


def _joined(columns: list[Any]) -> Any:
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    if isinstance(columns[0], (list, range)):
        return [entry for column in columns for entry in column]
    import pyarrow

    return pyarrow.chunked_array([chunk for column in columns for chunk in getattr(column, "chunks", [column])])


def check_finite(values: NDArray[Any], names: Sequence[str] | None, title: str, first: int = 0) -> None:
    """Every value is a finite number; the first one that is not is told with its row, ``first`` and more."""
    if values.dtype.kind != "f":
        return
    for i in range(0, len(values), 4096):
        finite = np.isfinite(values[i : i + 4096])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            what = "NaN" if np.isnan(values[i + row, column]) else "an infinite value"
            place = f"row {first + i + row}, column {column if names is None else repr(names[column])}"
            raise SourceError(f"{title} contains {what}: {place} (counted from 0)")
