"""What reads rows in order, from anything: the base of all readers, and several of them as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files._table import ArrayFileError, Table, names_in_words

_WHOLE = 1 << 14


class SourceError(ArrayFileError):
    """What a source gives is no table of numbers, or not the one that it gave before."""


class Rows(NamedTuple):
    """Consecutive rows, as they were read.

    ``values`` (n, n_features) are of any real dtype and strides; ``labels`` is one of each row; ``places`` tells where
    they stand, for messages; ``kept`` holds columns that are no features, lists or arrays of n entries.
    """

    values: NDArray[Any]
    labels: Sequence[Any] | NDArray[Any] | None = None
    places: Sequence[int] | None = None
    kept: tuple[Any, ...] = ()


class Reader(ABC):
    """Rows in an order that is fixed.

    Attributes
    ----------
    title : str
        What messages call it.
    n_features : int
    dtype : numpy.dtype
        Of the values; that of all files together.
    names : list of str or None
        Names of the features.
    columns : list of str or None
        Names of the columns that the features are read from: of lists there are fewer than features.
    n_rows : int or None
        None where only reading tells; 0 only of one among several.
    once : bool
        It can be read once, as a pipe.
    ahead : bool
        Another thread may read it, ahead of the one that computes.
    has_labels : bool
    kept : list of str
        Names of the columns that are carried along.
    """

    title = "the source"
    n_features: int
    dtype: np.dtype[Any]
    names: list[str] | None = None
    columns: list[str] | None = None
    n_rows: int | None = None
    once = False
    ahead = False
    has_labels = False
    kept: Sequence[str] = ()

    @abstractmethod
    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """The rows from number ``start`` on, in pieces of some ``size`` rows; each call reads anew."""

    def mark(self) -> object | None:
        """Another value when the data have been changed; None where only looking at the rows tells."""
        return None

    def head(self) -> Table:
        """The table without its rows: what columns it has."""
        return Table(np.empty((0, self.n_features), self.dtype), self.names)

    def whole(self) -> Table:
        """All rows in one array, of the dtype that they have."""
        pieces = list(self.rows(_WHOLE)) if self.n_rows is None else []
        n = self.n_rows if self.n_rows is not None else sum(len(piece.values) for piece in pieces)
        values = pieces[0].values if len(pieces) == 1 else np.empty((n, self.n_features), self.dtype)
        labels: list[Any] = []
        places: list[int] = []
        done = 0
        for piece in pieces or self.rows(_WHOLE):
            if values is not piece.values:
                values[done : done + len(piece.values)] = piece.values
            done += len(piece.values)
            labels.extend(() if piece.labels is None else piece.labels)
            places.extend(piece.places or ())
        if done != n:
            raise SourceError(f"{self.title} must give {n} rows, got {done}")
        return Table(values, self.names, self.make_labels(labels, places) if self.has_labels else None)

    def make_labels(self, labels: list[Any], places: list[int]) -> NDArray[Any]:
        """One array of all labels that the pieces held, and of the places where they stand."""
        return np.array(labels)


def skip(pieces: Iterator[Rows], n: int) -> Iterator[Rows]:
    """The pieces without the first ``n`` rows."""
    for piece in pieces:
        count = len(piece.values)
        if n >= count:
            n -= count
        elif n == 0:
            yield piece
        else:
            yield part_of(piece, n, count)
            n = 0


def part_of(rows: Rows, start: int, stop: int) -> Rows:
    """Rows ``start`` to ``stop`` of them."""
    if start == 0 and stop == len(rows.values):
        return rows
    cut = slice(start, stop)
    labels = None if rows.labels is None else rows.labels[cut]
    places = None if rows.places is None else rows.places[cut]
    return Rows(rows.values[cut], labels, places, tuple(column[cut] for column in rows.kept))


class Chain(Reader):
    """Several readers as one, the rows of one after those of another; those without rows add nothing.

    Raises
    ------
    SourceError
        One has other columns than the first; none has a row.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers
        filled = [reader for reader in readers if reader.n_rows != 0]
        if not filled:
            several = f"{readers[0].title} and {len(readers) - 1} more"
            raise SourceError(f"{several} must hold at least one row, got none in any of them")
        first = filled[0]
        for reader in filled[1:]:
            check_same_columns(first, reader)
        self.title = first.title if len(readers) == 1 else f"{first.title} and {len(readers) - 1} more"
        self.n_features, self.has_labels, self.kept = first.n_features, first.has_labels, first.kept
        self.dtype = np.result_type(*(reader.dtype for reader in filled))
        self.names = next((reader.names for reader in filled if reader.names is not None), None)
        counts = [reader.n_rows for reader in readers]
        self.n_rows = None if None in counts else sum(n for n in counts if n is not None)
        self.once = any(reader.once for reader in readers)
        self.ahead = all(reader.ahead for reader in readers)

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """The rows of the first reader, then those of the next."""
        for reader in self._readers:
            if reader.n_rows is not None and start >= reader.n_rows:
                start -= reader.n_rows
            elif reader.n_rows is not None or not start:
                yield from reader.rows(size, start)
                start = 0
            else:
                for piece in reader.rows(size):
                    cut = min(start, len(piece.values))
                    start -= cut
                    if cut < len(piece.values):
                        yield part_of(piece, cut, len(piece.values))

    def make_labels(self, labels: list[Any], places: list[int]) -> NDArray[Any]:
        """As the first reader makes them."""
        return self._readers[0].make_labels(labels, places)

    def mark(self) -> object | None:
        """Those of all readers."""
        marks = [reader.mark() for reader in self._readers]
        return None if None in marks else tuple(marks)


def check_same_columns(first: Reader, other: Reader) -> None:
    """The other one has the first one's columns, by name and order."""
    if first.names is not None and other.names is not None and first.names != other.names:
        differ = difference(first.names, other.names)
        raise SourceError(f"{other.title} must have the columns of {first.title}: {differ}")
    if first.n_features != other.n_features:
        wanted = f"{first.n_features} columns, as {first.title}"
        raise SourceError(f"{other.title} must have {wanted}, got {other.n_features}")


def rows_of(start: int, stop: int, title: str) -> str:
    """What messages call some rows, counted as in a slice.

    Examples
    --------
    >>> rows_of(0, 3, "the source")
    'rows 0 to 2 (counted from 0) of the source'
    """
    return f"rows {start} to {stop - 1} (counted from 0) of {title}"


def difference(wanted: Sequence[str], got: Sequence[str]) -> str:
    """What tells lists of names apart, for a message.

    Examples
    --------
    >>> difference(["a", "b"], ["b", "c"]), difference(["a", "a", "b"], ["a", "b", "a"])
    ("missing 'a'; more 'c'", "wanted 'a' as column 2, got 'b'")
    """
    words = []
    for what, names, others in (("missing", wanted, set(got)), ("more", got, set(wanted))):
        if differ := [name for name in names if name not in others]:
            words.append(f"{what} {names_in_words(differ, len(differ))}")
    if words:
        return "; ".join(words)
    pairs = enumerate(zip_longest(map(repr, wanted), map(repr, got), fillvalue="none"), 1)
    return next(f"wanted {a} as column {i}, got {b}" for i, (a, b) in pairs if a != b)
