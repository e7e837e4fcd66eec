"""What is usual, and how far chunks of usual rows stray from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..estimators._unit_report import statuses
from ._looks import RANGED, SUMMED, Chunk, Seen, outside, see

F64 = NDArray[np.float64]
METRICS = (
    "reconstruction_error", "rho_hat_shift", "dead", "saturated", "out_of_range", "missing", "largest_shift",
    "mean_shift",
)  # fmt: skip
BINS = 10
DRAWS = 2000
RARE = 0.01  # of the rows, above and below, may have other values than a feature that counts as constant
DEVIATIONS = 3.0
FEWEST = 40


@public_in("sae_fast")
class Reference(NamedTuple):
    """Statistics of reference rows, by which chunks are judged; the limits are of the metrics, in their order."""

    mean: F64
    sd: F64
    low: F64
    high: F64
    edges: F64
    shares: F64
    rho_hat: F64
    unit_sd: F64
    lower: F64
    upper: F64
    usual: F64


def metrics_of(model: Any, reference: Any, chunk: Chunk, seen: Seen) -> F64:
    """All metrics of a chunk, of whose rows the network has seen some; those without rows to tell them are NaN."""
    shift = _standardised(chunk.total / max(chunk.n_summed, 1) - reference.mean, reference.sd)
    of_units = _of_units(model, reference, seen.errors, seen.codes)
    n_features = len(reference.mean)
    out_of_range = chunk.n_outside / max(chunk.n_ranged, 1)
    missing = chunk.n_missing / max(chunk.n_summed * n_features, 1)
    return np.array([*of_units, out_of_range, missing, np.abs(shift).max(), np.sqrt(np.mean(shift * shift))])


def _of_units(model: Any, reference: Any, errors: F64, codes: F64) -> tuple[float, float, float, float]:
    if not len(errors):
        return (np.nan,) * 4
    away = _standardised(codes.mean(axis=0) - reference.rho_hat, reference.unit_sd)
    status = statuses(model._rho_fitted_, codes.min(axis=0), codes.max(axis=0), model._units[0])
    dead, saturated = np.mean(status == "dead"), np.mean(status == "saturated")
    return float(errors.mean()), float(np.sqrt(np.mean(away * away))), float(dead), float(saturated)


def _standardised(away: F64, sd: F64) -> F64:
    return np.divide(away, sd, out=np.zeros_like(away), where=sd > 0)


def learn(model: Any, X: NDArray[Any], chunk_size: int, every: int, seed: int = 0) -> Reference:
    """Statistics of one half of the rows, and limits by chunks that are drawn from the other one.

    So the limits know how far rows stray that the statistics have not seen. ``DRAWS`` chunks are drawn, with
    replacement (the bootstrap); limits are mean and three standard deviations of a metric over these, or as far as one
    of them went, where that is farther.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    known, fresh = X[np.sort(order[: len(X) // 2])], X[np.sort(order[len(X) // 2 :])]
    seen = see(model, known)
    mean, sd = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
    edges = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], axis=0).astype(np.float64)
    low, high = (end.astype(np.float64) for end in (known.min(axis=0), known.max(axis=0)))
    # A mean of rare values tells little; whether there is one at all tells more.
    first, last = np.quantile(known, [RARE, 1 - RARE], axis=0).astype(np.float64)
    rare = first == last
    low, high, sd = np.where(rare, first, low), np.where(rare, first, high), np.where(rare, 0.0, sd)
    none = np.zeros(len(METRICS))
    found = Reference(
        mean, sd, low, high, edges, counts_of(edges, known) / len(known), seen.codes.mean(axis=0),
        seen.codes.std(axis=0), none, none, none
    )  # fmt: skip
    draws = _draws(model, found, fresh, (chunk_size, every), rng)
    usual = draws.mean(axis=0)
    # Chunks of the fresh rows stray from these rows' mean, which strays from the truth itself.
    width = DEVIATIONS * draws.std(axis=0) * np.sqrt(1 + chunk_size / len(fresh))
    lower = np.minimum(usual - width, draws.min(axis=0))
    upper = np.maximum(usual + width, draws.max(axis=0))
    return found._replace(lower=lower, upper=upper, usual=usual)


def _draws(model: Any, found: Reference, fresh: NDArray[Any], size: tuple[int, int], rng: np.random.Generator) -> F64:
    """Metrics of chunks that are drawn, row by row of them."""
    from scipy.sparse import csr_array

    chunk_size, every = size
    n_summed, n_ranged, n_looked = (-(-chunk_size // step) for step in (SUMMED, RANGED, every))
    n = len(fresh)
    picked = rng.integers(n, size=(DRAWS, n_summed))
    start = np.arange(0, DRAWS * n_summed + 1, n_summed)
    draw = csr_array((np.full(picked.size, 1 / n_summed), picked.reshape(-1), start), shape=(DRAWS, n))
    shift = _standardised(
        draw @ fresh.astype(np.float64) - found.mean, np.broadcast_to(found.sd, (DRAWS, len(found.sd)))
    )
    seen = see(model, fresh)
    rows = np.empty((DRAWS, len(METRICS)))
    for row, looked in zip(rows, rng.integers(n, size=(DRAWS, n_looked)), strict=True):
        row[:4] = _of_units(model, found, seen.errors[looked], seen.codes[looked])
    rows[:, 4] = outside(fresh, found.low, found.high)[picked[:, :n_ranged]].mean(axis=1)
    rows[:, 5] = 0
    rows[:, 6] = np.abs(shift).max(axis=1)
    rows[:, 7] = np.sqrt(np.mean(shift * shift, axis=1))
    return rows


def counts_of(edges: NDArray[Any], X: NDArray[Any]) -> F64:
    """How many rows fall between the edges of each feature, shape (BINS, n_features)."""
    above = np.zeros(edges.shape)
    for i in range(0, len(X), 255):  # bytes, which hold no larger sums, are added fastest
        for edge, count in zip(edges, above, strict=True):
            count += (edge < X[i : i + 255]).view(np.uint8).sum(axis=0, dtype=np.uint8)
    return -np.diff(above, axis=0, prepend=float(len(X)), append=0.0)


def psi(shares: F64, counts: F64) -> F64:
    """Population stability index of each feature: sum (p - q) log(p / q) over the bins that either has.

    Half a row is added to each bin, so that an empty one is no infinity.
    """
    used = (shares > 0) | (counts > 0)
    n = counts.sum(axis=0)
    p = np.where(used, shares * n + 0.5, 1.0)
    q = np.where(used, counts + 0.5, 1.0)
    p, q = (a / np.where(used, a, 0).sum(axis=0) for a in (p, q))
    index: F64 = np.where(used, (p - q) * np.log(p / q), 0.0).sum(axis=0)
    return index


def wasserstein(reference: Reference, counts: F64) -> F64:
    """Wasserstein-1 distance of each feature in its standard deviations, 0 for constant ones, of the binned values.

    The area between both distribution functions, within the reference's range.
    """
    ends = np.vstack([reference.low, reference.edges, reference.high])
    n = np.maximum(counts.sum(axis=0), 1)
    apart = np.abs(np.cumsum(reference.shares, axis=0) - np.cumsum(counts, axis=0) / n)
    heights = (apart + np.vstack([np.zeros(len(n)), apart[:-1]])) / 2
    return _standardised((heights * np.diff(ends, axis=0)).sum(axis=0), reference.sd)
