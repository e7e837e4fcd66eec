"""What is usual, and how far chunks of usual rows stray from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._public import public_in
from ..estimators._unit_report import dead_and_saturated
from ._looks import N_KEPT, N_MISSING, N_OUTSIDE, N_RANGED, N_SUMMED, RANGED, STEPS
from ._watched import Seen, hidden_of, rho_of, see

F64 = NDArray[np.float64]
METRICS = (
    "reconstruction_error", "rho_hat_shift", "dead", "saturated", "out_of_range", "missing", "largest_shift",
    "mean_shift",
)  # fmt: skip
OF_NOISE = np.array([name.endswith("shift") for name in METRICS])  # distances, of which chance alone makes some
LARGEST = np.array([np.inf, np.inf, 1, 1, 1, 1, np.inf, np.inf])  # that each of them can be; none is below 0
BINS = 10
DRAWS = 2000
RARE = 0.01  # of the rows, above and below, may have other values than a feature that counts as constant
DEVIATIONS = 3.0
MARGIN = 2.5  # standard deviations of a mean: chance takes back more of a move in one of 160 chunks
FEWEST = 40
MOST = 1 << 13  # rows of a chunk that are drawn; limits of larger chunks are as wide as with so many
ROUNDING = 8  # last places, by which equal codes may differ
FEW = 4  # rows, by whose mean is judged with care
ENTRIES = 1 << 18  # of activations that are drawn at a time


@public_in("sae_fast")
class Reference(NamedTuple):
    """Statistics of reference rows, by which chunks are judged; the limits are of the metrics, in their order.

    Of ``summed`` rows one is summed.
    """

    mean: F64
    sd: F64
    low: F64
    high: F64
    edges: F64
    shares: F64
    areas: F64
    rho_hat: F64
    unit_sd: F64
    lower: F64
    upper: F64
    usual: F64
    summed: int


def metrics_of(model: Any, reference: Any, chunks: Any, seen: Seen) -> tuple[F64, F64]:
    """Metrics and mean activations of chunks, each (n_chunks, ...); of whose rows the network has seen some.

    What no row can tell is NaN.
    """
    totals, tallies = chunks[:2]
    metrics = np.empty((len(totals), len(METRICS)))
    n_kept = tallies[:, N_KEPT].copy()
    errors, sums, lowest, highest = _by_chunk(seen, n_kept)
    some = np.maximum(n_kept, 1)
    metrics[:, :4] = _of_units(model, reference, errors / some, sums, n_kept, lowest, highest)
    metrics[:, 4] = tallies[:, N_OUTSIDE] / np.maximum(tallies[:, N_RANGED], 1)
    metrics[:, 5] = tallies[:, N_MISSING] / np.maximum(tallies[:, N_SUMMED] * totals.shape[1], 1)
    metrics[:, 6:] = _shifts(totals, tallies[:, N_SUMMED].copy(), reference.mean, reference.sd)
    return metrics, sums / some[:, None]


def _by_chunk(seen: Seen, sizes: NDArray[np.int64]) -> tuple[F64, F64, F64, F64]:
    """Of chunks whose rows follow one another, sums of errors and codes, lowest and highest codes.

    Sums go from row to row. NaN where a chunk has no row.
    """
    errors, unused = np.empty((len(sizes), 1)), np.empty((len(sizes), 1))
    _core.reduce_chunks(seen.errors[:, None], sizes, errors, unused, unused.copy())
    sums, low, high = np.empty((3, len(sizes), seen.codes.shape[1]))
    _core.reduce_chunks(seen.codes, sizes, sums, low, high)
    return errors[:, 0], sums, low, high


def _of_units(
    model: Any, reference: Any, errors: F64, sums: F64, sizes: NDArray[np.int64], lowest: F64, highest: F64
) -> F64:
    """The first four metrics of chunks.

    By mean errors, and sums, lowest and highest activations of units over so many rows.
    """
    metrics = np.empty((len(errors), 4))
    metrics[:, 0] = errors
    metrics[:, 1] = _shifts(sums, sizes, reference.rho_hat, reference.unit_sd)[:, 1]
    both = dead_and_saturated(rho_of(model), lowest, highest, hidden_of(model))
    for k, units in enumerate(both, 2):
        metrics[:, k] = np.where(np.isnan(errors), np.nan, units.mean(axis=1))
    return metrics


def _shifts(totals: F64, sizes: NDArray[np.int64], mean: F64, sd: F64) -> F64:
    """How far means over so many rows are from ``mean``, by ``sd``: the largest, and the root mean square."""
    shifts = np.empty((len(totals), 2))
    _core.mean_shifts(totals, sizes, mean, sd, shifts)
    return shifts


def _standardised(away: F64, sd: F64) -> F64:
    varies = sd > 0
    return np.divide(away, sd, out=np.zeros_like(away), where=varies)


def limits_of(reference: Reference, sizes: NDArray[Any], size: tuple[int, int]) -> tuple[F64, F64]:
    """Lower and upper limits of the metrics of chunks of these sizes, each (n_chunks, n_metrics).

    What is a mean over rows strays the more, the fewer they are: in a chunk that is not full, of ``size``'s rows,
    limits are wider by the square root of how many more a full one has, or by that number itself where fewer than four
    rows were looked at, whose mean may have long tails. Units are not called dead or saturated by less than a full one.
    """
    chunk_size, every = size
    if np.all(sizes >= chunk_size):
        both = (len(sizes), len(METRICS))
        return np.broadcast_to(reference.lower, both), np.broadcast_to(reference.upper, both)
    summed = reference.summed
    steps = np.array([every, every, 1, 1, RANGED, summed, summed, summed])
    rows = np.minimum(sizes, chunk_size)[:, None]
    looked = -(-rows // steps)
    wider = -(-chunk_size // steps) / looked
    wider = np.where(looked < FEW, wider, np.sqrt(wider))
    about = np.where(OF_NOISE, 0.0, reference.usual)  # that, too, is larger where rows are few
    lower = np.where(OF_NOISE, reference.lower, about - (about - reference.lower) * wider)
    upper = about + (reference.upper - about) * wider
    lower, upper = np.maximum(lower, 0.0), np.minimum(upper, LARGEST)
    short = rows < chunk_size
    lower[:, 2:4] = np.where(short, 0.0, lower[:, 2:4])
    upper[:, 2:4] = np.where(short, 1.0, upper[:, 2:4])
    return np.where(short, lower, reference.lower), np.where(short, upper, reference.upper)


def beyond(reference: Reference, metrics: F64, sizes: NDArray[Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether each metric of each chunk is beyond its limits; NaN is not."""
    lower, upper = limits_of(reference, sizes, size)
    slack = 1e-12 * (np.abs(lower) + np.abs(upper))
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = (metrics < lower - slack) | (metrics > upper + slack)
    return found


