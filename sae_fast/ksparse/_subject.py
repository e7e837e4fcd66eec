"""Who is judged: an encoder itself, or the one that a fitted model gives."""

from __future__ import annotations

from typing import Any

from ._encoder import KSparseEncoder


def encoder_of(model: Any, name: str = "model") -> KSparseEncoder:
    """The KSparseEncoder that a model is, or gives by ``to_encoder()``.

    Raises
    ------
    TypeError
        It is something else.
    """
    if isinstance(model, KSparseEncoder):
        return model
    give = getattr(model, "to_encoder", None)
    found = give() if callable(give) and not isinstance(model, type) else None
    if not isinstance(found, KSparseEncoder):
        raise TypeError(f"{name} must be a KSparseEncoder or a fitted KSparseAutoencoder, got {type(model).__name__}")
    return found
