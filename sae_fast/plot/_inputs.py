"""What the pictures take from models: weights, codes and reconstructions as checked float64 arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimators._unit_report import BLOCK
from ..network._checks import check_hidden, check_X
from ..network._functional import decode, encode
from ..network._types import Hidden, Output, Params
from ..network._units import UNITS, activity

F64 = NDArray[np.float64]
Shape = tuple[int, int] | tuple[int, int, int]


# Weights


def weights(model: Any, layer: int = -1) -> F64:
    """Encoder weights of one layer as combinations of the inputs: ``W_layer ... W_1``, (n_units, n_visible)."""
    chain = chain_of(model)
    if not -len(chain) <= layer < len(chain):
        raise ValueError(f"layer must be in 0..{len(chain) - 1} (or count from the end), got {layer}")
    product = _matrix(chain[0])
    for W in chain[1 : layer % len(chain) + 1]:
        upper = _matrix(W)
        if upper.shape[1] != len(product):
            raise ValueError(f"each layer must take what the one before gives: {product.shape}, then {upper.shape}")
        product = upper @ product
    return product


def chain_of(model: Any) -> list[Any]:
    """Encoder weights layer by layer: a stack has its ``(W, b)`` in ``encoder_``."""
    _check_fitted(model)
    if hasattr(model, "encoder_"):
        return [_first_matrix(one) for one in model.encoder_]
    if isinstance(model, (list, tuple)) and not _is_params(model) and all(map(_is_layer, model)):
        return [_first_matrix(one) for one in model] or [model]
    return [_first_matrix(model)]


def _first_matrix(one: Any) -> Any:
    if hasattr(one, "components_"):
        return one.components_
    return one[0] if _is_params(one) or _is_affine(one) else one


def _is_layer(one: Any) -> bool:
    return hasattr(one, "components_") or _is_params(one) or _is_affine(one) or getattr(one, "ndim", 0) == 2


def _is_params(model: Any) -> bool:
    return isinstance(model, (list, tuple)) and [getattr(a, "ndim", 0) for a in model] == [2, 1, 2, 1]


def _is_affine(one: Any) -> bool:
    return isinstance(one, (list, tuple)) and [getattr(a, "ndim", 0) for a in one] == [2, 1]


def _matrix(W: Any) -> F64:
    try:
        matrix = np.asarray(W, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"model must be a fitted model, Params or an array of weights, got {type(W).__name__}"
        ) from None
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"model must have weights of shape (n_hidden, n_visible), got {matrix.shape}")
    return finite("the weights of model", matrix)


def finite(name: str, array: F64) -> F64:
    """``array``, if all of it is finite."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array


def _check_fitted(model: Any) -> None:
    if hasattr(model, "fit"):
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(model)


# Codes and reconstructions


def code_blocks(model: Any, X: ArrayLike, hidden: Hidden | None) -> Iterator[F64]:
    """Codes mapped to [0, 1] (tanh: ``(a2 + 1) / 2``) where they are bounded, block by block."""
    unit = hidden_of(model, hidden)
    for a2 in _encode_blocks(model, X, hidden):
        yield activity(a2, unit)


def codes(model: Any, X: ArrayLike, hidden: Hidden | None) -> F64:
    """Codes as the model gives them, (n_samples, n_hidden)."""
    return np.concatenate(list(_encode_blocks(model, X, hidden)))


def _check_samples(X: ArrayLike) -> None:
    if len(np.asarray(X)) == 0:
        raise ValueError("X must hold at least one sample, got none")


def _encode_blocks(model: Any, X: ArrayLike, hidden: Hidden | None) -> Iterator[F64]:
    _check_fitted(model)
    _check_samples(X)
    if _is_params(model):
        params = Params(*model)
        data = check_X(X, params.W1.shape[1])
        unit = hidden_of(model, hidden)
        for i in range(0, len(data), BLOCK):
            yield finite("codes of X", encode(params, data[i : i + BLOCK], hidden=unit).astype(np.float64))
        return
    if not hasattr(model, "transform"):
        raise TypeError(f"model must be a fitted model or Params, got {type(model).__name__}")
    for i in range(0, len(np.asarray(X)), BLOCK):
        a2 = np.asarray(model.transform(_rows(X, i, i + BLOCK)), dtype=np.float64)
        if a2.ndim != 2:
            raise ValueError(f"model.transform must give shape (n_samples, n_hidden), got {a2.shape}")
        yield finite("codes of X", a2)


