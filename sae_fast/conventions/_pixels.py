"""Images that were flattened column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._checks import ParamsLike, check_count, check_params
from ..network._types import Params


@public_in("sae_fast.conventions")
def pixel_order(shape: Sequence[int]) -> NDArray[np.intp]:
    """Where each pixel of a row-major image stands in the same image flattened by columns.

    MATLAB's ``x = image(:)`` runs down the columns. ``X_ours = X_theirs[:, pixel_order(shape)]``.

    Parameters
    ----------
    shape : sequence of int
        (n_rows, n_columns), or (n_rows, n_columns, n_channels).

    Returns
    -------
    ndarray of int of shape (n_visible,)

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.pixel_order((2, 3))
    array([0, 2, 4, 1, 3, 5])
    """
    sizes = tuple(check_count("shape", n) for n in shape)
    return np.arange(int(np.prod(sizes))).reshape(sizes, order="F").ravel()


@public_in("sae_fast.conventions")
def reorder_pixels(params: ParamsLike, shape: Sequence[int], *, back: bool = False) -> Params:
    """Parameters learned on column-major images, for row-major images of the same shape.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
    shape : sequence of int
        (n_rows, n_columns), or (n_rows, n_columns, n_channels); their product is n_visible.
    back : bool
        The other way: for column-major images.

    Returns
    -------
    Params
        Copies. The codes and the cost are those of the same images.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> from sae_fast import conventions
    >>> theirs = sf.init_params(6, 2, random_state=0)
    >>> ours = conventions.reorder_pixels(theirs, (2, 3))
    >>> image = np.arange(6.0).reshape(2, 3)
    >>> bool(np.allclose(sf.encode(ours, image.reshape(1, 6)), sf.encode(theirs, image.T.reshape(1, 6))))
    True
    """
    (W1, b1, W2, b2), _ = check_params(params)
    order = pixel_order(shape)
    if order.size != W1.shape[1]:
        raise ValueError(f"shape must have {W1.shape[1]} pixels, as params has visible units, got {tuple(shape)}")
    if back:
        order = np.argsort(order)
    return Params(np.ascontiguousarray(W1[:, order]), b1.copy(), np.ascontiguousarray(W2[order]), b2[order])
