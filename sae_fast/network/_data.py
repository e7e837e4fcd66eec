"""Samples with what the output is compared with, which fit a network."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import check_X
from ._losses import LOSSES
from ._types import Layer


class Data(NamedTuple):
    """What the core is told of the data; without ``target`` and ``labels`` the target is ``X`` itself.

    ``X`` may also be a source, for L-BFGS and for measures over all samples, which is its own target then; whoever puts
    one in says that it is typed as an array.
    """

    X: NDArray[Any]
    target: NDArray[Any] | None = None
    labels: NDArray[np.intp] | None = None


def check_data(layers: tuple[Layer, ...], X: ArrayLike, y: ArrayLike | None, loss: str) -> Data:
    """Samples with their targets, which fit the network; labels are copied."""
    n_in, n_out = layers[0].W.shape[1], len(layers[-1].W)
    X = check_X(X, n_in)
    if LOSSES[loss].labels:
        return Data(X, None, _check_labels(y, len(X), n_out, loss))
    if y is None:
        if n_in != n_out:
            raise ValueError(f"y must be given: the network has {n_out} outputs for {n_in} features")
        return Data(X)
    target = check_X(y, n_out, "y")
    if len(target) != len(X):
        raise ValueError(f"y must have shape ({len(X)}, {n_out}), got {target.shape}")
    return Data(X, target)


def check_targets(target: NDArray[Any], loss: str, name: str = "X") -> None:
    """Are all targets where ``loss`` is defined?"""
    if (bounds := LOSSES[loss].targets) is None:
        return
    low, high = target.min(), target.max()  # NaN where there is one
    if not bounds[0] <= low or not high <= bounds[1]:
        wrong = high if bounds[0] <= low else low
        raise ValueError(f"{name} must be in [{bounds[0]:g}, {bounds[1]:g}] for loss={loss!r}, got {wrong}")


def check_result(J: float, target: NDArray[Any], loss: str, name: str = "X") -> None:
    """If J is NaN, is it for a target that :func:`check_targets` refuses? So that no evaluation looks in advance."""
    if math.isnan(J):
        check_targets(target, loss, name)


def _check_labels(y: ArrayLike | None, n_samples: int, n_out: int, loss: str) -> NDArray[np.intp]:
    if y is None:
        raise ValueError(f"y must be given with loss={loss!r}: integer labels in 0 ... {n_out - 1}")
    labels = np.asarray(y)
    if labels.shape != (n_samples,):
        raise ValueError(f"y must have shape ({n_samples},) with loss={loss!r}, got {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"y must be integer labels with loss={loss!r}, got dtype {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= n_out:
        raise ValueError(f"y must be labels in 0 ... {n_out - 1}, got {low if low < 0 else high}")
    return labels.astype(np.intp)
