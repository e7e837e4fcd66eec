"""How well sparse codes reconstruct, and how many latents they use. Sums are float64, over some rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..network._checks import listed
from ..streams._source import Source
from ._samples import blocks_of

_BLOCK = 4096
Array: TypeAlias = NDArray[np.float64]
# Of samples' squared errors, squared distances from the mean and squared lengths, and of the number of features.
DEFINITIONS: dict[str, Callable[[Array, Array, Array, int], float]] = {
    "total": lambda error, spread, size, d: _ratio(error.sum(), spread.sum()),
    "sparsify": lambda error, spread, size, d: _ratio(error.sum(), spread.sum()),
    "per_sample": lambda error, spread, size, d: float(np.mean(_ratios(error, spread))),
    "openai": lambda error, spread, size, d: float(np.mean(_ratios(error, size))),
    "saebench": lambda error, spread, size, d: _ratio(error.mean(), size.mean() - (size.mean() / d) ** 2),
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


def evaluate(
    X: NDArray[Any] | Source, encode: Callable[..., Any], decode: Callable[..., Any], fvu: str
) -> dict[str, Any]:
    """See :meth:`sae_fast.KSparseEncoder.evaluate`; codes of blocks are ``encode(block)``."""
    active: Any = 0
    l1: list[Array] = []

    def reconstruct(block: NDArray[Any]) -> NDArray[Any]:
        nonlocal active
        codes = encode(block)
        active = active + np.bincount(codes.indices, minlength=codes.shape[1])
        l1.append(np.asarray(abs(codes).sum(axis=1, dtype=np.float64)).ravel())
        found: NDArray[Any] = decode(codes, X=block)
        return found

    figures = reconstruction_figures(X, reconstruct, fvu)
    return figures | {
        "l0": float(active.sum()) / len(X),
        "l1": float(np.concatenate(l1).mean()),
        "dead": float(np.mean(active == 0)),
        "density": active / len(X),
    }


def reconstruction_figures(
    X: NDArray[Any] | Source, reconstruct: Callable[[NDArray[Any]], NDArray[Any]], fvu: str
) -> dict[str, Any]:
    """What can be said of any reconstruction; ``reconstruct`` is given some rows at a time, each once, in order."""
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks_of(X, _BLOCK)) / len(X)
    parts: list[tuple[Array, ...]] = []
    for block in blocks_of(X, _BLOCK):
        rows, found = block.astype(np.float64), reconstruct(block).astype(np.float64)
        columns = (found - rows, found - rows), (rows - mean, rows - mean), (rows, rows), (found, found), (rows, found)
        parts.append(tuple(np.einsum("ij,ij->i", a, b) for a, b in columns))
    error, spread, size, found_size, inner = (np.concatenate(some) for some in zip(*parts, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(inner == 0, 0.0, inner / np.sqrt(size * found_size))
    return {
        "fvu": DEFINITIONS[fvu](error, spread, size, len(mean)),
        "mse": float(error.mean()) / len(mean),
        "cosine": float(cosine.mean()),
        "relative_bias": _ratio(found_size.sum(), inner.sum()),
    }
