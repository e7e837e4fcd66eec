"""Who is judged: an encoder itself, or the one that a fitted model gives."""

from __future__ import annotations

from typing import Any

from ._encoder import KSparseEncoder


def encoder_of(model: Any, name: str = "model") -> KSparseEncoder:
    """The KSparseEncoder that a model is, or has learned.

    Raises
    ------
    TypeError
        It is something else.
    """
    if isinstance(model, KSparseEncoder):
        return model
    found = getattr(model, "encoder_", None)
    if not isinstance(found, KSparseEncoder):
        raise TypeError(f"{name} must be a KSparseEncoder or a fitted KSparseAutoencoder, got {type(model).__name__}")
    return found
