"""Samples out of a source, as a network that is trained sees them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network._checks import check_sample_weight, how_to_open
from ..network._scale import Extent, Scale, Spread, extent_of, spread_of
from ..network._types import FloatArray
from ..streams._open import as_source
from ..streams._reader import Rows
from ..streams._source import Source, in_blocks
from ..streams._spool import spooled
from ._held_out import Weight

_ONCE = (
    "X is an iterator, which gives its rows once, and fit takes many passes over them: give what begins anew (a Source "
    "of files or of a list of arrays, an object whose __iter__ makes a new iterator), or spool=folder, which writes "
    "the rows to a file first, or learn by partial_fit"
)
_ARRAYS = ("__array__", "__array_interface__", "__dataframe__", "__getitem__", "tocsr")


def is_source(X: object) -> bool:
    """Is it a source, or an iterable of arrays? Whatever is like an array, a frame or a matrix is not."""
    if isinstance(X, Source):
        return True
    if isinstance(X, (str, bytes, Mapping, AbstractSet)) or not hasattr(X, "__iter__"):
        return False
    return not any(hasattr(X, name) for name in _ARRAYS)


@contextlib.contextmanager
def opened(X: Any, spool: str | PathLike[str] | None, once: str = _ONCE) -> Iterator[Any]:
    """``X`` as it is, or as a source that can be read again and again; ``once`` is said of an iterator without spool.

    Raises
    ------
    ValueError
        It can be read once, and there is no folder to write it to.
    """
    if not is_source(X):
        if isinstance(X, (str, PathLike)):
            raise ValueError(f"X must be a table or a source, {how_to_open(X)}")
        if spool is not None:
            raise ValueError("spool must be None for data in memory: it is a folder for rows that can be read once")
        if isinstance(X, (list, tuple)) and X and isinstance(X[0], np.ndarray) and X[0].ndim == 2:
            raise ValueError(
                f"X must be one table or a source, got a {type(X).__name__} of arrays: give open_source(X), in which "
                "their rows follow one another"
            )
        yield X
        return
    source = as_source(X)
    if not source.once:
        yield source
        return
    if spool is None:
        raise ValueError(once)
    with spooled(source, spool) as again:
        yield again


def windows(source: Source, n_rows: int, start: int = 0) -> Iterator[FloatArray]:
    """So many rows at a time, and the last ones, from row ``start`` on."""
    pieces: Iterator[Rows] = source.passing(start)
    for rows in in_blocks(pieces, n_rows, source.dtype):
        yield rows.values


class Streamed:
    """A source's samples as a network sees them, in blocks: all or some of them, as they are, scaled, or as codes.

    Attributes
    ----------
    shape : (int, int)
    dtype : numpy.dtype
    """

    def __init__(self, source: Source, scale: Scale | None = None) -> None:
        self.source = source
        self.shape = len(source), source.n_features
        self.dtype = source.dtype
        self._steps: tuple[Callable[[Any], FloatArray], ...] = () if scale is None else (scale.forward,)
        self._taken: NDArray[np.bool_] | None = None  # of all rows of the source

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[FloatArray]:
        return map(self._forward, (rows.values for rows in self._passing(0)))

    def windows(self, n_rows: int, start: int = 0) -> Iterator[FloatArray]:
        """So many rows at a time, and the last ones, from row ``start`` on."""
        for rows in in_blocks(self._passing(start), n_rows, self.source.dtype):
            yield self._forward(rows.values)

    def through(self, step: Callable[[FloatArray], FloatArray], n_features: int) -> Streamed:
        """What a step makes of the samples, row by row, whenever they are read: the codes of a layer."""
        other = copy.copy(self)
        other._steps, other.shape = (*self._steps, step), (len(self), n_features)
        return other

    def rows(self, rows: NDArray[np.intp]) -> Streamed:
        """Some of the samples, in their order; each pass reads all of them, and leaves the others out."""
        other = copy.copy(self)
        other._taken = np.zeros(len(self.source), np.bool_)
        other._taken[rows if self._taken is None else np.flatnonzero(self._taken)[rows]] = True
        other.shape = len(rows), self.shape[1]
        return other

    def _passing(self, start: int) -> Iterator[Rows]:
        """Blocks of the source from row ``start`` of the samples on."""
        if self._taken is None:
            yield from self.source.passing(start)
            return
        at = int(np.flatnonzero(self._taken)[start]) if start < len(self) else len(self._taken)
        with contextlib.closing(self.source.passing(at)) as blocks:
            for block in blocks:
                taken = self._taken[at : at + len(block.values)]
                at += len(taken)
                if taken.any():
                    yield Rows(block.values[taken])

    def _forward(self, X: FloatArray) -> FloatArray:
        for step in self._steps:
            X = step(X)
        return X

    def mean(self, weight: Weight) -> FloatArray:
        """That of each feature, to the last bit as of an array: sums go from row to row."""
        if weight is None:
            total = np.zeros(self.shape[1], self.dtype)
            for block in self:
                total = np.add.reduce(np.vstack([total[None], block]), axis=0)
            mean: FloatArray = total / self.dtype.type(len(self))
            return mean
        total, at = np.zeros(self.shape[1]), 0
        for block in self:
            products = np.multiply(block, weight[at : at + len(block), None], dtype=np.float64)
            total = np.add.reduce(np.vstack([total[None], products]), axis=0)
            at += len(block)
        mean = total / weight.sum()
        return mean


class Survey(NamedTuple):
    """What one look at all samples tells."""

    weight: Weight
    extent: Extent
    spread: Spread | None


def survey(
    source: Source, sample_weight: ArrayLike | None, spread: bool, look: Callable[[FloatArray], object] | None = None
) -> Survey:
    """Smallest and largest values, and the spread if it is wanted; ``look`` is shown every block."""
    weight = None if sample_weight is None else check_sample_weight(sample_weight, len(source))
    extents: list[Extent] = []
    spreads: list[Spread] = []
    at = 0
    for block in source:
        part = None if weight is None else weight[at : at + len(block)]
        at += len(block)
        if look is not None:
            look(block)
        extents = [_joined(extents, extent_of(block, part))]
        if spread and (part is None or part.sum() > 0):
            spreads = [_joined(spreads, spread_of(block, part))]
    return Survey(weight, extents[0], spreads[0] if spreads else None)


def _joined(so_far: list[Any], more: Any) -> Any:
    return so_far[0].joined(more) if so_far else more


def ends_of(extent: Extent, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Two rows, the smallest and the largest value of each feature: what checks of ranges need of all samples."""
    return np.stack([extent.minimum, extent.maximum]).astype(dtype)


