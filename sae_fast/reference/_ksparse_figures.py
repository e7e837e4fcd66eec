"""How well sparse codes reconstruct, from arrays of all samples and all latents; arguments are taken as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def divide(a: Any, b: Any) -> Array:
    """``a / b``, and 0 where a is 0: what has no error leaves nothing unexplained, what is zero is like nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(a) == 0, 0.0, np.asarray(a) / b)


def total(x: Array, x_hat: Array) -> Any:
    """``sum |x_hat - x|^2 / sum |x - mean|^2``."""
    return divide(np.sum((x_hat - x) ** 2), np.sum((x - x.mean(axis=0)) ** 2))


def per_sample(x: Array, x_hat: Array) -> Any:
    """The mean over samples of ``|x_hat - x|^2 / |x - mean|^2``."""
    return np.mean(divide(np.sum((x_hat - x) ** 2, axis=1), np.sum((x - x.mean(axis=0)) ** 2, axis=1)))


def openai(x: Array, x_hat: Array) -> Any:
    """The mean over samples of ``|x_hat - x|^2 / |x|^2``."""
    return np.mean(divide(np.sum((x_hat - x) ** 2, axis=1), np.sum(x**2, axis=1)))


def saebench(x: Array, x_hat: Array) -> Any:
    """``mean |x_hat - x|^2 / (mean |x|^2 - m^2)``, m being the mean of all ``x^2``, of single features."""
    return divide(np.mean(np.sum((x_hat - x) ** 2, axis=1)), np.mean(np.sum(x**2, axis=1)) - np.mean(x**2) ** 2)


FVU: dict[str, Callable[[Array, Array], Any]] = {
    "total": total,
    "sparsify": total,
    "per_sample": per_sample,
    "openai": openai,
    "saebench": saebench,
}


def figures(X: NDArray[Any], codes: NDArray[Any], X_hat: NDArray[Any], fvu: str = "total") -> dict[str, Any]:
    """What :meth:`sae_fast.KSparseEncoder.evaluate` tells, in float64.

    Parameters
    ----------
    X, X_hat : ndarray of shape (n_samples, n_features)
        Samples, and their reconstructions.
    codes : ndarray of shape (n_samples, n_latents)
        Dense, numbers >= 0.
    fvu : {"total", "per_sample", "openai", "sparsify", "saebench"}
        Which fraction of variance unexplained: SAELens's and sparsify's, sparsify's older one, the normalised error of
        OpenAI's sparse_autoencoder, and one minus the explained variance of SAEBench (``evals/core/main.py``).

    Returns
    -------
    dict
        ``fvu``, ``mse``, ``cosine``, ``relative_bias``, ``l0``, ``l1``, ``dead``, ``density``. The bias is that of
        Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders", 2024: the number by which
        reconstructions have to be divided to be nearest to the samples.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[4.0, 0], [0, 2]])
    >>> found = figures(X, np.array([[2.0, 0, 0], [0, 2, 0]]), np.array([[2.0, 0], [0, 2]]))
    >>> float(found["fvu"]), float(found["relative_bias"]), float(found["dead"]), found["density"].tolist()
    (0.4, 0.6666666666666666, 0.3333333333333333, [0.5, 0.5, 0.0])
    """
    x, x_hat, a = (np.asarray(array, np.float64) for array in (X, X_hat, codes))
    inner = np.sum(x * x_hat, axis=1)
    active = a > 0
    return {
        "fvu": FVU[fvu](x, x_hat),
        "mse": np.mean((x_hat - x) ** 2),
        "cosine": np.mean(divide(inner, np.linalg.norm(x, axis=1) * np.linalg.norm(x_hat, axis=1))),
        "relative_bias": divide(np.sum(x_hat**2), np.sum(inner)),
        "l0": np.mean(np.sum(active, axis=1)),
        "l1": np.mean(np.sum(a, axis=1)),
        "dead": np.mean(~active.any(axis=0)),
        "density": np.mean(active, axis=0),
    }
