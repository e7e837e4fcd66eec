"""Layers of deep networks: containers, checks, and one vector for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ._checks import _FLOATS, _describe
from ._types import FloatArray, Layer

LayersLike: TypeAlias = Sequence[Any]


def check_layers(layers: LayersLike, name: str = "layers") -> tuple[tuple[Layer, ...], np.dtype[Any]]:
    """C-contiguous layers of one float dtype whose sizes follow one another, and that dtype."""
    if not isinstance(layers, Sequence) or isinstance(layers, str) or len(layers) == 0:
        raise TypeError(f"{name} must be a sequence of at least one (W, b), got {_describe(layers)}")
    found: list[Layer] = []
    for i, layer in enumerate(layers):
        if not isinstance(layer, Sequence) or len(layer) != 2 or not all(isinstance(a, np.ndarray) for a in layer):
            raise TypeError(f"{name}[{i}] must be (W, b), two NumPy arrays, got {_describe(layer)}")
        found.append(Layer(*layer))
    dtype = found[0].W.dtype
    if dtype not in _FLOATS or any(W.dtype != dtype or b.dtype != dtype for W, b in found):
        dtypes = sorted({str(a.dtype) for layer in found for a in layer})
        raise TypeError(f"{name} must be float32 or float64, all alike, got {', '.join(dtypes)}")
    for i, (W, b) in enumerate(found):
        if W.ndim != 2 or W.size == 0:
            raise ValueError(f"{name}[{i}].W must have shape (n_out, n_in), both >= 1, got {W.shape}")
        if i > 0 and W.shape[1] != len(found[i - 1].W):
            raise ValueError(
                f"{name}[{i}].W must have {len(found[i - 1].W)} columns, one for each output of {name}[{i - 1}], "
                f"got shape {W.shape}"
            )
        if b.shape != (len(W),):
            raise ValueError(f"{name}[{i}].b must have shape ({len(W)},) to match W {W.shape}, got {b.shape}")
    contiguous = tuple(Layer(np.ascontiguousarray(W), np.ascontiguousarray(b)) for W, b in found)
    return contiguous, dtype


def flatten_layers(layers: LayersLike) -> FloatArray:
    """Vector ``[W_1, ..., W_L, b_1, ..., b_L]``, row-major."""
    checked, _ = check_layers(layers)
    return np.concatenate([*(W.ravel() for W, _ in checked), *(b for _, b in checked)])


def unflatten_layers(theta: FloatArray, sizes: Sequence[int]) -> tuple[Layer, ...]:
    """Layers as views of ``theta``; ``sizes`` are n_features and the number of outputs of each layer."""
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    lengths = [n_out * n_in for n_out, n_in in shapes] + [n_out for n_out, _ in shapes]
    if theta.shape != (sum(lengths),):
        raise ValueError(f"theta must have shape ({sum(lengths)},) for sizes {tuple(sizes)}, got {theta.shape}")
    blocks = np.split(theta, np.cumsum(lengths)[:-1])
    n = len(shapes)
    return tuple(Layer(W.reshape(s), b) for W, b, s in zip(blocks[:n], blocks[n:], shapes, strict=True))