def learn(model: Any, X: NDArray[Any], chunk_size: int, every: int, seed: int = 0) -> Reference:
    """Statistics of one half of the rows, and limits by chunks that are drawn from the other one.

    So the limits know how far rows stray that the statistics have not seen. ``DRAWS`` chunks are drawn, with
    replacement (the bootstrap); limits are mean and three standard deviations of a metric over these, or as far as one
    of them went, where that is farther, and within what the metric can be.
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
    codes = seen.codes.astype(np.float64)
    found = Reference(
        mean, sd, low, high, edges, counts_of(edges, known) / len(known), areas_of(edges, known) / len(known),
        codes.mean(axis=0), _spread(codes, seen.codes.dtype), none, none, none, STEPS[-1],
    )  # fmt: skip
    summed, draws = _draws(model, found, fresh, (chunk_size, every), rng)
    lower, upper = _limits(draws, chunk_size, len(fresh))
    lower, upper = np.maximum(lower, 0.0), np.minimum(upper, LARGEST)
    return found._replace(lower=lower, upper=upper, usual=draws.mean(axis=0), summed=summed)


def _spread(codes: F64, kind: np.dtype[Any]) -> F64:
    """Standard deviations of units, 0 where rounding alone makes them, as with rows that are all the same."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    return np.where(high - low <= ROUNDING * np.finfo(kind).eps * np.abs(high), 0.0, codes.std(axis=0))


