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
    found = sparse_encoder(model)
    if found is None:
        raise TypeError(f"{name} must be a KSparseEncoder or a fitted KSparseAutoencoder, got {type(model).__name__}")
    return found


def sparse_encoder(model: Any) -> KSparseEncoder | None:
    """The KSparseEncoder that a model is, or has learned; None for other models."""
    found = model if isinstance(model, KSparseEncoder) else getattr(model, "encoder_", None)
    return found if isinstance(found, KSparseEncoder) else None
