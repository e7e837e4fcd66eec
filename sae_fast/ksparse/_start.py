"""Where a training of sparse codes begins: weights, biases, and the unit of the samples. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, Any]
_BLOCK = 256  # rows


def geometric_median(X: NDArray[Any], max_iter: int = 100, tol: float = 1e-6) -> NDArray[np.float64]:
    """The point whose distances to the rows of ``X`` have the least sum, shape (n_features,).

    By Weiszfeld's iteration (1937): means of the rows, weighted by the reciprocals of their distances; rows at the
    point itself weigh no more than those at a millionth of the mean distance.
    """
    rows = np.asarray(X, np.float64)
    median: NDArray[np.float64] = rows.mean(axis=0)
    for _ in range(max_iter):
        distances = _distances(rows, median)
        typical = distances.mean()
        if typical == 0:
            break
        weights = 1 / np.maximum(distances, 1e-6 * typical)
        last, median = median, weights @ rows / weights.sum()
        if np.linalg.norm(median - last) <= tol * typical:
            break
    return median


def _distances(rows: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row to a point; no more rows at a time than a cache holds."""
    found = np.empty(len(rows))
    differences = np.empty_like(rows[:_BLOCK])
    for i in range(0, len(rows), _BLOCK):
        block = rows[i : i + _BLOCK]
        e = np.subtract(block, point, out=differences[: len(block)])
        np.einsum("ij,ij->i", e, e, out=found[i : i + _BLOCK])
    return np.sqrt(found, out=found)


def unit_of(X: NDArray[Any], dtype: np.dtype[Any]) -> float:
    """The root of the mean of ``|x|^2`` over the rows, by which they are divided; 1 where they are all 0.

    Raises
    ------
    ValueError
        ``dtype``, of weights and codes, does not hold it.
    """
    rows = np.asarray(X, np.float64)
    with np.errstate(over="ignore"):
        found = float(np.sqrt(np.einsum("ij,ij->", rows, rows) / len(rows)))
    if not found <= np.finfo(dtype).max:
        raise ValueError(f"X must have rows whose mean length {dtype}, the dtype of the model, holds, got {found:g}")
    return found if found > 0 else 1.0


_CENTRES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "geometric_median": geometric_median,
    "mean": lambda X: X.mean(axis=0),
    "zeros": lambda X: np.zeros(X.shape[1]),
}


def weights_of(
    X: NDArray[Any],
    n_latents: int,
    architecture: str,
    dtype: np.dtype[Any],
    rng: np.random.RandomState,
    *,
    b_dec: str,
    unit_output: int,
    threshold: float,
) -> Weights:
    """Weights for samples like the rows of ``X``: random directions, of length 1, for encoder and decoder alike.

    ``unit_output`` is the k of codes whose reconstructions of unit vectors have a length of 1 in the mean, as Gao et
    al. begin; 0 leaves the encoder as long as the decoder.
    """
    W = rng.standard_normal((n_latents, X.shape[1])).astype(dtype)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    scale = 1.0
    if unit_output:
        probes = rng.standard_normal((256, X.shape[1])).astype(dtype)
        probes /= np.linalg.norm(probes, axis=1, keepdims=True)
        z = probes @ W.T
        edge = np.partition(z, -unit_output, axis=1)[:, -unit_output, None]
        found = np.where(z >= edge, np.maximum(z, 0), 0) @ W
        length = float(np.linalg.norm(found, axis=1).mean())
        scale = 1 / length if length > 0 else 1.0
    zeros = np.zeros(n_latents, dtype)
    made: Weights = {"W_enc": W * dtype.type(scale), "b_enc": zeros, "W_dec": W.copy()}
    made["b_dec"] = _CENTRES[b_dec](np.asarray(X, np.float64)).astype(dtype)
    if architecture == "jumprelu":
        made["threshold"] = np.full(n_latents, threshold, dtype)
    elif architecture == "gated":
        made |= {"b_gate": zeros.copy(), "r_mag": zeros.copy()}
    return made


def in_units(weights: Weights, unit: float) -> Weights:
    """Weights for samples that were divided by ``unit``, as weights for the samples themselves.

    Codes and reconstructions are then in the unit of the samples: what is added to a product is multiplied, and so are
    thresholds.
    """
    found = dict(weights)
    for name in ("b_enc", "b_dec", "threshold", "b_gate"):
        if found.get(name) is not None:
            value = found[name]
            found[name] = value * (unit if isinstance(value, float) else value.dtype.type(unit))
    return found