def blocks_of(model: Any, X: Any) -> Iterator[FloatArray]:
    """Blocks of a source whose width and names are those of a fitted model."""
    source = as_source(X)
    check_columns(model, source)
    return iter(source)


def check_columns(model: Any, source: Source) -> None:
    """ValueError unless width and names are those that the model was fitted with."""
    n, names = model.n_features_in_, getattr(model, "feature_names_in_", None)
    if source.n_features != n:
        raise ValueError(f"X must have {n} features, as the model, got a source of {source.n_features}")
    if names is not None and source.feature_names is not None and list(names) != list(source.feature_names):
        wanted, got = next((a, b) for a, b in zip(names, source.feature_names, strict=True) if a != b)
        words = f"X must have the model's columns in its order: wanted {wanted!r}, got {got!r}"
        advice = " (open_source(..., columns=model.feature_names_in_) takes them so)"
        raise ValueError(words + (advice if sorted(names) == sorted(source.feature_names) else ""))


def set_columns(model: Any, source: Source) -> None:
    """Width and names of the samples that a model is fitted to."""
    model.n_features_in_ = source.n_features
    if source.feature_names is not None:
        model.feature_names_in_ = np.array(source.feature_names, dtype=object)


def weighted(pieces: Iterator[FloatArray], sample_weight: ArrayLike | None) -> Iterator[tuple[FloatArray, Weight]]:
    """Pieces of samples, each with its share of the weights; those without weight are left out."""
    weight = None if sample_weight is None else check_sample_weight(sample_weight, np.size(sample_weight))
    at = 0
    for piece in pieces:
        part = None if weight is None else weight[at : at + len(piece)]
        at += len(piece)
        if part is not None and len(part) < len(piece):
            break
        if part is None or part.sum() > 0:
            yield piece, part
    if weight is not None and at != len(weight):
        raise ValueError(f"sample_weight must have one value for each row of X, got {len(weight)}")
