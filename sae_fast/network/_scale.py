"""What scales data into the range of an output unit, and how a layer takes the scaling over. NumPy alone.

A layer on scaled data, ``W (S x + t) + b``, is the layer ``(W S) x + (W t + b)`` on the data themselves; ``absorb``
gives its weights and bias.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ._checks import check_in, check_output
from ._types import FloatArray, Output
from ._units import UNITS

Scaling: TypeAlias = Literal["none", "minmax", "ufldl"]
Clip: TypeAlias = Literal["error", "ignore"]
Affine: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights W and bias b of ``W x + b``."""

SCALINGS = ("none", "minmax", "ufldl")
MARGIN = 0.1
CUTS = (
    "cuts data, which no affine map does; clip='ignore' leaves the cut out, and codes of samples that it would not "
    "touch are the same"
)


def check_clip(clip: str) -> None:
    """What :func:`sae_fast.fold` shall do with a step that cuts."""
    if not isinstance(clip, str) or clip not in ("error", "ignore"):
        raise ValueError(f"clip must be 'error' or 'ignore', got {clip!r}")


def shift_and_divide(
    W: NDArray[np.float64], b: NDArray[np.float64], shift: NDArray[Any] | None, divisor: NDArray[Any] | None
) -> Affine:
    """The layer that does ``(x - shift) / divisor`` first."""
    if divisor is not None:
        W = W / divisor
    return W, b if shift is None else b - W @ shift


