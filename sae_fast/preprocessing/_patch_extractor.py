"""Patches of images as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..network._checks import check_count, check_random_state
from ..network._types import FloatArray
from ._transformer import FLOATS, ClassNamePrefixFeaturesOutMixin, Transformer, check_array, check_is_fitted

Images = ArrayLike | Sequence[ArrayLike]


@public_in("sae_fast")
class PatchExtractor(ClassNamePrefixFeaturesOutMixin, Transformer):  # type: ignore[misc]
    """Patches from images, drawn at random, each a row that an autoencoder takes.

    Parameters
    ----------
    patch_size : int or (int, int)
        Pixels of a patch: along each side, or rows and columns.
    n_patches : int or None
        Patches in all, drawn with replacement: an image is as likely as any other, and in it a position. None takes
        every position of every image, in order.
    margin : int
        Pixels along the edges of an image that no patch touches, >= 0.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed or source of the positions. A seed draws the same ones in each call.

    Attributes
    ----------
    patch_shape_ : tuple of int
        (rows, columns) of a patch, or (rows, columns, channels): ``row.reshape(patch_shape_)`` is the patch.

    Notes
    -----
    scikit-learn's ``PatchExtractor`` gives arrays of shape (n_patches, rows, columns), so many from each image, all
    images of one size. This one gives rows, of a number wanted in all, from images of any size, away from the edges.

    Neither gives a row per sample, which is scikit-learn's contract for transformers; both say by their tags that they
    take images and not a table. So it belongs at the beginning, where there is no ``y`` whose length would have to
    match: before a pipeline, or as its first step if nothing in it is supervised. ``transform`` does not depend on
    ``fit``, which only looks at the arguments and the shape.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> images = np.random.default_rng(0).uniform(size=(3, 32, 48))
    >>> sf.PatchExtractor(8, 100, random_state=0).fit_transform(images).shape
    (100, 64)
    """

    def __init__(
        self,
        patch_size: int | tuple[int, int] = 8,
        n_patches: int | None = 10_000,
        *,
        margin: int = 0,
        random_state: Any = None,
    ) -> None:
        self.patch_size = patch_size
        self.n_patches = n_patches
        self.margin = margin
        self.random_state = random_state

    def fit(self, X: Images, y: object = None) -> Self:
        """Check arguments and images, and note the shape of a patch.

        Parameters
        ----------
        X : array_like of shape (n_images, rows, columns) or (n_images, rows, columns, channels), or sequence of images
            A sequence may hold images of different sizes, (rows, columns) or (rows, columns, channels).
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Not images, images smaller than a patch, grey and colour mixed, NaN or infinity, or a wrong parameter.
        """
        images, _ = self._images(X)
        if self.n_patches is not None:
            check_count("n_patches", self.n_patches)
        self._integers()
        self.patch_shape_ = (*self._size(), *images[0].shape[2:])
        return self

    def transform(self, X: Images) -> FloatArray:
        """Draw the patches.

        Parameters
        ----------
        X : as for :meth:`fit`

        Returns
        -------
        ndarray of shape (n_patches, rows * columns * channels)
            Row by row, in a row pixel by pixel, in a pixel channel by channel; float32 from float32 and else float64.
        """
        images, counts = self._images(X)
        size = self._size()
        width = int(np.prod(size)) * (images[0].shape[2] if images[0].ndim == 3 else 1)
        picture, corner = self._positions(counts)
        patches = np.empty((len(picture), width), images[0].dtype)
        margin = int(self.margin)
        order = np.argsort(picture, kind="stable")
        ends = np.searchsorted(picture[order], np.arange(len(images) + 1))
        for i in np.unique(picture):
            image, mine = images[i], order[ends[i] : ends[i + 1]]
            windows = np.lib.stride_tricks.sliding_window_view(image, size, axis=(0, 1))
            # (patches, [channels,] rows, columns): the channels go last.
            found = windows[corner[mine, 0] + margin, corner[mine, 1] + margin]
            if image.ndim == 3:
                found = np.moveaxis(found, 1, -1)
            patches[mine] = found.reshape(len(mine), -1)
        return patches

    def _positions(self, counts: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Image of each patch, and the row and column of its corner."""
        if self.n_patches is None:
            found = [np.indices(count).reshape(2, -1).T for count in counts]
            return np.repeat(np.arange(len(counts)), [len(f) for f in found]), np.concatenate(found)
        n, draw = check_count("n_patches", self.n_patches), self._integers()
        if np.all(counts == counts[0]):
            # One call: the order of a loop over the patches that draws image, row and column of each.
            drawn = draw(0, np.tile((len(counts), *counts[0]), (n, 1)))
            return drawn[:, 0], drawn[:, 1:]
        picture = draw(0, len(counts), size=n)
        return picture, draw(0, counts[picture])

    def _integers(self) -> Callable[..., NDArray[Any]]:
        """What draws integers in [low, high)."""
        state = check_random_state(self.random_state)
        return state.randint if isinstance(state, np.random.RandomState) else np.random.default_rng(state).integers

    def _size(self) -> tuple[int, int]:
        size = self.patch_size
        pair = size if isinstance(size, Sequence) and not isinstance(size, str) else (size, size)
        if len(pair) != 2:
            raise ValueError(f"patch_size must be an integer or (rows, columns), got {size!r}")
        return check_count("patch_size", pair[0]), check_count("patch_size", pair[1])

    def _images(self, X: Images) -> tuple[Sequence[FloatArray], NDArray[np.intp]]:
        """Images of one dtype, and in how many rows and columns of each a patch may begin."""
        size, margin = self._size(), check_count("margin", self.margin, least=0)
        images = _checked(X)
        kinds = {image.shape[2:] for image in images}
        if (0,) in kinds:
            raise ValueError("X must have images of at least one channel, got none")
        if len(kinds) > 1:
            words = sorted(f"{k[0]} channels" if k else "grey" for k in kinds)
            raise ValueError(f"X must have images of one kind, got {', '.join(words)}")
        counts = np.array([image.shape[:2] for image in images]) - np.array(size) - 2 * margin + 1
        bad = np.flatnonzero((counts < 1).any(axis=1))
        if len(bad):
            shape = images[bad[0]].shape
            around = f" and a margin of {margin}" if margin else ""
            one = isinstance(X, np.ndarray) and X.ndim == 3 and X.shape[2] <= 4
            raise ValueError(
                f"X must have images that hold a patch of {size}{around}, got image {bad[0]} of {shape}"
                + ("; X[None] makes an array of one colour image" if one else "")
            )
        return images, counts

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self, "patch_shape_")
        return int(np.prod(self.patch_shape_))

    _no_onnx = "it draws other rows from images; convert the steps behind it, and give them patches"
    _leaves_patches_as_they_are = True  # so that fold() may leave it out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        return tags


def _checked(X: Images) -> Sequence[FloatArray]:
    """Finite images of one dtype; an array is checked at once, a sequence image by image."""
    given: Any = X if isinstance(X, (list, tuple)) else np.asarray(X)
    if isinstance(given, np.ndarray):
        if given.ndim not in (3, 4):
            hint = "; X[None] makes an array of one image" if given.ndim == 2 else ""
            raise ValueError(
                f"X must have shape (n_images, rows, columns[, channels]) or be a sequence of images, got {given.shape}"
                + hint
            )
        return list(check_array(given, dtype=FLOATS, ensure_2d=False, allow_nd=True, input_name="X"))
    if not given:
        raise ValueError("X must have at least one image, got none")
    images = []
    for i, image in enumerate(given):
        checked = check_array(image, dtype=FLOATS, ensure_2d=False, allow_nd=True, input_name=f"image {i}")
        if checked.ndim not in (2, 3):
            raise ValueError(f"image {i} must have shape (rows, columns[, channels]), got {checked.shape}")
        images.append(checked)
    common = np.result_type(*images)
    return [image.astype(common, copy=False) for image in images]
