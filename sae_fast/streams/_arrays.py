"""Rows of what is in memory, or behind an object of somebody else's: arrays, frames, slices, iterables of arrays."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._table import AS_IT_IS, TableOptions, select
from ..network._rows import check_dense, column_names, real_rows
from ._reader import Reader, Rows, SourceError, difference, part_of, rows_of


def check_table(values: NDArray[Any], what: str) -> None:
    """It has two dimensions, and at least one feature."""
    if values.ndim != 2 or values.shape[1] == 0:
        raise SourceError(f"{what} must have shape (n_samples, n_features), got {values.shape}")


class SliceReader(Reader):
    """What has a length and gives rows for slices: arrays, data frames, datasets of HDF5 and Zarr."""

    def __init__(self, X: Any, options: TableOptions = AS_IT_IS) -> None:
        check_dense(X, self.title)
        if getattr(X, "shape", None) == ():
            check_table(np.asarray(X), self.title)
        self.n_rows = len(X)
        if self.n_rows == 0:
            raise SourceError(f"{self.title} must have at least one row, got none")
        self._choose = Columns(_part(X, 0, 1), options)
        self._X = X
        first = self._slice(0, 1).values
        self.n_features, self.names, self.has_labels = first.shape[1], self._choose.names, self._choose.has_labels
        self.dtype = first.dtype

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Slices, in order."""
        n = len(self._X)
        if n != self.n_rows:
            raise SourceError(f"{self.title} must give the same rows in every pass: it had {self.n_rows} rows, now {n}")
        for i in range(start, n, size):
            stop = min(i + size, n)
            rows = self._slice(i, stop)
            if rows.values.shape != (stop - i, self.n_features):
                wanted = f"shape ({stop - i}, {self.n_features}), got {rows.values.shape}"
                raise SourceError(f"{rows_of(i, stop, self.title)} must have {wanted}")
            yield rows

    def _slice(self, start: int, stop: int) -> Rows:
        return self._choose(_part(self._X, start, stop), rows_of(start, stop, self.title))


class IterableReader(Reader):
    """Arrays of rows out of an iterable; an iterator, which is its own, can be read once.

    Whoever made it may want it to be used in one thread, as databases do: nothing is read ahead.
    """

    def __init__(self, arrays: Iterable[Any], options: TableOptions = AS_IT_IS) -> None:
        self._arrays = arrays
        iterator = iter(arrays)
        self.once = iterator is arrays
        self._begun: Iterator[Any] | None = None
        for item in iterator:
            _check_item(item, self.title)
            if len(item):
                break
        else:
            raise SourceError(f"{self.title} must give at least one row, got none")
        self._choose = Columns(item, options)
        first = self._choose(item, self.title).values
        self.n_features, self.names, self.has_labels = first.shape[1], self._choose.names, self._choose.has_labels
        self.dtype = first.dtype
        if self.once:
            self._begun = itertools.chain([item], iterator)

    def rows(self, size: int, start: int = 0) -> Iterator[Rows]:
        """Each array as it comes; empty ones are left out."""
        done = 0
        if self.once:
            arrays, self._begun = self._begun, None
            if arrays is None:
                raise SourceError(
                    f"{self.title} is an iterator, which gives its rows once: make it of a list, or of an object whose "
                    "__iter__ begins anew"
                )
        else:
            arrays = iter(self._arrays)
        for item in arrays:
            _check_item(item, self.title)
            n = len(item)
            if not n:
                continue
            where = rows_of(done, done + n, self.title)
            rows = self._choose(item, where)
            if rows.values.shape[1] != self.n_features:
                wanted = f"{self.n_features} columns, as the first ones, got {rows.values.shape[1]}"
                raise SourceError(f"{where} must have {wanted}")
            if done + n > start:
                yield part_of(rows, max(0, start - done), n)
            done += n


def _check_item(item: Any, title: str) -> None:
    if isinstance(item, (str, os.PathLike)):
        raise TypeError(f"{title} must give arrays of rows, got {item!r}: paths go into a list")
    if isinstance(item, (bytes, dict)) or not hasattr(item, "__len__"):
        raise TypeError(f"{title} must give arrays of rows, got {type(item).__name__}")


def _names_of(item: Any) -> list[str] | None:
    """Names of the columns, of Arrow's tables and batches too, whose ``columns`` are arrays."""
    schema = getattr(item, "schema", None)
    if hasattr(item, "select") and isinstance(names := getattr(schema, "names", None), list):
        return list(names)
    return column_names(item)


def _choose(item: Any, names: list[str]) -> Any:
    return item[names] if hasattr(item, "iloc") else item.select(names)


def _part(X: Any, start: int, stop: int) -> Any:
    return X.iloc[start:stop] if hasattr(X, "iloc") else X[start:stop]


class Columns:
    """Features and labels out of arrays or data frames that are like the first one.

    Attributes
    ----------
    names : list of str or None
        Of the features.
    has_labels : bool
    """

    def __init__(self, first: Any, options: TableOptions) -> None:
        self._all = _names_of(first)
        self.names, self._features, self._labels = self._all, None, None
        if options.columns is not None or options.drop or options.labels is not None:
            n = np.shape(first)[1] if np.ndim(first) == 2 else 0
            chosen = select(self._all, n, options)
            self._features, self._labels = chosen.features, chosen.labels
            self.names = None if self._all is None else [self._all[i] for i in chosen.features]
        self.has_labels = self._labels is not None

    def __call__(self, item: Any, where: str) -> Rows:
        """The rows of an array or data frame."""
        if self._all is not None and (names := _names_of(item)) is not None and names != self._all:
            if sorted(names) != sorted(set(self._all)):
                raise SourceError(f"{where} must have the columns of the first ones: {difference(self._all, names)}")
            item = _choose(item, self._all)
        if self._features is None:
            values = real_rows(item, where)
            check_table(values, where)
            return Rows(values)
        if self._all is None:
            values = real_rows(item, where)
            check_table(values, where)
            labels = None if self._labels is None else values[:, self._labels]
            return Rows(values[:, self._features], labels)
        values = real_rows(_choose(item, [self._all[i] for i in self._features]), where)
        return Rows(values, None if self._labels is None else np.asarray(item[self._all[self._labels]]))
