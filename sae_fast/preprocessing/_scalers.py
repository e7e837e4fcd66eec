"""Scalers that bring data into the range of an output unit.

Both are one choice, which ``scaler_from`` makes again from a file; half of the length is their documentation.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..network._checks import check_count
from ..network._scale import (
    MARGIN,
    Affine,
    Extent,
    Scale,
    Spread,
    UFLDLScale,
    UnitScale,
    extent_of,
    spread_of,
    ufldl_scale,
    unit_scale,
)
from ..network._types import FloatArray, Output
from ._transformer import OneToOneFeatureMixin, Transformer, anew, check_is_fitted, restoring, weights_of


@public_in("sae_fast")
class UnitScaler(OneToOneFeatureMixin, Transformer):  # type: ignore[misc]
    """Min-max of the training data into what an output unit reaches: [0.1, 0.9] for sigmoid, [-0.8, 0.8] for tanh.

    Parameters
    ----------
    output : {"sigmoid", "tanh", "linear", "relu", "satlin"}
        The unit. A linear one reaches everything, and relu has no upper bound: they are given the range of sigmoid.
    margin : float
        Share of the unit's range left free at each end, in [0, 0.5): units reach their limits only with infinite
        weights.
    clip : bool
        Cut new data at the range of the training data; else they may lie beyond. Only without clipping is the
        scaling affine, and can be folded (:func:`sae_fast.fold`).
    per_feature : bool
        Scale each feature by itself, or all by the smallest and largest of all values, which keeps contrasts.

    Attributes
    ----------
    data_min_, data_range_ : ndarray of shape (n_features,), float64
        Smallest value in training, and how far the largest is above it. The range is 0 for a feature that is constant
        but for rounding (it has at most three neighbouring values of its type): it always becomes the middle, and
        comes back as its smallest value.
    feature_range_ : (float, float)
        Where the training data go.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> scaler = sf.UnitScaler()
    >>> scaler.fit_transform(np.array([[0.0, 7.0], [10.0, 7.0]])).round(12)
    array([[0.1, 0.5],
           [0.9, 0.5]])
    >>> scaler.inverse_transform([[0.5, 0.5]]).round(12)
    array([[5., 7.]])
    """

    _scale: UnitScale
    _extent: tuple[Any, ...]  # an Extent, in types that any file format knows
    _learned = (
        "data_min_", "data_range_", "feature_range_", "n_features_in_", "feature_names_in_", "_scale", "_extent"
    )  # fmt: skip

    def __init__(
        self, output: Output = "sigmoid", *, margin: float = MARGIN, clip: bool = False, per_feature: bool = True
    ) -> None:
        self.output = output
        self.margin = margin
        self.clip = clip
        self.per_feature = per_feature

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the ranges of the features.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Samples of weight 0 do not count; other weights make no difference.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            NaN or infinity, a parameter of the wrong kind or out of its range, or a range that overflows the dtype.
        """
        self._check_flags()
        with anew(self, self._learned):
            data = self._validate(X, reset=True)
            return self._learn(extent_of(data, weights_of(sample_weight, data)))

    def partial_fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Widen the ranges by further samples: after several pieces they are those of all samples together.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Samples of weight 0 do not count; other weights make no difference.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As for :meth:`fit`; samples of another width. The scaler is then as it was before the call.
        """
        self._check_flags()
        with restoring(self, self._learned):
            first = not hasattr(self, "_scale")
            data = self._validate(X, reset=first)
            extent = extent_of(data, weights_of(sample_weight, data))
            return self._learn(extent if first else Extent(*self._extent).joined(extent))

    def _check_flags(self) -> None:
        for name in ("clip", "per_feature"):
            if not isinstance(value := getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {value!r}")

    def _learn(self, extent: Extent) -> Self:
        self._extent = tuple(extent)
        return self._set(unit_scale(extent, self.output, self.margin, self.per_feature))

    def _set(self, scale: UnitScale) -> Self:
        self._scale = scale
        self.data_min_, self.data_range_ = scale.minimum, scale.span
        self.feature_range_ = (scale.low, scale.high)
        self.n_features_in_ = len(scale.span)
        return self

    def transform(self, X: ArrayLike) -> FloatArray:
        """Scaled samples, in the shape of ``X``, float32 from float32 and else float64."""
        check_is_fitted(self)
        scaled = self._scale.forward(self._validate(X, reset=False))
        return np.clip(scaled, *self.feature_range_, out=scaled) if self.clip else scaled

    def _fold_into(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> Affine:
        return self._scale.absorb(W, b)

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Samples from scaled samples, exact up to rounding (and to what ``clip`` cut)."""
        check_is_fitted(self)
        return self._scale.backward(self._validate_inverse(X, self.n_features_in_))


