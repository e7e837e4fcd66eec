"""PCA and ZCA whitening."""

from __future__ import annotations

import numbers
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..network._checks import check_count, check_in
from ..network._scale import Affine, shift_and_divide, spacing
from ..network._types import FloatArray
from ._transformer import ClassNamePrefixFeaturesOutMixin, OneToOneFeatureMixin, Transformer, anew, check_is_fitted

_BLOCK = 8192


class _Whitener(Transformer):
    """Principal directions and their variances. The two kinds differ in ``whitening_`` and ``unwhitening_``."""

    whitening_: NDArray[np.float64]
    unwhitening_: NDArray[np.float64]
    _square: bool
    """Acts on all features, also with fewer samples."""
    _learned = (
        "mean_", "components_", "explained_variance_", "explained_variance_ratio_", "n_components_", "whitening_",
        "unwhitening_", "n_features_in_", "feature_names_in_"
    )  # fmt: skip

    def __init__(self, *, epsilon: float = 1e-5, n_components: float | None = None) -> None:
        self.epsilon = epsilon
        self.n_components = n_components

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn mean, principal directions and variances.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            At least two samples.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN or infinity, fewer than two samples, a parameter out of its range, or ``epsilon=0`` where the samples
            do not vary in some direction that is to be kept.
        """
        with anew(self, self._learned):
            data = self._validate(X, reset=True, ensure_min_samples=2)
            epsilon = check_in("epsilon", self.epsilon, 0.0, np.inf, ">= 0 and finite")
            n, p = data.shape
            most = p if self._square else min(n, p)
            with np.errstate(over="ignore", invalid="ignore"):
                self.mean_ = self._mean(data)
                triangle = self._triangle(data)
            if not np.all(np.isfinite(triangle)):
                raise ValueError(f"X must have variances that float64 holds, got values up to {np.abs(data).max():g}")
            _, s, directions = np.linalg.svd(triangle, full_matrices=most > n)
            variance = np.zeros(len(directions))
            with np.errstate(over="ignore"):
                variance[: len(s)] = (s / np.sqrt(n - 1)) ** 2
            if not np.isfinite(variance.sum()):
                raise ValueError(f"X must have variances that float64 holds, got values up to {np.abs(data).max():g}")
            rank = int(np.sum(s > _noise(data, directions[: len(s)]) + np.finfo(np.float64).eps * max(n, p) * s[0]))
            k = self._count(variance, most)
            if epsilon == 0.0 and k > rank:
                fewer = f", or n_components at most {rank}" if rank else ""
                raise ValueError(
                    f"epsilon must be > 0{fewer}: the samples vary in {rank} directions only, of {k} to be whitened"
                )
            signs = np.sign(directions[np.arange(len(directions)), np.argmax(np.abs(directions), axis=1)])
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                self._learn(directions * signs[:, None], variance, k, epsilon)
                applied = self.whitening_.astype(data.dtype)
            if not np.all(np.isfinite(applied)):
                least = f"{variance[k - 1]:g}"
                raise ValueError(
                    f"epsilon must be larger, got {epsilon:g}: a direction of variance {least} is blown up beyond "
                    f"{data.dtype}; or scale X first"
                )
        return self

    def _mean(self, X: FloatArray) -> NDArray[np.float64]:
        """Mean of the samples, about the first one: that of a feature which does not vary is just its value."""
        first = X[0].astype(np.float64)
        total = np.zeros(X.shape[1])
        for i in range(0, len(X), _BLOCK):
            total += (X[i : i + _BLOCK] - first).sum(axis=0)
        mean: NDArray[np.float64] = first + total / len(X)
        return mean

    def _triangle(self, X: FloatArray) -> NDArray[np.float64]:
        """R of the QR decomposition of ``X - mean_``: its singular values and right vectors, without squaring them.

        Block after block of rows under the R so far, which is quicker than all at once and needs no copy of X.
        """
        triangle: NDArray[np.float64] = np.empty((0, X.shape[1]))
        rows = max(2048, 4 * X.shape[1])
        for i in range(0, len(X), rows):
            triangle = np.asarray(np.linalg.qr(np.vstack([triangle, X[i : i + rows] - self.mean_]), mode="r"))
        return triangle

    def _count(self, variance: NDArray[np.float64], most: int) -> int:
        """Directions to keep."""
        wanted = self.n_components
        if wanted is None:
            return most
        if isinstance(wanted, numbers.Integral):
            k = check_count("n_components", int(wanted) if not isinstance(wanted, bool) else wanted)
            if k > most:
                raise ValueError(f"n_components must be at most {most} with these samples, got {k}")
            return k
        share = check_in("n_components", wanted, np.nextafter(0.0, 1.0), 1.0, "an integer >= 1 or in (0, 1)")
        total = np.cumsum(variance)
        return min(most, int(np.searchsorted(total, share * total[-1])) + 1)

    def _learn(self, directions: NDArray[np.float64], variance: NDArray[np.float64], k: int, epsilon: float) -> None:
        self.n_components_ = k
        self.components_ = directions[:k]
        self.explained_variance_ = variance[:k]
        total = variance.sum()
        self.explained_variance_ratio_ = self.explained_variance_ / (total if total > 0 else 1.0)

    def transform(self, X: ArrayLike) -> FloatArray:
        """Whitened samples, shape (n_samples, rows of ``whitening_``), float32 from float32 and else float64."""
        check_is_fitted(self)
        data = self._validate(X, reset=False)
        kind = data.dtype
        matrix = self.whitening_.T.astype(kind)
        white: FloatArray = np.empty((len(data), len(self.whitening_)), kind)
        for i in range(0, len(data), _BLOCK):
            # The difference in float64: single precision would lose what is small beside the mean.
            white[i : i + _BLOCK] = (data[i : i + _BLOCK] - self.mean_).astype(kind, copy=False) @ matrix
        return white

    def _fold_into(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> Affine:
        return shift_and_divide(W @ self.whitening_, b, self.mean_, None)

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Samples (n_samples, n_features) from whitened ones, in the units of the data.

        Exact up to rounding in the directions that were kept; the mean in the others.
        """
        check_is_fitted(self)
        data = self._validate_inverse(X, len(self.whitening_))
        kind = data.dtype
        samples: FloatArray = data @ self.unwhitening_.T.astype(kind) + self.mean_.astype(kind)
        return samples