def exact_sums(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row, rounded once: the same bits on any machine, and in ``csrc/files/folding.cpp``. NaN on overflow."""
    return np.array([_exact_sum(row) for row in A])


def _exact_sum(row: NDArray[np.float64]) -> float:
    try:
        return math.fsum(row.tolist())
    except (OverflowError, ValueError):  # on the way, or of infinities
        return math.nan


def target_range(output: Output, margin: float) -> tuple[float, float]:
    """Where scaled data lie: the range of the output unit less ``margin`` of it at both ends, [0, 1] if it has none."""
    check_output(output)
    check_in("margin", margin, 0.0, 0.5, "in [0, 0.5)")
    unit = UNITS[output]
    low, high = (unit.low, unit.high) if unit.bounded else (0.0, 1.0)
    free = margin * (high - low)
    return low + free, high - free


@public_in("sae_fast")
class UnitScale(NamedTuple):
    """``low + (high - low) (x - minimum) / span``; a feature of span 0 is constant, and becomes the middle."""

    low: float
    high: float
    minimum: NDArray[np.float64]
    span: NDArray[np.float64]

    def forward(self, X: FloatArray, cut: bool = True) -> FloatArray:
        """Scaled data, in the dtype of ``X``. Nothing is cut here."""
        kind = X.dtype.type
        constant = self.span == 0
        scaled: FloatArray = X - self.minimum.astype(kind)
        # A span learned in float64 may be 0 in float32, where nothing resolves it.
        scaled /= np.where(constant, 1, np.maximum(self.span, np.finfo(kind).tiny)).astype(kind)
        scaled[:, constant] = 0.5
        scaled *= kind(self.high - self.low)
        scaled += kind(self.low)
        return scaled

    def backward(self, X: FloatArray) -> FloatArray:
        """Data from scaled data."""
        kind = X.dtype.type
        data: FloatArray = X - kind(self.low)
        data *= (self.span / (self.high - self.low)).astype(kind)
        data += self.minimum.astype(kind)
        return data

    def restore(self, scaled: FloatArray, X: FloatArray) -> FloatArray:
        """Data from the scaled reconstructions of the samples ``X``."""
        return self.backward(scaled)

    def absorb(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> Affine:
        """The layer that scales first."""
        constant = self.span == 0
        slope = np.where(constant, 0.0, (self.high - self.low) / np.where(constant, 1.0, self.span))
        start = np.where(constant, 0.5 * (self.low + self.high), self.low)
        folded = W * slope
        return folded, b + (exact_sums(W * start) - exact_sums(folded * self.minimum))


@public_in("sae_fast")
class UFLDLScale(NamedTuple):
    """Each sample less its own mean, cut at +-limit, mapped to [low, high]; at limit 0 all is the middle."""

    low: float
    high: float
    limit: float

    def forward(self, X: FloatArray, cut: bool = True) -> FloatArray:
        """Scaled data, in the dtype of ``X``; without the cut they may lie beyond [low, high]."""
        kind = X.dtype.type
        scaled = self._centred(X)
        limit = kind(self.limit)
        if cut or not limit > 0:
            np.clip(scaled, -limit, limit, out=scaled)
        scaled /= limit if limit > 0 else kind(1)
        scaled *= kind(0.5 * (self.high - self.low))
        scaled += kind(0.5 * (self.high + self.low))
        return scaled

    def backward(self, X: FloatArray) -> FloatArray:
        """Data about their samples' means, which the scaled data do not tell."""
        kind = X.dtype.type
        data: FloatArray = X - kind(0.5 * (self.high + self.low))
        data *= kind(2 * self.limit / (self.high - self.low))
        return data

    def restore(self, scaled: FloatArray, X: FloatArray) -> FloatArray:
        """Data from the scaled reconstructions of the samples ``X``, about whose means they are put."""
        data = self.backward(scaled)
        data += X.mean(axis=1, keepdims=True, dtype=np.float64).astype(data.dtype)
        return data

    def absorb(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> Affine:
        """The layer that scales first, without the cut."""
        slope = 0.5 * (self.high - self.low) / self.limit if self.limit > 0 else 0.0
        sums = exact_sums(W)
        folded = slope * (W - (sums / W.shape[1])[:, None])
        return folded, b + 0.5 * (self.high + self.low) * sums

    @staticmethod
    def _centred(X: FloatArray) -> FloatArray:
        # Less one of its entries first: the mean then rounds like what varies, not like the level.
        centred: FloatArray = X - X[:, :1]
        centred -= centred.mean(axis=1, keepdims=True, dtype=np.float64).astype(X.dtype)
        return centred


Scale: TypeAlias = UnitScale | UFLDLScale


class Extent(NamedTuple):
    """What :class:`UnitScale` is made of: the values of each feature so far, and the coarsest type of them."""

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    dtype: str

    def joined(self, other: Extent) -> Extent:
        """Of the samples of both."""
        coarser = self.dtype if np.finfo(self.dtype).eps > np.finfo(other.dtype).eps else other.dtype
        return Extent(np.minimum(self.minimum, other.minimum), np.maximum(self.maximum, other.maximum), coarser)


def extent_of(X: FloatArray, weight: NDArray[np.float64] | None = None) -> Extent:
    """Smallest and largest values of the features over the samples of weight > 0."""
    where: Any = True if weight is None else (weight > 0)[:, None]
    minimum = X.min(axis=0, where=where, initial=np.inf)
    maximum = X.max(axis=0, where=where, initial=-np.inf)
    return Extent(minimum.astype(np.float64), maximum.astype(np.float64), X.dtype.name)


def unit_scale(extent: Extent, output: Output, margin: float, per_feature: bool = True) -> UnitScale:
    """By the smallest and largest value of each feature, or of all data.

    A feature is constant if no more than rounding moves it: by two steps of its type, so that it has at most three
    neighbouring values.
    """
    low, high = target_range(output, margin)
    kind = np.finfo(extent.dtype)
    minimum, maximum, _ = extent
    if not per_feature:
        minimum, maximum = np.full_like(minimum, minimum.min()), np.full_like(maximum, maximum.max())
    with np.errstate(over="ignore"):
        span = maximum - minimum
    if not np.all(span <= kind.max):
        worst = int(np.argmax(span))
        raise ValueError(f"X must have a range that {extent.dtype} holds, got {minimum[worst]} to {maximum[worst]}")
    rounding = 2 * spacing(np.maximum(np.abs(minimum), np.abs(maximum)), np.dtype(extent.dtype))
    span[span <= np.maximum(rounding, 4 * float(kind.tiny))] = 0.0
    return UnitScale(low, high, minimum, span)


def spacing(size: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Distance from ``size`` >= 0 to the next number of a type, which need not hold it itself; 0 at 0."""
    _, exponent = np.frexp(size)
    step: NDArray[np.float64] = np.ldexp(float(np.finfo(dtype).eps), exponent - 1)
    return np.where(size > 0, step, 0.0)


class Spread(NamedTuple):
    """What :class:`UFLDLScale` is made of: the weight of the samples so far, and two root mean squares over them."""

    weight: float
    sigma: float
    """Of all entries about their samples' means."""
    rounding: float
    """Of the steps of the type at the samples' largest entries."""

    def joined(self, other: Spread) -> Spread:
        """Of the samples of both."""
        weight = self.weight + other.weight
        mine, theirs = np.sqrt(self.weight / weight), np.sqrt(other.weight / weight)
        return Spread(
            weight,
            float(np.hypot(mine * self.sigma, theirs * other.sigma)),
            float(np.hypot(mine * self.rounding, theirs * other.rounding)),
        )


def spread_of(X: FloatArray, weight: NDArray[np.float64] | None = None) -> Spread:
    """Standard deviation of all entries about their samples' means; samples may be weighted."""
    top = float(np.abs(X).max())
    if not top * X.shape[1] < np.finfo(np.float64).max:
        raise ValueError(f"X must have samples whose sums do not overflow, got {top}")
    unit = top if top > 0 else 1.0
    squares, steps = np.empty(len(X)), np.empty(len(X))
    rows = max(1, (1 << 20) // X.shape[1])
    for i in range(0, len(X), rows):
        block = X[i : i + rows].astype(np.float64)
        steps[i : i + rows] = (spacing(np.abs(block).max(axis=1), X.dtype) / unit) ** 2
        block /= unit
        block -= block[:, :1].copy()  # flat samples are then 0, and the mean rounds like what varies
        block -= block.mean(axis=1, keepdims=True)
        squares[i : i + rows] = np.einsum("ij,ij->i", block, block) / X.shape[1]
    sigma, rounding = (float(np.sqrt(np.average(a, weights=weight))) * unit for a in (squares, steps))
    return Spread(float(len(X)) if weight is None else float(weight.sum()), sigma, rounding)


def ufldl_scale(spread: Spread, n_sigma: float, output: Output, margin: float, dtype: np.dtype[Any]) -> UFLDLScale:
    """By the standard deviation sigma of all entries about their samples' means."""
    low, high = target_range(output, margin)
    check_in("n_sigma", n_sigma, np.nextafter(0.0, 1.0), np.inf, "> 0 and finite")
    limit = float(n_sigma * spread.sigma)
    flat = spread.sigma <= spread.rounding or limit <= 4 * float(np.finfo(dtype).tiny)
    return UFLDLScale(low, high, 0.0 if flat else limit)


def scale_to_json(scale: Scale) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Numbers and arrays of the model file."""
    about: dict[str, Any] = {"low": scale.low, "high": scale.high}
    if isinstance(scale, UnitScale):
        return about | {"kind": "minmax"}, {"scale_minimum": scale.minimum, "scale_span": scale.span}
    return about | {"kind": "ufldl", "limit": scale.limit}, {}


def scale_from_json(about: dict[str, Any], arrays: dict[str, NDArray[Any]], n_visible: int) -> Scale:
    """The inverse of :func:`scale_to_json`; ValueError, KeyError or TypeError if it does not hold a scale."""
    low, high = float(about["low"]), float(about["high"])
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"scale must have low < high, got {low} and {high}")
    if about["kind"] == "ufldl":
        return UFLDLScale(low, high, check_in("limit", about["limit"], 0.0, np.inf, ">= 0 and finite"))
    if about["kind"] != "minmax":
        raise ValueError(f"scale must be 'minmax' or 'ufldl', got {about['kind']!r}")
    minimum, span = arrays.pop("scale_minimum"), arrays.pop("scale_span")
    for name, array in (("scale_minimum", minimum), ("scale_span", span)):
        if array.shape != (n_visible,) or array.dtype != np.float64 or not np.all(np.isfinite(array)):
            raise ValueError(f"{name} must be {n_visible} finite numbers, got {array.dtype} {array.shape}")
    if np.any(span < 0):
        raise ValueError("scale_span must be >= 0")
    return UnitScale(low, high, minimum, span)
