"""Rows of numbers, whatever holds them, as an array that the core reads; and the names of their columns.

What models take, encoders and functions take: data frames of pandas and polars with nullable and boolean columns,
object arrays of numbers, masked arrays without masked values. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def real_rows(X: Any, name: str = "X") -> NDArray[Any]:
    """``X`` as an array of a real dtype in native byte order; not copied where it is one already."""
    array = X if type(X) is np.ndarray else _as_array(X, name)
    kind = array.dtype.kind
    if kind == "O":
        array, kind = _numbers(X, array, name), "f"
    if kind == "b":
        return array.view(np.uint8)
    if kind not in "fiu":
        raise TypeError(f"{name} must have a real dtype, got {array.dtype}")
    if not array.dtype.isnative or array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array


def check_dense(X: object, name: str = "X") -> None:
    """TypeError for a sparse matrix, which NumPy takes for a single object."""
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise TypeError(f"{name} must be a dense array, got a sparse {type(X).__name__}: use {name}.toarray()")


def _as_array(X: Any, name: str) -> NDArray[Any]:
    check_dense(X, name)
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.is_masked(X):
            raise ValueError(
                f"{name} must have no masked values, got {int(np.sum(np.ma.getmaskarray(X)))}: use .filled()"
            )
        return np.asarray(X.data)
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of numbers, got rows of several lengths: {error}") from error


def _numbers(X: Any, array: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Objects that are numbers; missing ones of nullable columns become NaN."""
    found: NDArray[np.float64]
    if array.ndim == 0:
        raise TypeError(f"{name} must be an array of real numbers, got {type(X).__name__}")
    try:
        if hasattr(X, "to_numpy") and hasattr(X, "isna"):  # pandas: its own missing value is no number to NumPy
            found = X.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            found = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must have a real dtype, got objects that are no real numbers: {error}") from error
    return found


def column_names(X: Any) -> list[str] | None:
    """Names of the columns of a data frame, or of the entries of one row of it; None where they are not all text."""
    labels = getattr(X, "columns", None)
    if labels is None and hasattr(X, "iloc"):
        labels = getattr(X, "index", None)
    if labels is None or callable(labels):
        return None
    names = list(labels)
    return names if names and all(isinstance(n, str) for n in names) else None


def check_names(X: Any, known: Sequence[str] | None) -> None:
    """The columns of ``X``, where they have names, are the known ones in their order."""
    if known is None or type(X) is np.ndarray:
        return
    names = column_names(X)
    if names is None or names == list(known):
        return
    words = "The feature names should match those that were passed during fit."
    for what, some, others in (
        ("Feature names unseen at fit time:", names, known),
        ("Feature names seen at fit time, yet now missing:", known, names),
    ):
        differ = [n for n in some if n not in set(others)]
        more = ["- ..."] if len(differ) > 5 else []
        words += "\n" + "\n".join([what, *(f"- {n}" for n in differ[:5]), *more]) if differ else ""
    if sorted(names) == sorted(known):
        words += "\nFeature names must be in the same order as they were in fit."
    raise ValueError(words)


def check_feature_names(names: Sequence[str] | None, n_features: int) -> tuple[str, ...] | None:
    """One name for each feature, no two alike; or None."""
    if names is None:
        return None
    if isinstance(names, str) or not isinstance(names, (Sequence, np.ndarray)):
        raise TypeError(f"feature_names must be a sequence of text or None, got {names!r}")
    found = tuple(names)
    if not all(isinstance(n, str) for n in found):
        raise TypeError(f"feature_names must be a sequence of text or None, got {names!r}")
    if len(found) != n_features or len(set(found)) != n_features:
        raise ValueError(f"feature_names must be {n_features} different names, got {len(set(found))} in {len(found)}")
    return tuple(map(str, found))


def read_rows(known: tuple[str, ...] | None, X: Any, name: str) -> NDArray[Any]:
    """What an encoder does with all but plain arrays."""
    check_names(X, known)
    return real_rows(X, name)
