"""Samples that are read block by block, from memory or from a source, in the columns that a model knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from ..streams._source import Source, in_blocks


def check_columns(source: Source, n_features: int, known: Sequence[str] | None, name: str) -> None:
    """ValueError unless the source has this width, and these names where both have some."""
    if source.n_features != n_features:
        raise ValueError(f"{name} must have {n_features} columns, as the model, got {source.n_features}")
    names = source.feature_names
    if names is not None and known is not None and list(names) != list(known):
        i = next(i for i, pair in enumerate(zip(names, known, strict=True)) if pair[0] != pair[1])
        raise ValueError(f"column {i + 1} of {name} must be {known[i]!r}, as of the model, got {names[i]!r}")


def check_again(source: Source, name: str) -> None:
    """ValueError unless it has rows, which can be read twice."""
    if source.once:
        raise ValueError(
            f"{name} must be a source that can be read again, got one that gives its rows once: the mean of all is "
            "needed first"
        )
    if not len(source):
        raise ValueError(f"{name} must hold at least one row, got none")


def blocks_of(X: NDArray[Any] | Source, n_rows: int) -> Iterator[NDArray[Any]]:
    """So many rows at a time, and the last ones."""
    if not isinstance(X, Source):
        yield from (X[i : i + n_rows] for i in range(0, len(X), n_rows))
        return
    with contextlib.closing(X.passing()) as pieces:
        yield from (rows.values for rows in in_blocks(pieces, n_rows, X.dtype))