@public_in("sae_fast")
class UFLDLScaler(OneToOneFeatureMixin, Transformer):  # type: ignore[misc]
    """Each patch less its mean, cut at 3 sigma of the training data, mapped to [0.1, 0.9] (UFLDL).

    The recipe for natural image patches of the UFLDL course ("Exercise: Sparse Autoencoder"): the mean brightness of a
    patch says little of its structure, and the cut spends the range of the output unit on the bulk of the data.

    Parameters
    ----------
    n_sigma : float
        Where to cut, in standard deviations of all entries about their patches' means; > 0.
    output : {"sigmoid", "tanh", "linear", "relu", "satlin"}
        Output unit that shall reach the data: [-0.8, 0.8] for tanh, else [0.1, 0.9].
    margin : float
        Share of the unit's range left free at each end, in [0, 0.5).

    Attributes
    ----------
    sigma_ : float
        Standard deviation over the training data, 0 if all patches are flat: then everything becomes the middle.
    limit_ : float
        Where the cut is, ``n_sigma * sigma_``.
    feature_range_ : (float, float)
        Where the data go.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    ``inverse_transform`` restores a patch about its mean: the mean itself, and what was cut, are lost.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> patches = np.random.default_rng(0).normal(5, 1, (1000, 64))
    >>> scaled = sf.UFLDLScaler().fit_transform(patches)
    >>> print(f"{scaled.min():.2f} {scaled.mean():.2f} {scaled.max():.2f}")
    0.10 0.50 0.90
    """

    _scale: UFLDLScale
    _spread: tuple[float, ...] | None  # a Spread
    _learned = (
        "sigma_", "limit_", "feature_range_", "n_features_in_", "feature_names_in_", "_scale", "_spread"
    )  # fmt: skip

    def __init__(self, *, n_sigma: float = 3.0, output: Output = "sigmoid", margin: float = MARGIN) -> None:
        self.n_sigma = n_sigma
        self.output = output
        self.margin = margin

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn sigma.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            A patch per row.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Weights in sigma.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN or infinity, or a parameter out of its range.
        """
        with anew(self, self._learned):
            data = self._validate(X, reset=True)
            return self._learn_spread(spread_of(data, weights_of(sample_weight, data)), data.dtype, data.shape[1])

    def partial_fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn sigma of the samples so far and these together.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Weights in sigma.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As for :meth:`fit`; samples of another width; a scaler of a model's file, which does not tell how many
            samples it has seen. The scaler is then as it was before the call.
        """
        with restoring(self, self._learned):
            first = not hasattr(self, "_scale")
            data = self._validate(X, reset=first)
            spread = spread_of(data, weights_of(sample_weight, data))
            if not first:
                if self._spread is None:
                    raise ValueError(
                        "partial_fit cannot go on from the scaler of a model's file: fit a new UFLDLScaler"
                    )
                spread = Spread(*self._spread).joined(spread)
            return self._learn_spread(spread, data.dtype, data.shape[1])

    def _learn_spread(self, spread: Spread, dtype: np.dtype[Any], n_features: int) -> Self:
        self._set(ufldl_scale(spread, self.n_sigma, self.output, self.margin, dtype), n_features)
        self._spread = tuple(spread)
        return self

    def _set(self, scale: UFLDLScale, n_features: int) -> Self:
        self._scale = scale
        self.limit_ = scale.limit
        self.sigma_ = scale.limit / self.n_sigma
        self.feature_range_ = (scale.low, scale.high)
        self.n_features_in_ = check_count("n_features", n_features)
        return self

    def transform(self, X: ArrayLike) -> FloatArray:
        """Scaled patches, in the shape of ``X``, float32 from float32 and else float64."""
        check_is_fitted(self)
        return self._scale.forward(self._validate(X, reset=False))

    _cuts = True

    def _fold_into(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> Affine:
        return self._scale.absorb(W, b)

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Patches about their means from scaled patches; the means, and what was cut, are lost."""
        check_is_fitted(self)
        return self._scale.backward(self._validate_inverse(X, self.n_features_in_))


def scaler_from(scale: Scale, output: Output, n_features: int) -> UnitScaler | UFLDLScaler:
    """The fitted scaler with this scale, which was made with the default margin."""
    if isinstance(scale, UnitScale):
        scaler = UnitScaler(output)._set(scale)
        scaler._extent = (scale.minimum, scale.minimum + scale.span, "float64")
        return scaler
    patches = UFLDLScaler(output=output)._set(scale, n_features)
    patches._spread = None
    return patches
