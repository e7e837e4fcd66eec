"""Search for the weight of the sparsity penalty."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from numpy.typing import ArrayLike

from .._public import public_in
from ..estimators._data_range import DataRangeWarning
from ..estimators._estimator import SparseAutoencoder
from ..estimators._progress import say
from ..estimators._unit_report import UnitWarning
from ..network._checks import check_count, check_hidden, check_in, check_real, check_rho
from ..network._types import Cost
from ..network._units import UNITS

if TYPE_CHECKING:
    import pandas as pd


RESOLUTION = 1.1  # of the smallest beta that does it: close enough
STEP = 10.0
SETTLE = 5  # fits in a row at one beta, at most


@public_in("sae_fast")
class Trial(NamedTuple):
    """One fit of the search: mean activation and J with its parts at its end."""

    beta: float
    mean_activation: float
    cost: Cost
    n_iter: int


@public_in("sae_fast")
@dataclass(frozen=True, eq=False)
class BetaSearch:
    """What :func:`suggest_beta` found.

    Attributes
    ----------
    beta : float or None
        The smallest beta that does it, to within a tenth; None if none does.
    rho : float
        Wanted mean activation.
    tol : float
        How far from it the mean activation may be, as a part of ``rho``.
    trials : list of Trial
        In their order.
    model : SparseAutoencoder
        Fitted at ``beta``, or at the beta that came nearest, with ``warm_start=True``: ``fit`` goes on from it.
    message : str
        What came out, in a sentence.
    """

    beta: float | None
    rho: float
    tol: float
    trials: list[Trial]
    model: SparseAutoencoder
    message: str

    def to_pandas(self) -> pd.DataFrame:
        """The trials as a data frame, one row each."""
        import pandas as pd

        rows = [{"beta": t.beta, "mean_activation": t.mean_activation} | t.cost._asdict() | {"n_iter": t.n_iter}
                for t in self.trials]  # fmt: skip
        return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="trial"))

    def __str__(self) -> str:
        lines = [f"{'beta':>9} {'activation':>10} {'J':>9} {'error':>9} {'decay':>9} {'sparsity':>9} {'n_iter':>6}"]
        for t in self.trials:
            numbers = " ".join(f"{x:>9.4g}" for x in t.cost)
            lines.append(f"{t.beta:>9.4g} {t.mean_activation:>10.4g} {numbers} {t.n_iter:>6}")
        return "\n".join([*lines, self.message])


@public_in("sae_fast")
def suggest_beta(
    X: ArrayLike,
    n_components: int,
    *,
    rho: float = 0.05,
    tol: float = 0.1,
    beta_range: tuple[float, float] = (1e-3, 1e3),
    max_trials: SupportsIndex = 20,
    max_iter: int = 100,
    random_state: Any = None,
    verbose: int = 0,
    **options: Any,
) -> BetaSearch:
    """Find the smallest ``beta`` whose fit has the wanted mean activation.

    A larger beta pulls the mean activation nearer to ``rho``, at the price of reconstruction. The search goes from the
    middle of the range (on the logarithmic scale) by factors of ten to one beta that does it and one that does not,
    then narrows them down: where the pull of the reconstruction is constant the deviation falls as 1/beta, so the
    next trial is where a line through both ends, in logarithms, meets the tolerance. Each trial starts from the fit
    whose beta is nearest, so few iterations of L-BFGS are enough; it is fitted up to five times in a row until the
    mean activation has settled.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        Training data. A few thousand samples tell as much as all.
    n_components : int
        Hidden units.
    rho : float
        Wanted mean activation, in (0, 1).
    tol : float
        The mean activation, over samples and units and mapped to [0, 1], may differ from ``rho`` by ``tol * rho``; > 0.
    beta_range : (float, float)
        Where to look, 0 < low < high.
    max_trials : int
        Fits at most.
    max_iter : int
        Iterations of a fit.
    random_state : int, RandomState instance or None
        Seed of the first fit; with an int the search is repeatable to the last bit.
    verbose : int
        1 prints each trial on stderr.
    **options
        Further parameters of :class:`SparseAutoencoder`: ``weight_decay``, ``hidden``, ``output``, ``n_threads``...

    Returns
    -------
    BetaSearch
        ``beta`` is None, and ``message`` says how near it came, if no beta of the range does it: for example because
        ``max_iter`` is too small.

    Raises
    ------
    TypeError, ValueError
        ``rho``, ``tol`` or ``beta_range`` out of its range; otherwise as for the ``fit`` of
        :class:`SparseAutoencoder`.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (300, 16))
    >>> found = sf.suggest_beta(X, 8, rho=0.1, random_state=0)
    >>> bool(abs(found.model.rho_hat_.mean() - 0.1) <= 0.1 * 0.1)
    True
    >>> found.model.beta == found.beta
    True
    """
    search = _Search(X, rho, tol, beta_range, verbose)
    model = search.first(n_components, max_iter, random_state, options)
    beta = search.run(model, check_count("max_trials", max_trials))
    best = beta if beta is not None else min(search.fits, key=search.deviation)
    trials = [trial for trial, _ in search.fits.values()]
    return BetaSearch(beta, search.rho, search.tol, trials, search.fits[best][1], search.words(beta, best))


class _Search:
    """The fits so far, by their beta, and where to look next."""

    def __init__(self, X: ArrayLike, rho: float, tol: float, beta_range: tuple[float, float], verbose: int) -> None:
        self.rho = check_rho(rho)
        self.tol = check_in("tol", tol, math.ulp(0.0), math.inf, "> 0 and finite")
        if not isinstance(beta_range, Sequence) or len(beta_range) != 2:
            raise TypeError(f"beta_range must be a pair (low, high), got {beta_range!r}")
        self._low, self._high = (check_real("beta_range", end) for end in beta_range)
        if not 0 < self._low < self._high < math.inf:
            raise ValueError(f"beta_range must be (low, high) with 0 < low < high, got {beta_range!r}")
        self._X = X
        self._verbose = verbose
        self.fits: dict[float, tuple[Trial, SparseAutoencoder]] = {}

    def first(self, n_components: int, max_iter: int, random_state: Any, options: dict[str, Any]) -> SparseAutoencoder:
        """The model that trials are copies of."""
        for name in ("beta", "warm_start", "callback"):
            if name in options:
                raise TypeError(f"suggest_beta takes no {name}: the search sets it")
        hidden = options.get("hidden", "sigmoid")
        check_hidden(hidden)
        if not UNITS[hidden].bounded:
            raise ValueError(
                f"hidden must be a unit whose mean activation beta can hold, got {hidden!r}: take l1 for its codes"
            )
        return SparseAutoencoder(
            n_components, rho=self.rho, warm_start=True, max_iter=max_iter, random_state=random_state, **options
        )

    def run(self, model: SparseAutoencoder, max_trials: int) -> float | None:
        """The smallest beta that does it, or None."""
        fails, does = 0.0, math.inf
        beta = math.sqrt(self._low * self._high)
        for _ in range(max_trials):
            self._try(model, beta)
            if self.deviation(beta) <= 1:
                does = beta
            else:
                fails = beta
            if does == self._low or fails == self._high:
                break
            if does == math.inf:
                beta = min(STEP * beta, self._high)
            elif fails == 0:
                beta = max(beta / STEP, self._low)
            elif does <= RESOLUTION * fails or self.deviation(does) * RESOLUTION >= 1:
                break
            else:
                beta = self._between(fails, does)
        return does if does < math.inf else None

    def deviation(self, beta: float) -> float:
        """Of the mean activation from rho, as a multiple of what is allowed."""
        return abs(self.fits[beta][0].mean_activation - self.rho) / (self.tol * self.rho)

    def _between(self, fails: float, does: float) -> float:
        high, low = (math.log(max(self.deviation(beta), 1e-3)) for beta in (fails, does))
        # Aim a little inside the tolerance, and leave neither end more than nine tenths of the way.
        share = min(max((high + 0.5 * math.log(RESOLUTION)) / (high - low), 0.1), 0.9)
        return fails * math.exp(share * math.log(does / fails))

    def _try(self, model: SparseAutoencoder, beta: float) -> None:
        """Fit from the nearest fit so far, until the mean activation stays where it is."""
        nearest = min(self.fits, key=lambda other: abs(math.log(other / beta)), default=None)
        model = copy.copy(model if nearest is None else self.fits[nearest][1])
        model.set_params(beta=beta)
        n_iter, before = 0, math.inf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnitWarning)
            for _ in range(SETTLE):
                if self.fits or n_iter:
                    warnings.simplefilter("ignore", DataRangeWarning)  # said once
                model.fit(self._X)
                n_iter += model.n_iter_
                mean = float(model.rho_hat_.mean())
                if abs(mean - before) <= 0.1 * self.tol * self.rho:
                    break
                before = mean
        trial = Trial(beta, mean, model.cost_, n_iter)
        self.fits[beta] = (trial, model)
        if self._verbose:
            say(
                f"trial {len(self.fits)}: beta {beta:.4g}, mean activation {mean:.4g} (wanted {self.rho:g} +- "
                f"{self.tol * self.rho:.2g}), J {model.cost_.total:.6g}, {n_iter} iterations"
            )

    def words(self, beta: float | None, best: float) -> str:
        """The message."""
        mean = self.fits[best][0].mean_activation
        wanted = f"within {self.tol:.3g} of rho = {self.rho:g}"
        if beta is None:
            tried = f"of {len(self.fits)} tried between {min(self.fits):.4g} and {max(self.fits):.4g}"
            return (
                f"no beta gives a mean activation {wanted} ({tried}): the nearest is {mean:.4g} at beta {best:.4g}; "
                "a wider beta_range, more trials or iterations, or a larger tol may do"
            )
        least = " (the lowest of the range: less may do)" if beta == self._low else ""
        return f"beta = {beta:.4g}{least}: mean activation {mean:.4g}, {wanted}"
