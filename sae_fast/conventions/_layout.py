"""Vectors that hold all parameters, in the order of a package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..network._checks import ParamsLike, check_count, check_params
from ..network._types import FloatArray, Params


class Unpack(Protocol):
    """Parameters from their vector."""

    def __call__(self, theta: ArrayLike, n_visible: int, n_hidden: int) -> Params: ...


def layout(order: Sequence[str], memory: Literal["C", "F"]) -> tuple[Callable[[ParamsLike], FloatArray], Unpack]:
    """Functions ``pack`` and ``unpack`` of a vector that holds the parameters in ``order``.

    ``memory`` is the order inside of a matrix: "F" (column-major: MATLAB, Octave, R) or "C" (row-major).
    """

    def pack(params: ParamsLike) -> FloatArray:
        """Parameters as one vector, ready for the package.

        Parameters
        ----------
        params : Params or sequence (W1, b1, W2, b2)
            float32 or float64.

        Returns
        -------
        ndarray of shape (2 n_visible n_hidden + n_hidden + n_visible,)
            A copy, of the dtype of ``params``.
        """
        checked, _ = check_params(params)
        return np.concatenate([getattr(checked, name).ravel(order=memory) for name in order])

    def unpack(theta: ArrayLike, n_visible: int, n_hidden: int) -> Params:
        """Parameters from the package's vector; the inverse of ``pack``.

        Parameters
        ----------
        theta : array_like of shape (2 n_visible n_hidden + n_hidden + n_visible,)
            A single column or row will do. Types other than float32 become float64.
        n_visible, n_hidden : int
            Sizes of the layers.

        Returns
        -------
        Params
            Copies, C-contiguous.

        Raises
        ------
        ValueError
            ``theta`` does not have the length that the sizes ask for.
        """
        v, h = check_count("n_visible", n_visible), check_count("n_hidden", n_hidden)
        shapes = {"W1": (h, v), "b1": (h,), "W2": (v, h), "b2": (v,)}
        flat = as_vector(theta, 2 * v * h + h + v, f"n_visible {v} and n_hidden {h}")
        ends = np.cumsum([int(np.prod(shapes[name])) for name in order])[:-1]
        parts = dict(zip(order, np.split(flat, ends), strict=True))
        return Params(*(parts[n].reshape(shape, order=memory).copy(order="C") for n, shape in shapes.items()))

    return pack, unpack


def as_vector(theta: ArrayLike, size: int, wanted_for: str) -> FloatArray:
    """``theta`` as a flat float array of ``size`` values; a row or a column will do."""
    array = np.asarray(theta)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"theta must be real, got dtype {array.dtype}")
    if array.size != size or array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
        raise ValueError(f"theta must have {size} values for {wanted_for}, got shape {array.shape}")
    return array.ravel().astype(array.dtype if array.dtype == np.float32 else np.float64)
