"""ConvolvedFeatures: learned filters over whole images, pooled, as a scikit-learn transformer.

One class in one file: half of its length is documentation.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import BaseEstimator, TransformerMixin, clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('ConvolvedFeatures needs scikit-learn: pip install "sae-fast[estimators]"') from error

from .._public import public_in
from ..encoders._encoder import Encoder
from ..encoders._fold import fold
from ..encoders._frozen import thawed
from ..network._checks import check_count, check_n_threads, check_output, check_params
from ..network._convolve import (
    Shape,
    SizeLike,
    check_filters,
    check_images,
    check_pooling,
    check_shape,
    run,
)
from ..network._types import FloatArray, Output, Pooling
from ..onnx._skl2onnx import OnnxConvertible
from ..preprocessing._transformer import anew

_LEARNED = ("encoder", "whitener")  # what others have fitted, and a clone keeps


@public_in("sae_fast")
class ConvolvedFeatures(OnnxConvertible, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Codes of all patches of an image, pooled over regions: features for a classifier (UFLDL, "Pooling").

    The filters come from an autoencoder trained on patches. ``fit`` learns nothing; it checks the images, and notes
    their shape. See :func:`sae_fast.convolve` for what is computed.

    Parameters
    ----------
    encoder : SparseAutoencoder, Pipeline, Encoder or Params
        A fitted autoencoder, a fitted pipeline that ends with one, an :class:`Encoder`, or parameters
        ``(W1, b1, W2, b2)``, trained on patches of ``patch_size`` read row by row, pixel by pixel, channel by channel.
        What it does to a patch first, by ``scale=`` or steps of the pipeline, is folded into the filters
        (:func:`sae_fast.fold`). Its dtype is that of the features. Clones of this transformer keep it with what it
        has learned.
    patch_size : int or (int, int)
        Rows and columns of a patch.
    pool_size : int or (int, int), optional
        Rows and columns of the cells, in positions of the patch; positions beyond the last whole cell are left out.
        By default nothing is pooled.
    pooling : {"mean", "max"}
        What a cell gives.
    whitener : fitted transformer, optional
        What patches went through before the encoder was trained on them: an affine map with ``mean_`` and
        ``whitening_`` or ``components_``, like scikit-learn's ``PCA``. It is folded into the filters, so it costs
        nothing by patch.
    hidden : {"sigmoid", "tanh", "linear"}
        Activation, where ``encoder`` is bare parameters; a model has its own.
    image_shape : (int, int) or (int, int, int), optional
        Rows, columns and channels of images that come as rows of a table, ``X`` of shape
        (n_images, rows * columns * channels). Without it, a row of a table is an image of one row: a signal.
    flatten : bool
        Give (n_images, n_features) for other estimators; otherwise (n_images, cell rows, cell columns, n_hidden).
    n_threads : int, optional
        Threads; None for what :func:`sae_fast.get_num_threads` says. Results do not depend on it.

    Attributes
    ----------
    image_shape_ : tuple (rows, columns, channels)
        Of the images seen in ``fit``.
    map_shape_ : tuple (cell rows, cell columns, n_hidden)
        Of the features of one image.
    n_features_in_ : int
        rows * columns * channels.
    feature_names_in_ : ndarray of str
        Names of the columns, where the data had any.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> images = np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    >>> params = sf.init_params(8 * 8, 25, random_state=0)
    >>> sf.ConvolvedFeatures(params, patch_size=8, pool_size=7).fit_transform(images).shape
    (10, 225)
    """

    _no_onnx = (
        "its images are cut, coded and pooled by one kernel; convert the steps behind it, and give them its features"
    )
    _learned = ("image_shape_", "map_shape_", "n_features_in_", "feature_names_in_")

    def __init__(
        self,
        encoder: Any,
        patch_size: SizeLike,
        pool_size: SizeLike | None = None,
        *,
        pooling: Pooling = "mean",
        whitener: Any = None,
        hidden: Output = "sigmoid",
        image_shape: tuple[int, ...] | None = None,
        flatten: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.patch_size = patch_size
        self.pool_size = pool_size
        self.pooling = pooling
        self.whitener = whitener
        self.hidden = hidden
        self.image_shape = image_shape
        self.flatten = flatten
        self.n_threads = n_threads

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check parameters and images, and note the shape of the images.

        Parameters
        ----------
        X : array_like of shape (n_images, rows, columns[, channels]) or (n_images, n_features)
            Any real dtype.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            A parameter or an image that does not fit the others; NaN or infinity.
        NotFittedError
            The encoder or the whitener is not fitted.
        """
        with anew(self, self._learned):
            images = self._images(X, reset=True)
            W1, _, _ = self._filters()
            shape = self._check(images.shape[1:], W1)
            self.image_shape_: tuple[int, ...] = images.shape[1:]
            self.map_shape_ = (*shape.cells, len(W1))
        return self

    def transform(self, X: ArrayLike) -> FloatArray:
        """Features of the images.

        Parameters
        ----------
        X : array_like of shape (n_images, rows, columns[, channels]) or (n_images, n_features)
            Images of the shape that ``fit`` has seen, if it has seen any.

        Returns
        -------
        ndarray of shape (n_images, cell rows * cell columns * n_hidden)
            Cell by cell, row after row; without ``flatten`` (n_images, cell rows, cell columns, n_hidden).
        """
        images = self._images(X, reset=False)
        W1, b1, unit = self._filters()
        shape = self._check(images.shape[1:], W1)
        maps = run(W1, b1, images, shape, unit, check_pooling(self.pooling), None, self.n_threads)
        return maps.reshape(len(maps), -1) if self.flatten else maps

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names ``convolvedfeatures_<cell row>_<cell column>_<hidden unit>``, in the order of the features.

        Parameters
        ----------
        input_features : array_like of str or None
            Checked against the names seen in ``fit``, and otherwise ignored.

        Returns
        -------
        ndarray of str objects
        """
        check_is_fitted(self, "map_shape_")
        if input_features is not None:
            _check_feature_names_in(self, input_features)
        return np.array([f"convolvedfeatures_{i}_{j}_{k}" for i, j, k in np.ndindex(*self.map_shape_)], dtype=object)

    def _check(self, image: tuple[int, ...], W1: FloatArray) -> Shape:
        check_pooling(self.pooling)
        check_n_threads(self.n_threads)
        if not isinstance(self.flatten, (bool, np.bool_)):
            raise TypeError(f"flatten must be True or False, got {self.flatten!r}")
        shape = check_shape(image, self.patch_size, self.pool_size, "pool_size")
        check_filters(W1, shape.patch, image[2], "encoder's W1")
        return shape

    def _images(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Images (n_images, rows, columns, channels) of whatever real dtype they have."""
        wanted = self._wanted_shape()
        try:
            given: Any = X if hasattr(X, "shape") else np.asarray(X)
        except ValueError as error:
            raise ValueError("X must hold images of one shape, got images of several") from error
        if len(given.shape) in (3, 4):
            array = check_images(check_array(given, dtype="numeric", allow_nd=True, ensure_2d=False), "X")
            if wanted is not None and array.shape[1:] != wanted:
                raise ValueError(f"X must hold images of image_shape {wanted}, got {array.shape[1:]}")
        elif len(given.shape) > 4:
            raise ValueError(
                f"X must have shape (n_images, rows, columns[, channels]) or be a table, got {given.shape}"
            )
        else:
            table = validate_data(self, given, dtype="numeric", reset=reset)
            n = table.shape[1]
            shape = (1, n, 1) if wanted is None else wanted
            if np.prod(shape) != n:
                raise ValueError(f"X must have {np.prod(shape)} columns for images of image_shape {shape}, got {n}")
            array = check_images(table.reshape(len(table), *shape), "X")
        if reset:
            self.n_features_in_ = int(np.prod(array.shape[1:]))
        elif getattr(self, "image_shape_", array.shape[1:]) != array.shape[1:]:
            raise ValueError(f"X must hold images of the shape seen in fit, {self.image_shape_}, got {array.shape[1:]}")
        return array

    def _wanted_shape(self) -> tuple[int, ...] | None:
        if self.image_shape is None:
            return None
        if not isinstance(self.image_shape, (tuple, list)) or len(self.image_shape) not in (2, 3):
            raise ValueError(
                f"image_shape must be (rows, columns) or (rows, columns, channels), got {self.image_shape!r}"
            )
        return (*(check_count("image_shape", n) for n in self.image_shape), 1)[:3]

    def _filters(self) -> tuple[FloatArray, FloatArray, int]:
        """Weights and bias of the layer, the whitener folded in, and the number of its activation."""
        hidden: str = self.hidden
        encoder, whitener = thawed(self.encoder), thawed(self.whitener)
        if isinstance(encoder, Encoder):
            W1, b1, hidden = encoder.W1, encoder.b1, encoder.hidden
        elif hasattr(encoder, "get_params"):
            _check_is_fitted("encoder", encoder)
            W1, b1, hidden = _fold(encoder)
        else:
            (W1, b1, *_), _ = check_params(encoder)
        if whitener is not None:
            W1, b1 = _absorb(whitener, W1, b1)
        return W1, b1, check_output(hidden, "hidden")

    def __sklearn_clone__(self) -> Self:
        copied = {
            name: copy.deepcopy(value) if name in _LEARNED else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()
        }
        new = type(self)(**copied)
        for name in ("_sklearn_output_config", "_metadata_request"):
            if name in self.__dict__:
                setattr(new, name, copy.deepcopy(self.__dict__[name]))
        return new

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []  # the features have the dtype of the encoder
        return tags


def _check_is_fitted(name: str, estimator: Any) -> None:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise NotFittedError(
            f"{name} must be fitted, got a {type(estimator).__name__} that is not: ConvolvedFeatures learns nothing of "
            f"it, so fit the {name} to patches first"
        ) from None


def _fold(model: Any) -> tuple[FloatArray, FloatArray, str]:
    """Weights, bias and activation of a fitted autoencoder or pipeline, with all that it does to a patch before."""
    try:
        folded = fold(model)
        if not isinstance(folded, Encoder):
            raise TypeError(f"a filter is a single layer, got {folded!r}")
    except ValueError as error:
        raise ValueError(f"encoder: {error}".replace("clip='ignore'", "fold(encoder, clip='ignore')")) from error
    except TypeError as error:
        raise TypeError(
            "encoder must be a SparseAutoencoder, a pipeline of affine steps that ends with one, an Encoder or Params: "
            f"{error}"
        ) from error
    return folded.W1, folded.b1, folded.hidden


def _absorb(whitener: Any, W: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The layer that whitens first: ``W (A (x - mean)) + b = (W A) x + (b - W A mean)``, in float64."""
    name = type(whitener).__name__
    if not hasattr(whitener, "transform"):
        raise TypeError(f"whitener must be a fitted transformer or None, got {name}")
    _check_is_fitted("whitener", whitener)
    A = getattr(whitener, "whitening_", getattr(whitener, "components_", None))
    mean = getattr(whitener, "mean_", None)
    if A is None or mean is None:
        raise TypeError(f"whitener must have mean_ and whitening_ or components_, which {name} has not")
    if getattr(whitener, "whiten", False) and not hasattr(whitener, "whitening_"):
        deviation = np.sqrt(whitener.explained_variance_)
        A = A / np.maximum(deviation, np.finfo(deviation.dtype).eps)[:, np.newaxis]  # as scikit-learn's PCA does
    if W.shape[1] != len(A):
        raise ValueError(f"whitener must give the {W.shape[1]} features that the encoder takes, got {len(A)}")
    probe = mean + np.random.default_rng(0).normal(size=(3, len(mean)))
    white = np.asarray(whitener.transform(probe))
    if not np.allclose((probe - mean) @ A.T, white, rtol=1e-3, atol=1e-3 * np.abs(white).max()):
        raise ValueError(f"whitener must be an affine map, (x - mean_) times whitening_ or components_; {name} is not")
    folded = W.astype(np.float64) @ A
    return np.ascontiguousarray(folded.astype(W.dtype)), (b - folded @ mean).astype(W.dtype)
