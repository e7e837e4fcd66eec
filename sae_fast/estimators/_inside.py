"""What the functions on fitted models share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ._estimator import SparseAutoencoder


def network_input(model: SparseAutoencoder, X: ArrayLike) -> NDArray[Any]:
    """Checked samples as the network of a fitted model sees them: scaled, where the model scales."""
    return model._scaled(model._validate(X, reset=False))
