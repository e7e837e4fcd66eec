"""Layers of networks: checks, one vector for all of them, and an autoencoder as two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ._checks import _FLOATS, _describe, check_out
from ._types import AnyParams, FloatArray, Layer, Params

LayersLike: TypeAlias = Sequence[Any]
P = TypeVar("P", bound=AnyParams)


def as_layers(params: AnyParams) -> tuple[Layer, ...]:
    """Layers of a network; of an autoencoder, its two."""
    return (Layer(*params[:2]), Layer(*params[2:])) if isinstance(params, Params) else params


def as_given(layers: tuple[Layer, ...], like: P) -> P:
    """``layers`` in the container of ``like``."""
    return cast("P", Params(*layers[0], *layers[1]) if isinstance(like, Params) else layers)


def copy_params(params: P) -> P:
    """The same parameters in arrays of their own, C-contiguous."""
    layers = as_layers(params)
    return as_given(tuple(Layer(np.array(W, order="C"), np.array(b, order="C")) for W, b in layers), params)


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


def check_out_layers(
    out: object, layers: tuple[Layer, ...], inputs: Sequence[NDArray[Any]] | None, name: str = "out"
) -> tuple[Layer, ...]:
    """``out``, arrays in the shapes and dtype of ``layers`` to write to, apart from all inputs and one another.

    Without ``inputs`` nothing is said of overlaps, for which the core looks itself.
    """
    if not isinstance(out, Sequence) or len(out) != len(layers):
        raise TypeError(f"{name} must be a sequence of {len(layers)} (W, b), got {_describe(out)}")
    before = [*(inputs or ())]
    found = []
    for i, (layer, like) in enumerate(zip(out, layers, strict=True)):
        if not isinstance(layer, Sequence) or len(layer) != 2:
            raise TypeError(f"{name}[{i}] must be (W, b), two NumPy arrays, got {_describe(layer)}")
        for field, array, wanted in zip(Layer._fields, layer, like, strict=True):
            check_out(array, wanted.shape, wanted.dtype, (), name=f"{name}[{i}].{field}")
            if inputs is not None and any(np.may_share_memory(array, other) for other in before):
                raise ValueError(f"{name}[{i}].{field} must not overlap the memory of an input or of another output")
            before.append(array)
        found.append(layer if isinstance(layer, Layer) else Layer(*layer))
    return out if type(out) is tuple and all(a is b for a, b in zip(out, found)) else tuple(found)
