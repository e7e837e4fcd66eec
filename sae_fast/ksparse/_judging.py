"""How well sparse codes reconstruct, and how many latents they use. Sums are float64, over some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..network._checks import listed

_BLOCK = 4096
Array: TypeAlias = NDArray[np.float64]
# Of squared errors of samples, their squared distances from the mean, and their squared lengths.
DEFINITIONS: dict[str, Callable[[Array, Array, Array], float]] = {
    "total": lambda error, spread, size: _ratio(error.sum(), spread.sum()),
    "sparsify": lambda error, spread, size: _ratio(error.sum(), spread.sum()),
    "per_sample": lambda error, spread, size: float(np.mean(_ratios(error, spread))),
    "openai": lambda error, spread, size: float(np.mean(_ratios(error, size))),
}


def check_definition(fvu: object) -> None:
    """A definition that is known."""
    if not isinstance(fvu, str) or fvu not in DEFINITIONS:
        raise ValueError(f"fvu must be {listed(DEFINITIONS)}, got {fvu!r}")


def _ratios(error: Array, by: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, 0.0, error / by)


def _ratio(error: float, by: float) -> float:
    return float(_ratios(np.asarray(error), np.asarray(by)))


def evaluate(X: NDArray[Any], encode: Callable[..., Any], decode: Callable[..., Any], fvu: str) -> dict[str, Any]:
    """See :meth:`sae_fast.KSparseEncoder.evaluate`; codes of blocks are ``encode(block)``."""

    def blocks() -> Iterator[NDArray[Any]]:
        return (X[i : i + _BLOCK] for i in range(0, len(X), _BLOCK))

    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks()) / len(X)
    parts: list[tuple[Array, ...]] = []
    active: Any = 0
    for block in blocks():
        codes = encode(block)
        rows, found = block.astype(np.float64), decode(codes).astype(np.float64)
        active = active + np.bincount(codes.indices, minlength=codes.shape[1])
        columns = (found - rows, found - rows), (rows - mean, rows - mean), (rows, rows), (found, found), (rows, found)
        l1 = np.asarray(abs(codes).sum(axis=1, dtype=np.float64)).ravel()
        parts.append((*(np.einsum("ij,ij->i", a, b) for a, b in columns), l1))
    error, spread, size, found_size, inner, l1 = (np.concatenate(some) for some in zip(*parts, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(inner == 0, 0.0, inner / np.sqrt(size * found_size))
    return {
        "fvu": DEFINITIONS[fvu](error, spread, size),
        "mse": float(error.mean()) / X.shape[1],
        "cosine": float(cosine.mean()),
        "relative_bias": _ratio(found_size.sum(), inner.sum()),
        "l0": float(active.sum()) / len(X),
        "l1": float(l1.mean()),
        "dead": float(np.mean(active == 0)),
        "density": active / len(X),
    }
