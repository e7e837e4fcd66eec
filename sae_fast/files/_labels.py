"""One label for each sample, from text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._csv_fault import is_missing, is_number, number, short
from ._table import TableError


def make_labels(texts: Sequence[str], places: Iterable[str | int], decimal: str = ".") -> NDArray[Any]:
    """Labels as float64 if all are numbers, else as text.

    Parameters
    ----------
    texts : sequence of str
        One for each sample.
    places : iterable
        Where each stands, for the message.
    decimal : {".", ","}

    Raises
    ------
    TableError
        One is empty, or says that it is missing among numbers (``NA`` among words is a word).

    Examples
    --------
    >>> make_labels(["1", "0"], [1, 2]), make_labels(["yes", "no"], [1, 2])
    (array([1., 0.]), array(['yes', 'no'], dtype='<U3'))
    """
    numeric = [is_number(text, decimal) for text in texts]
    words = any(not (is_a_number or is_missing(text)) for is_a_number, text in zip(numeric, texts, strict=True))
    for text, place in zip(texts, places, strict=True):
        if not text.strip() or (not words and is_missing(text)):
            raise TableError(f"{place} must be a label, got {short(text)}")
    return np.array(texts) if words else np.array([number(text, decimal) for text in texts])
