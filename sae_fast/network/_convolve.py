"""Learned filters over whole images, and pooling."""

from __future__ import annotations

from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._public import public_in
from ._checks import ParamsLike, check_count, check_n_threads, check_out, check_output, check_params
from ._types import FloatArray, Output, Pooling

POOLING = ("mean", "max")
SizeLike = SupportsIndex | tuple[SupportsIndex, SupportsIndex]


class Shape(NamedTuple):
    """How the images are cut; pixels and positions as (rows, columns)."""

    patch: tuple[int, int]
    pool: tuple[int, int]
    cells: tuple[int, int]


@public_in("sae_fast")
def convolve(
    params: ParamsLike,
    images: ArrayLike,
    patch_size: SizeLike,
    *,
    hidden: Output = "sigmoid",
    pool: SizeLike | None = None,
    pooling: Pooling = "mean",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Codes of every patch of the images, pooled (UFLDL, "Feature extraction using convolution" and "Pooling").

    A patch's code is that of ``encode(params, patch.ravel())``, to the last bit. Patches are taken at every position
    where they lie wholly in the image, and filters are not flipped. Neither an array of patches nor, with pooling, the
    map of all codes is ever made. An image's result does not depend on the other images.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        float32 or float64; their dtype is the dtype of the work. Only ``W1`` and ``b1`` are used. The columns of
        ``W1`` are the patch row by row, pixel by pixel, channel by channel.
    images : array_like of shape (n_images, rows, columns) or (n_images, rows, columns, channels)
        Any real dtype and strides; it is converted block by block.
    patch_size : int or (int, int)
        Rows and columns of a patch.
    hidden : {"sigmoid", "tanh", "linear", "relu", "satlin"}
        Activation f.
    pool : int or (int, int), optional
        Rows and columns of a cell, in positions of the patch. Cells do not overlap; positions beyond the last whole
        cell are left out. By default nothing is pooled.
    pooling : {"mean", "max"}
        What a cell gives. Means are summed in float64.
    out : ndarray of shape (n_images, cell rows, cell columns, n_hidden), optional
        Where to write: C-contiguous, writable, of the dtype of ``params``, apart from the inputs.
    n_threads : int, optional
        Threads to use; None for what :func:`get_num_threads` says. Results do not depend on it.

    Returns
    -------
    ndarray of shape (n_images, cell rows, cell columns, n_hidden)
        With ``(rows - patch rows + 1) // pool rows`` rows of cells; likewise columns. ``out`` if given.

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type, or do not hold patches of this size; an unknown unit or pooling; an
        ``out`` that cannot be written to as it is; images smaller than a patch, cells larger than the map.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> images = np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    >>> params = sf.init_params(8 * 8, 25, random_state=0)
    >>> sf.convolve(params, images, 8, pool=7).shape
    (10, 3, 3, 25)
    """
    checked, _ = check_params(params)
    array = check_images(images)
    shape = check_shape(array.shape[1:], patch_size, pool)
    check_filters(checked.W1, shape.patch, array.shape[3])
    unit = check_output(hidden, "hidden")
    return run(checked.W1, checked.b1, array, shape, unit, check_pooling(pooling), out, n_threads)


def run(
    W1: FloatArray,
    b1: FloatArray,
    images: NDArray[Any],
    shape: Shape,
    unit: int,
    pooling: int,
    out: FloatArray | None,
    n_threads: int | None,
) -> FloatArray:
    """The core, for arguments that are checked but for ``out`` and ``n_threads``."""
    threads = check_n_threads(n_threads)
    wanted = (len(images), *shape.cells, len(W1))
    out = np.empty(wanted, W1.dtype) if out is None else check_out(out, wanted, W1.dtype, (W1, b1, images))
    _core.convolve(W1, b1, images, unit, *shape.patch, pooling, *shape.pool, out, threads)
    return out


def check_images(images: ArrayLike, name: str = "images") -> NDArray[Any]:
    """Real array (n_images, rows, columns, channels), a view where it can be; not copied, of any dtype."""
    try:
        array = images if isinstance(images, np.ndarray) else np.asarray(images)
    except ValueError as error:
        raise ValueError(f"{name} must be of one shape, got images of several") from error
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise ValueError(
            f"{name} must have shape (n_images, rows, columns) or (n_images, rows, columns, channels), all >= 1, got "
            f"{array.shape}"
        )
    if array.ndim == 3:
        array = array[..., np.newaxis]
    kind = array.dtype.kind
    if kind == "b":
        return array.view(np.uint8)
    if kind not in "fiu":
        raise TypeError(f"{name} must have a real dtype, got {array.dtype}")
    if not array.dtype.isnative or array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array


def check_size(name: str, value: Any) -> tuple[int, int]:
    """Rows and columns, both >= 1; one number stands for both."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be an integer or a pair (rows, columns), got {value!r}")
    return check_count(name, pair[0]), check_count(name, pair[1])


def check_shape(image: tuple[int, ...], patch_size: Any, pool: Any, name: str = "pool") -> Shape:
    """Sizes of patch and cells, and the number of cells in images of shape (rows, columns, channels)."""
    patch = check_size("patch_size", patch_size)
    cell = (1, 1) if pool is None else check_size(name, pool)
    rows, columns = (n - p + 1 for n, p in zip(image, patch))
    if rows < 1 or columns < 1:
        raise ValueError(f"images must be at least as large as a patch, {patch}, got {image[:2]}")
    if cell[0] > rows or cell[1] > columns:
        raise ValueError(f"{name} must be at most the positions of a patch in an image, {(rows, columns)}, got {cell}")
    return Shape(patch, cell, (rows // cell[0], columns // cell[1]))


def check_filters(W1: FloatArray, patch: tuple[int, int], n_channels: int, name: str = "params.W1") -> None:
    """Does a row of ``W1`` hold a patch?"""
    n = patch[0] * patch[1] * n_channels
    if W1.shape[1] != n:
        raise ValueError(
            f"{name} must have shape (n_hidden, {n}) for patches of {patch[0]} x {patch[1]} pixels with "
            f"{n_channels} channel{'s' if n_channels > 1 else ''}, got {W1.shape}"
        )


def check_pooling(pooling: str) -> int:
    """Number of the kind of pooling in the core."""
    if not isinstance(pooling, str) or pooling not in POOLING:
        raise ValueError(f"pooling must be 'mean' or 'max', got {pooling!r}")
    return POOLING.index(pooling)
