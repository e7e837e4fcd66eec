"""Revival of hidden units that carry nothing."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..estimators._inside import network_input
from ..estimators._layer_training import Samples
from ..network._checks import (
    ParamsLike,
    check_count,
    check_n_threads,
    check_params,
    check_random_state,
    check_X,
    seed_from,
)
from ..network._data import Data, check_targets
from ..network._rows import check_dense
from ..network._settings import check_autoencoder
from ..network._types import EpochInfo, Hidden, Loss, Output, Params
from ._new_units import Network, find_idle, set_up

if TYPE_CHECKING:
    from ..estimators._estimator import SparseAutoencoder

    Model = TypeVar("Model", bound=SparseAutoencoder)

ROWS = 4096
SHRINK = (1.0, 0.5, 0.25, 0.125, 0.0)


@public_in("sae_fast")
class RevivalWarning(UserWarning):
    """Units were left dead because no start was found that does not raise J."""


@public_in("sae_fast")
def revive_units(model: Model, X: ArrayLike, *, n_rounds: int | None = None, random_state: Any = None) -> Model:
    """Give dead and saturated units a new start from badly reconstructed samples.

    A unit that is dead or saturated on ``X`` (see :class:`UnitReport`) passes its mean contribution to the decoder's
    bias. Then it is set up anew: a sample is drawn with probability proportional to the square of its reconstruction
    error (the rule of Bricken et al., "Towards Monosemanticity", 2023), and the direction of its residual becomes the
    unit's encoder row and decoder column. The row is scaled so that the pre-activation varies over the samples as
    those of the living units do, the bias is solved for a mean activation of ``rho`` (for a relu unit, of which none is
    wanted, so that it is on for a share ``rho`` of the samples), and the column gets the length that takes most off the
    squared error that is left. Each unit sees what the units before it have left.

    **The cost does not jump.** A new unit's penalty on its mean activation is zero, and J of the whole network over
    ``X`` is compared before and after: where it would be higher, the new columns are shortened, down to zero. If that
    does not help (a large ``weight_decay`` or ``l1``), all is left as it was, with a :class:`RevivalWarning`.

    Parameters
    ----------
    model : SparseAutoencoder
        Fitted; it is not changed.
    X : array_like of shape (n_samples, n_features)
        Samples, usually those of the fit. New units are drawn up on at most 4096 of them; J is that of all.
    n_rounds : int, optional
        Rounds of revival and ``fit``, until no unit is dead or saturated. By default units are revived and nothing
        is fitted.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        For the samples that are drawn.

    Returns
    -------
    SparseAutoencoder
        A fitted copy with ``warm_start=True``, so that ``fit`` goes on from here. Its ``cost_`` and ``rho_hat_`` are
        those over ``X``; the loss curve is that of the last fit.

    See Also
    --------
    ReviveUnits : the same during a training by minibatches.

    Raises
    ------
    ValueError
        Data of another width, NaN or infinity, J that is not finite, or a wrong parameter.
    NotFittedError
        The model is not fitted.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (200, 16))
    >>> model = sf.SparseAutoencoder(8, max_iter=50, random_state=0).fit(X)
    >>> model.params_.b1[:2] = -100  # kills two units
    >>> model.unit_report(X).n_dead
    2
    >>> revived = sf.revive_units(model, X, random_state=0)
    >>> revived.unit_report().n_dead
    0
    >>> revived.fit(X).cost_.total < 1.01 * model.fit(X).cost_.total
    True
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    model._check_unchanged("hidden", "output")
    if n_rounds is not None:
        check_count("n_rounds", n_rounds)
    rng = np.random.default_rng(seed_from(random_state))
    new = copy.copy(model)
    new.set_params(warm_start=True)
    network = Network(*(getattr(model, name) for name in Network._fields))
    for _ in range(n_rounds or 1):
        data = network_input(new, X)
        params, revived = revive(new.params_, data, network, rng)
        new.params_ = params
        if n_rounds is not None and len(revived):
            new.fit(X)
            continue
        new._measure(Samples(Data(data)), new._check_parameters())
        break
    return new


