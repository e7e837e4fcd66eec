"""Pruning of hidden units that the reconstruction does not need."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..estimators._inside import network_input
from ..estimators._layer_training import Samples
from ..estimators._unit_report import correlations, strongest
from ..network._checks import check_in
from ..network._data import Data
from ..network._functional import decode
from ..network._types import Hidden, Output, Params
from ..reference._units import UNITS as FORMULAS

if TYPE_CHECKING:
    from ..estimators._estimator import SparseAutoencoder

Model = TypeVar("Model", bound="SparseAutoencoder")

ROUNDING = 16


@public_in("sae_fast")
@dataclass(frozen=True, eq=False)
class PruneResult(Generic[Model]):
    """What :func:`prune_units` gives.

    Attributes
    ----------
    model : SparseAutoencoder
        The smaller model.
    kept : ndarray of int
        Units of the old model that it has, in order: its codes are ``old.transform(X)[:, kept]``, to rounding.
    merged_into : ndarray of int, shape (n_hidden of the old model,)
        For each old unit the one that took over its part; itself if it was kept, -1 if the decoder's bias did.
    bound : float
        What the reconstruction can have changed by over the samples, before rounding; at most the tolerance, and like
        it in the unit of the network's output.
    largest_change : float
        What it has changed by: the largest absolute difference over the samples, measured.
    """

    model: Model
    kept: NDArray[np.intp]
    merged_into: NDArray[np.intp]
    bound: float
    largest_change: float

    def __str__(self) -> str:
        n, removed = len(self.merged_into), len(self.merged_into) - len(self.kept)
        constant = int(np.sum(self.merged_into < 0))
        return (
            f"{removed} of {n} units removed, {constant} constant and {removed - constant} merged into others; "
            f"the reconstruction changes by at most {self.largest_change:.3g}"
        )


@public_in("sae_fast")
def prune_units(model: Model, X: ArrayLike, *, tolerance: float | None = None) -> PruneResult[Model]:
    """Remove hidden units that are constant or say the same as another one, and leave the reconstruction as it is.

    A unit whose activation over ``X`` stays within [low, high] is replaced by its middle, which goes into the
    decoder's bias. A unit whose activation is an affine function of another one's, ``a_k = c a_j + d`` (a copy, or with
    c = -1 the mirrored one), goes into that unit: ``c`` times its decoder column is added to the other's, ``d``
    times it to the bias. Either changes ``z3`` by at most the unit's decoder column times the largest deviation over
    the samples, and the output by at most its steepest slope (1/4 for sigmoid, else 1) times that; a deviation within
    the rounding of the activations counts as none. Units are removed, the one that changes least first, while the sum
    of these changes stays within the tolerance for every feature.

    Parameters
    ----------
    model : SparseAutoencoder
        Fitted; it is not changed.
    X : array_like of shape (n_samples, n_features)
        Samples over which the reconstruction is to stay. Nothing is said about others: give all that matter.
    tolerance : float, optional
        Largest change of any entry of the reconstruction that removals may add up to, >= 0, in the unit of the
        network's output (that of ``X``, unless the model scales). By default 16 times the rounding of the largest
        entry: nothing goes that makes a difference beyond the last digits. 0.01 also removes what hardly matters.

    Returns
    -------
    PruneResult
        The smaller model (at least one unit stays), the units kept, the bound, and the change that was measured.
        The model's ``cost_`` and ``rho_hat_`` are those over ``X``: J has lost the penalties of the units removed.

    Raises
    ------
    ValueError
        Data of another width, NaN or infinity, or a negative tolerance.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (200, 16))
    >>> model = sf.SparseAutoencoder(8, max_iter=50, random_state=0).fit(X)
    >>> W1, b1, W2, b2 = model.params_
    >>> b1[0] = -800  # dead
    >>> W1[2], b1[2] = W1[1], b1[1]  # a copy
    >>> W1[4], b1[4] = -W1[3], -b1[3]  # mirrored
    >>> pruned = sf.prune_units(model, X)
    >>> print(pruned.kept, pruned.merged_into)
    [1 3 5 6 7] [-1  1  1  3  3  5  6  7]
    >>> pruned.largest_change < 1e-14
    True
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    model._check_unchanged("hidden", "output")
    codes = np.asarray(model.transform(X))
    old = model.params_
    before = decode(old, codes, output=model.output, n_threads=model.n_threads)
    if tolerance is None:
        tolerance = ROUNDING * float(np.finfo(codes.dtype).eps) * max(1.0, float(np.abs(before).max()))
    else:
        tolerance = check_in("tolerance", tolerance, 0.0, math.inf, ">= 0 and finite")
    data = network_input(model, X)
    work = Removal(old, codes, model.output, tolerance, rounding(old, data, codes, model.hidden))
    work.remove_constant()
    while work.merge():
        pass
    kept = np.flatnonzero(work.kept)
    arrays = (old.W1[kept], old.b1[kept], work.W2[:, kept], work.b2)
    params = Params(*(np.ascontiguousarray(a, codes.dtype) for a in arrays))
    new = copy.copy(model)
    new.set_params(n_components=len(kept))
    new.params_ = params
    new._measure(Samples(Data(data)), new._check_parameters())
    after = decode(params, np.asarray(new.transform(X)), output=new.output, n_threads=new.n_threads)
    change = float(np.abs(after.astype(np.float64) - before).max())
    return PruneResult(new, kept, work.merged_into, float(work.change.max()), change)


