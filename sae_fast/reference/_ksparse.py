"""Sparse codes in NumPy, by way of all latents of all samples; arguments are taken as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network._types import FloatArray
from ._ksparse_figures import figures


def largest(z: FloatArray, k: int) -> NDArray[np.intp]:
    """Indices (n_samples, k) of the k largest of each row, in falling order, equal ones by rising index."""
    return np.argsort(-z, axis=1, kind="stable")[:, :k]


def moments(X: NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means, standard deviations of n - 1, and lengths of the rows, as columns of float64."""
    rows = X.astype(np.float64)
    mean = rows.mean(axis=1, keepdims=True)
    squares = ((rows - mean) ** 2).sum(axis=1, keepdims=True)
    return mean, np.sqrt(squares / max(X.shape[1] - 1, 1)), np.sqrt((rows**2).sum(axis=1, keepdims=True))


def normalised(X: FloatArray, normalize: str | None) -> FloatArray:
    """Each row to mean 0 and standard deviation 1 (``"layer_norm"``), or to length ``sqrt(n_features)``."""
    if normalize is None:
        return X
    mean, std, length = moments(X)
    if normalize == "layer_norm":
        return ((X - mean) / (std + 1e-5)).astype(X.dtype)
    scale = np.divide(np.sqrt(X.shape[1]), length, out=np.zeros_like(length), where=length > 0)
    return (X * scale).astype(X.dtype)


class KSparseEncoder:
    """See :class:`sae_fast.KSparseEncoder`."""

    def __init__(
        self,
        W_enc: FloatArray,
        b_enc: FloatArray,
        W_dec: FloatArray,
        b_dec: FloatArray,
        *,
        k: int | None = None,
        activation: str = "topk",
        threshold: float | FloatArray | None = None,
        b_gate: FloatArray | None = None,
        r_mag: FloatArray | None = None,
        apply_b_dec_to_input: bool = True,
        normalize: str | None = None,
    ) -> None:
        self.W_enc, self.b_enc, self.W_dec, self.b_dec = W_enc, b_enc, W_dec, b_dec
        self.k, self.activation, self.threshold = k, activation, threshold
        self.b_gate, self.r_mag = b_gate, r_mag
        self.apply_b_dec_to_input, self.normalize = apply_b_dec_to_input, normalize

    def _products(self, X: ArrayLike) -> FloatArray:
        rows = normalised(np.asarray(X, self.W_enc.dtype), self.normalize)
        found: FloatArray = (rows - self.b_dec if self.apply_b_dec_to_input else rows) @ self.W_enc.T
        return found

    def dense(self, X: ArrayLike, k: int | None = None) -> FloatArray:
        """Codes (n_samples, n_latents)."""
        y = self._products(X)
        z = y + self.b_enc
        if self.activation == "topk":
            kept = np.zeros(z.shape, bool)
            np.put_along_axis(kept, largest(z, k or self.k or 1), True, axis=1)
        elif self.activation == "gated":
            assert self.r_mag is not None and self.b_gate is not None  # noqa: PT018
            z = np.exp(self.r_mag) * y + self.b_enc
            kept = y + self.b_gate > 0
        else:
            kept = z > (0 if self.threshold is None else self.threshold)
        return np.where(kept, np.maximum(z, 0), 0).astype(z.dtype)

    def __call__(self, X: ArrayLike, k: int | None = None) -> Any:
        """Codes as a sparse array."""
        import scipy.sparse

        return scipy.sparse.csr_array(self.dense(X, k))

    def top(self, X: ArrayLike, k: int | None = None) -> tuple[NDArray[np.intp], FloatArray]:
        """Indices and values of the k largest."""
        z = self._products(X) + self.b_enc
        indices = largest(z, k or self.k or 1)
        return indices, np.maximum(np.take_along_axis(z, indices, axis=1), 0)

    def encode_one(self, x: ArrayLike, k: int | None = None) -> tuple[NDArray[np.intp], FloatArray]:
        """Indices and values of one sample."""
        code = self.dense(np.asarray(x)[None], k)[0]
        (indices,) = np.nonzero(code)
        return indices, code[indices]

    def decode(self, codes: Any, *, X: ArrayLike | None = None) -> FloatArray:
        """Reconstructions, of the samples themselves where they are given, or else of what they are normalised to."""
        found: FloatArray = codes @ self.W_dec + self.b_dec
        if X is None or self.normalize is None:
            return found
        mean, std, length = moments(np.asarray(X))
        restored = found * std + mean if self.normalize == "layer_norm" else found * (length / np.sqrt(found.shape[1]))
        return restored.astype(found.dtype)

    def evaluate(self, X: ArrayLike, k: int | None = None, *, fvu: str = "total") -> dict[str, Any]:
        """Figures of all samples at once; see :meth:`sae_fast.KSparseEncoder.evaluate`.

        Examples
        --------
        >>> import numpy as np
        >>> encoder = KSparseEncoder(np.eye(4), np.zeros(4), np.eye(4), np.zeros(4), k=1)
        >>> found = encoder.evaluate(np.array([[3.0, 0, 0, 0], [0, 2, 1, 0]]), fvu="openai")
        >>> float(found["fvu"]), float(found["l0"]), float(found["dead"])
        (0.1, 1.0, 0.5)
        """
        codes = self.dense(X, k)
        return figures(np.asarray(X), codes, self.decode(codes, X=X), fvu)