@public_in("sae_fast")
class ReviveUnits:
    """Callback that revives units during a training by minibatches; see :func:`revive_units`.

    For :func:`train` and for :class:`SparseAutoencoder` with the solvers ``adam`` and ``sgd``, whose parameters may be
    changed between epochs. The optimiser keeps its moments, which for a dead unit are nearly zero. L-BFGS would take
    the change for curvature: there, use ``revive_units(model, X, n_rounds=...)``.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_visible)
        Samples to judge and to draw from, as the network sees them (a model's ``scale`` applied).
    rho, beta, weight_decay, hidden, output, loss, l1, n_threads
        As for the training.
    every : int
        Epochs from one revival to the next; there is none after the last epoch.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        For the samples that are drawn.

    Attributes
    ----------
    n_revived : int
        Revivals so far, over the epochs of one training: the first epoch counts, and draws, anew.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (200, 16))
    >>> start = sf.init_params(16, 8, random_state=0)
    >>> start.b1[:3] = -100
    >>> revive = sf.ReviveUnits(X, every=5, random_state=0)
    >>> params, history = sf.train(start, X, n_epochs=20, random_state=0, callback=revive)
    >>> revive.n_revived
    3
    """

    def __init__(
        self,
        X: ArrayLike,
        *,
        rho: float = 0.05,
        beta: float = 3.0,
        weight_decay: float = 1e-4,
        hidden: Hidden = "sigmoid",
        output: Output = "sigmoid",
        loss: Loss = "squared",
        l1: float = 0.0,
        every: int = 10,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
        n_threads: int | None = None,
    ) -> None:
        settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
        check_n_threads(n_threads)
        self.every = check_count("every", every)
        self.n_revived = 0
        self._began = False
        check_dense(X)
        array = np.asarray(X)
        self._X = check_X(array, array.shape[1] if array.ndim == 2 else 0)
        check_targets(self._X, loss)
        penalty = settings.rho[0], settings.beta[0], settings.weight_decay[0]
        self._network = Network(*penalty, hidden, output, n_threads, loss, settings.l1[0])
        self._random_state = check_random_state(random_state)
        self._rng = np.random.default_rng(seed_from(random_state))

    def __call__(self, info: EpochInfo) -> None:
        """Look at the epoch's parameters, and change them in place where units are dead or saturated."""
        live = info.params
        if not isinstance(live, Params):
            raise TypeError("ReviveUnits is for a single layer, and a stack's layers are being tuned together")
        if live.W1.base is not None:  # L-BFGS keeps all parameters in one vector
            raise ValueError(
                "ReviveUnits is for solvers 'adam' and 'sgd': 'lbfgs' does not stand a change of its parameters; "
                "fit, then call revive_units(model, X, n_rounds=...)"
            )
        if info.epoch == 1 and self._began:
            self._rng, self.n_revived = np.random.default_rng(seed_from(self._random_state)), 0
        self._began = True
        if info.epoch % self.every or info.epoch == info.n_epochs:
            return
        params, revived = revive(live, self._X, self._network, self._rng)
        self.n_revived += len(revived)
        if len(revived):
            for old, new in zip(live, params, strict=True):
                old[:] = new


def revive(
    params: ParamsLike, X: NDArray[Any], network: Network, rng: np.random.Generator
) -> tuple[Params, NDArray[np.intp]]:
    """Parameters with a new start for the units that carry nothing on ``X``, and which these are."""
    old, dtype = check_params(params)
    X = check_X(X, old.W1.shape[1])
    idle, cost = find_idle(old, X, network)
    if len(idle) == 0:
        return old, idle
    before = cost.total
    # The penalty of satlin units that are dead is infinite, and that of their new starts is not.
    if not np.isfinite(before) and cost.sparsity < np.inf:
        raise ValueError(f"J of the network over X must be finite to revive units, got {before}")
    rows = np.sort(rng.choice(len(X), ROWS, replace=False)) if len(X) > ROWS else slice(None)
    bare, new = set_up(old, X[rows].astype(np.float64), idle, network, rng)
    for share in SHRINK:
        W2, b2 = bare.W2.copy(), bare.b2 + share * (new.b2 - bare.b2)
        W2[:, idle] = share * new.W2[:, idle]
        trial = Params(*(np.ascontiguousarray(a, dtype) for a in (new.W1, new.b1, W2, b2)))
        if network.cost(trial, X).total <= before:
            return trial, idle
    warnings.warn(
        f"{len(idle)} units are dead or saturated and stay so: no new start was found that does not raise J = "
        f"{before:.6g}; a smaller weight_decay may help",
        RevivalWarning,
        stacklevel=3,
    )
    return old, idle[:0]