class Removal:
    """One pruning: which units are left, the decoder that makes up for the others, and the change so far.

    Attributes
    ----------
    kept : ndarray of bool, shape (n_hidden,)
    merged_into : ndarray of int, shape (n_hidden,)
    W2, b2 : ndarray
        Decoder, float64; columns of removed units no longer count.
    change : ndarray of shape (n_visible,)
        Bound of the change of each feature of the reconstruction.
    """

    def __init__(
        self, params: Params, codes: NDArray[Any], output: Output, tolerance: float, rounding: NDArray[np.float64]
    ) -> None:
        self.kept = np.ones(codes.shape[1], bool)
        self.merged_into = np.arange(codes.shape[1])
        self.W2, self.b2 = params.W2.astype(np.float64), params.b2.astype(np.float64)
        self.change = np.zeros(len(self.b2))
        self._codes = codes
        self._rounding = rounding
        self._slope = steepest(output)
        self._tolerance = tolerance
        self._correlations: NDArray[np.float64] | None = None

    def remove_constant(self) -> None:
        """Move units whose activation hardly varies into the bias."""
        low, high = self._codes.min(axis=0).astype(np.float64), self._codes.max(axis=0).astype(np.float64)
        deviation = (high - low) / 2
        deviation[deviation <= self._rounding] = 0
        for k in np.argsort(deviation * np.abs(self.W2).max(axis=0), kind="stable").tolist():
            if self.kept.sum() > 1 and self._allows(k, deviation[k]):
                self.b2 += (low[k] + high[k]) / 2 * self.W2[:, k]
                self._remove(k, -1)

    def merge(self) -> bool:
        """Merge units into those that they are most correlated with; was there one?"""
        if self._correlations is None:
            self._correlations = correlations(self._codes)
        table = self._correlations * self.kept * self.kept[:, None]
        partner, _ = strongest(table)
        candidates = []
        for k in np.flatnonzero(self.kept & (partner >= 0)).tolist():
            c, d, deviation = affine(self._codes[:, partner[k]], self._codes[:, k], self._rounding[k])
            candidates.append((deviation * float(np.abs(self.W2[:, k]).max()), -k, c, d, deviation))
        before = int(self.kept.sum())
        for _, minus_k, c, d, deviation in sorted(candidates):
            k, j = -minus_k, int(partner[-minus_k])
            if self.kept[j] and self._allows(k, deviation):
                self.W2[:, j] += c * self.W2[:, k]
                self.b2 += d * self.W2[:, k]
                self._remove(k, j)
        return int(self.kept.sum()) < before

    def _allows(self, k: int, deviation: float) -> bool:
        """May unit ``k`` be replaced by what differs from it by at most ``deviation``? Then the change counts."""
        change = self.change + self._slope * deviation * np.abs(self.W2[:, k])
        if not change.max() <= self._tolerance:
            return False
        self.change = change
        return True

    def _remove(self, k: int, heir: int) -> None:
        self.kept[k] = False
        self.merged_into[self.merged_into == k] = heir


def affine(x: NDArray[Any], y: NDArray[Any], limit: float) -> tuple[float, float, float]:
    """Slope c and offset d of ``y = c x + d`` by least squares, and the largest deviation; 0 if within the limit."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    x0, y0 = x.mean(), y.mean()
    centred = x - x0
    c = float(centred @ (y - y0) / (centred @ centred))
    d = float(y0 - c * x0)
    deviation = float(np.abs(c * x + d - y).max())
    return c, d, 0.0 if deviation <= limit else deviation


def steepest(unit: str) -> float:
    """Largest slope of a unit: at 0, or where a unit with kinks is neither off nor at its bound."""
    return float(FORMULAS[unit].slope(np.array([0.0, 0.5])).max())


def rounding(params: Params, X: NDArray[Any], codes: NDArray[Any], hidden: Hidden) -> NDArray[np.float64]:
    """What each unit's activations may be off by for rounding alone: that of the pre-activation, and their own."""
    size = np.abs(params.W1).astype(np.float64) @ np.abs(X).max(axis=0) + np.abs(params.b1)
    largest = np.abs(codes).max(axis=0).astype(np.float64)
    limit: NDArray[np.float64] = 2 * steepest(hidden) * size + 4 * largest
    return float(np.finfo(codes.dtype).eps) * limit