def _noise(X: FloatArray, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Singular values in these directions that the rounding of the data alone may make.

    Entries off by half a step of their type have some up to that times ``sqrt(n) + sqrt(p)``. Each feature rounds by
    its own size: a small one beside a large one is not lost in the rounding of that.
    """
    steps = directions * spacing(np.abs(X).max(axis=0).astype(np.float64), X.dtype)
    noise: NDArray[np.float64] = 0.5 * np.linalg.norm(steps, axis=1) * (np.sqrt(len(X)) + np.sqrt(X.shape[1]))
    return noise


@public_in("sae_fast")
class PCAWhitener(ClassNamePrefixFeaturesOutMixin, _Whitener):  # type: ignore[misc]
    """Samples in their principal directions, each divided by ``sqrt(variance + epsilon)`` (UFLDL, "PCA Whitening").

    The whitened features are uncorrelated, of variance ``v / (v + epsilon)``: 1 for directions that matter.

    Parameters
    ----------
    epsilon : float
        Added to the variances, >= 0, in the squared unit of the data: what varies less is damped rather than blown up.
        UFLDL takes 0.1 for patches in [0, 1]; 0 whitens exactly.
    n_components : int, float or None
        Directions to keep: a number, or in (0, 1) the share of the variance that they retain at least; None keeps all,
        ``min(n_samples, n_features)``.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,), float64
    components_ : ndarray of shape (n_components_, n_features), float64
        Principal directions, of unit length, by falling variance; the entry largest in size is positive.
    explained_variance_, explained_variance_ratio_ : ndarray of shape (n_components_,), float64
        Variance in each direction, with divisor n_samples - 1, and its share of the whole.
    n_components_ : int
    whitening_ : ndarray of shape (n_components_, n_features), float64
        What is applied: ``transform(X) = (X - mean_) @ whitening_.T``.
    unwhitening_ : ndarray of shape (n_features, n_components_), float64
        Its (pseudo)inverse.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    The decomposition (LAPACK's QR and SVD, through NumPy) is done in float64 for both types. scikit-learn's
    ``PCA(whiten=True)`` is this with ``epsilon=0``, up to signs.

    There is no ``partial_fit``: how many directions vary, and so what is kept and what is an error, shows only over all
    samples. For data in pieces there is scikit-learn's ``IncrementalPCA(whiten=True)``, which :func:`sae_fast.fold`
    takes too.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).normal(size=(500, 3)) @ [[2.0, 1, 0], [0, 1, 1], [0, 0, 0.1]]
    >>> white = sf.PCAWhitener(epsilon=0.0).fit_transform(X)
    >>> bool(np.allclose(np.cov(white.T), np.eye(3)))
    True
    >>> sf.PCAWhitener(n_components=0.9).fit(X).n_components_
    2
    """

    _square = False

    def _learn(self, directions: NDArray[np.float64], variance: NDArray[np.float64], k: int, epsilon: float) -> None:
        super()._learn(directions, variance, k, epsilon)
        deviation = np.sqrt(self.explained_variance_ + epsilon)[:, None]
        self.whitening_ = self.components_ / deviation
        self.unwhitening_ = (self.components_ * deviation).T

    @property
    def _n_features_out(self) -> int:
        return self.n_components_


@public_in("sae_fast")
class ZCAWhitener(OneToOneFeatureMixin, _Whitener):  # type: ignore[misc]
    """PCA whitening rotated back, so that whitened samples stay as near to the samples as can be (UFLDL).

    Whitened image patches still look like patches, which filters and pictures need.

    Parameters
    ----------
    epsilon : float
        Added to the variances, >= 0, in the squared unit of the data; see :class:`PCAWhitener`. It must be > 0 where
        the samples do not vary in all directions.
    n_components : int, float or None
        Directions to keep: a number, or in (0, 1) the share of the variance that they retain at least; None keeps all.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,), float64
    components_ : ndarray of shape (n_components_, n_features), float64
        Principal directions, of unit length, by falling variance; the entry largest in size is positive.
    explained_variance_, explained_variance_ratio_ : ndarray of shape (n_components_,), float64
        Variance in each direction, with divisor n_samples - 1, and its share of the whole.
    n_components_ : int
    whitening_, unwhitening_ : ndarray of shape (n_features, n_features), float64
        What is applied, ``transform(X) = (X - mean_) @ whitening_.T``, and its (pseudo)inverse; both symmetric.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).normal(size=(500, 3)) @ [[2.0, 1, 0], [0, 1, 1], [0, 0, 0.1]]
    >>> whitener = sf.ZCAWhitener(epsilon=0.0).fit(X)
    >>> bool(np.allclose(np.cov(whitener.transform(X).T), np.eye(3)))
    True
    >>> bool(np.allclose(whitener.inverse_transform(whitener.transform(X)), X))
    True
    """

    _square = True

    def _learn(self, directions: NDArray[np.float64], variance: NDArray[np.float64], k: int, epsilon: float) -> None:
        super()._learn(directions, variance, k, epsilon)
        # Of a product with its own transpose BLAS makes a matrix that is symmetric to the last bit.
        power = (self.explained_variance_ + epsilon) ** 0.25
        half, back = self.components_ / power[:, None], self.components_ * power[:, None]
        self.whitening_ = half.T @ half
        self.unwhitening_ = back.T @ back