def _draws(
    model: Any, found: Reference, fresh: NDArray[Any], size: tuple[int, int], rng: np.random.Generator
) -> tuple[int, F64]:
    """Of how many rows one is to be summed, and metrics of chunks that are drawn, row by row of them."""
    chunk_size, every = size
    n_summed, n_ranged, n_looked = (min(-(-chunk_size // step), MOST) for step in (STEPS[-1], RANGED, every))
    n = len(fresh)
    picked = rng.integers(n, size=(DRAWS, n_summed))
    rows = np.empty((DRAWS, len(METRICS)))
    summed, rows[:, 6:] = _drawn_shifts(found, fresh, picked, chunk_size)
    seen = see(model, fresh)
    looked = rng.integers(n, size=(DRAWS, n_looked))
    some = max(1, ENTRIES // (n_looked * seen.codes.shape[1]))
    for i in range(0, DRAWS, some):
        at = looked[i : i + some]
        codes = seen.codes[at].astype(np.float64)
        rows[i : i + some, :4] = _of_units(
            model, found, seen.errors[at].mean(axis=1), codes.sum(axis=1), np.full(len(at), n_looked),
            codes.min(axis=1), codes.max(axis=1),
        )  # fmt: skip
    strays = np.any(((found.low > fresh) | (found.high < fresh)), axis=1)
    rows[:, 4] = strays[picked[:, :n_ranged]].mean(axis=1)
    rows[:, 5] = 0
    return summed, rows


def _drawn_shifts(found: Reference, fresh: NDArray[Any], picked: NDArray[np.intp], chunk_size: int) -> tuple[int, F64]:
    """The last two metrics of chunks of the rows that are picked, and of how many rows one is summed for them.

    Of as many as may be, if a feature that has moved by one standard deviation still goes beyond the limit, though
    chance moves its mean back by ``MARGIN`` standard deviations of a mean. Where features have long tails, as rare
    pixels, the limit is high with few rows.
    """
    from scipy.sparse import csr_array

    known = fresh.astype(np.float64)
    for step in STEPS:
        n = min(-(-chunk_size // step), MOST)
        some = picked[:, :n]
        start = np.arange(0, some.size + 1, n)
        draw = csr_array((np.ones(some.size), some.reshape(-1), start), shape=(len(picked), len(fresh)))
        metrics = _shifts(draw @ known, np.full(len(picked), n), found.mean, found.sd)
        if step == STEPS[-1] or _limits(metrics, chunk_size, len(fresh))[1][0] + MARGIN / np.sqrt(n) <= 1:
            break
    return step, metrics


def _limits(draws: F64, chunk_size: int, n_fresh: int) -> tuple[F64, F64]:
    """Lower and upper limits of metrics of chunks that are drawn, before what a metric can be."""
    usual = draws.mean(axis=0)
    # Chunks of the fresh rows stray from these rows' mean, which strays from the truth itself.
    width = DEVIATIONS * draws.std(axis=0) * np.sqrt(1 + min(chunk_size, MOST) / n_fresh)
    return np.minimum(usual - width, draws.min(axis=0)), np.maximum(usual + width, draws.max(axis=0))


def counts_of(edges: NDArray[Any], X: NDArray[Any]) -> NDArray[np.int64]:
    """How many rows fall between the edges of each feature, shape (BINS, n_features)."""
    above = np.zeros(edges.shape, np.int64)
    _core.count_above(X, np.ascontiguousarray(edges, X.dtype), above)
    return -np.diff(above, axis=0, prepend=len(X), append=0)


def areas_of(edges: NDArray[Any], X: NDArray[Any], areas: F64 | None = None) -> F64:
    """Sums over the rows of how far they go within each interval between edges, shape (BINS, n_features).

    Divided by the number of rows, they are areas: below the first edge, of the distribution function, and above it,
    of its distance from 1. Those of earlier rows are added to, in place.
    """
    if areas is None:
        areas = np.zeros((BINS, X.shape[1]))
    _core.add_areas(X, np.ascontiguousarray(edges, X.dtype), areas)
    return areas


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


def wasserstein(reference: Reference, areas: F64, n_rows: float) -> F64:
    """Wasserstein-1 distance of each feature in its standard deviations, 0 for constant ones; of sums of so many rows.

    The area between both distribution functions, as the sum of their areas' differences in the intervals between
    deciles. That is exact, beyond the reference's range too, but where the functions cross within an interval: there
    it is less than the distance.
    """
    if n_rows == 0:
        return np.zeros_like(reference.sd)
    return _standardised(np.abs(areas / n_rows - reference.areas).sum(axis=0), reference.sd)