def _rows(X: Any, start: int, stop: int) -> Any:
    return X.iloc[start:stop] if hasattr(X, "iloc") else X[start:stop]


def reconstruction(model: Any, X: ArrayLike, hidden: Hidden | None, output: Output) -> F64:
    """Reconstructions a3 of the samples, (n_samples, n_visible)."""
    _check_fitted(model)
    _check_samples(X)
    if _is_params(model):
        params = Params(*model)
        a2 = encode(params, check_X(X, params.W1.shape[1]), hidden=hidden_of(model, hidden))
        a3: Any = decode(params, a2, output=output)
    elif hasattr(model, "reconstruct"):
        a3 = model.reconstruct(X)
    elif hasattr(model, "inverse_transform"):
        a3 = model.inverse_transform(model.transform(X))
    else:
        raise TypeError(f"model must be a fitted model that can reconstruct, or Params, got {type(model).__name__}")
    return finite("reconstructions of X", np.asarray(a3, dtype=np.float64))


def hidden_of(model: Any, hidden: Hidden | None) -> Hidden:
    """The kind of (the last layer's) hidden unit: ``hidden``, else what the model says, else sigmoid."""
    found: Any = getattr(model, "hidden", "sigmoid")
    if hasattr(model, "units_"):
        found = model.units_[-1]
    elif hasattr(model, "_units"):
        found = model._units[0]
    unit = found if hidden is None else hidden
    check_hidden(unit)
    return cast("Hidden", unit)


def check_reached(name: str, values: F64, unit: Hidden) -> None:
    """Are these activations, mapped to [0, 1] where they have bounds, such that the unit can have them?"""
    low, high = (0.0, 1.0) if UNITS[unit].bounded else (UNITS[unit].low, UNITS[unit].high)
    if values.min() < low or values.max() > high:
        wanted = f"in [{low:g}, {high:g}]" if np.isfinite(high) else f">= {low:g}"
        raise ValueError(f"{name} must be {wanted}, got {values.min():g} to {values.max():g}")


def of_last_layer(value: Any) -> Any:
    """What a stack keeps layer by layer, for its last one."""
    return value[-1] if isinstance(value, (list, tuple)) else value


# Pictures


def as_pictures(rows: F64, shape: Shape | None, what: str) -> F64:
    """Rows as pictures: (n, rows, columns), or (n, rows, columns, 3) in colour."""
    n = rows.shape[1]
    if shape is None:
        side = math.isqrt(n)
        if side * side == n:
            return rows.reshape(-1, side, side)
        raise ValueError(f"shape must be given: {n} {what} do not fill a square")
    if not isinstance(shape, Sequence) or len(shape) not in (2, 3) or min(shape) < 1 or math.prod(shape) != n:
        raise ValueError(f"shape must be (rows, columns) or (rows, columns, 3) with {n} pixels, got {shape}")
    pictures = rows.reshape(-1, *shape)
    if len(shape) == 3 and shape[2] != 3:
        if shape[0] != 3:
            raise ValueError(f"shape must have 3 channels, last or first, got {shape}")
        pictures = np.moveaxis(pictures, 1, -1)
    return pictures


def mosaic(pictures: F64, across: int) -> F64:
    """Pictures in a grid with lines of NaN between and around them, each pixel repeated until lines are thin beside it.

    Colour gives RGBA, transparent in the lines.
    """
    n, rows, columns = pictures.shape[:3]
    zoom = max(1, round(24 / max(rows, columns)))
    big = pictures.repeat(zoom, axis=1).repeat(zoom, axis=2)
    rows, columns = big.shape[1:3]
    down = math.ceil(n / across)
    size = (down * (rows + 1) + 1, across * (columns + 1) + 1)
    colour = pictures.ndim == 4
    grid = np.zeros((*size, 4)) if colour else np.full(size, np.nan)
    for i, picture in enumerate(big):
        r, c = (i // across) * (rows + 1) + 1, (i % across) * (columns + 1) + 1
        if colour:
            grid[r : r + rows, c : c + columns, :3] = picture
            grid[r : r + rows, c : c + columns, 3] = 1
        else:
            grid[r : r + rows, c : c + columns] = picture
    return grid
