"""New hidden units drawn up from badly reconstructed samples: the mathematics of :func:`sae_fast.revive_units`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..estimators._unit_report import statuses
from ..network._checks import check_n_threads
from ..network._data import Data
from ..network._functional import cost, encode
from ..network._measure import measure
from ..network._settings import Settings, check_autoencoder
from ..network._types import Cost, Hidden, Loss, Output, Params
from ..network._units import UNITS, activity
from ..reference._units import UNITS as FORMULAS

# Limits of the standard deviation of a new unit's pre-activation: below, it tells samples apart too little, above,
# it is saturated from the start.
SPREAD = (1.0, 8.0)


@public_in("sae_fast")
class Network(NamedTuple):
    """What J needs to know besides the parameters."""

    rho: float
    beta: float
    weight_decay: float
    hidden: Hidden
    output: Output
    n_threads: int | None
    loss: Loss = "squared"
    l1: float = 0.0

    @property
    def settings(self) -> Settings:
        """As an evaluation takes them."""
        penalty = self.rho, self.beta, self.weight_decay
        return check_autoencoder(self.hidden, self.output, *penalty, self.loss, self.l1)

    def cost(self, params: Params, X: NDArray[Any]) -> Cost:
        """J and its parts."""
        return cost(params, X, **self._asdict())


def find_idle(params: Params, X: NDArray[Any], network: Network) -> tuple[NDArray[np.intp], Cost]:
    """Units that are dead or saturated on ``X``, and J."""
    threads = check_n_threads(network.n_threads)
    cost, _, (low,), (high,) = measure(params, Data(X), None, network.settings, threads)
    return np.flatnonzero(statuses(network.rho, low, high, network.hidden) != "ok"), cost


def set_up(
    params: Params, X: NDArray[np.float64], idle: NDArray[np.intp], network: Network, rng: np.random.Generator
) -> tuple[Params, Params]:
    """The network without the idle units, and with new ones in their place; float64."""
    W1, b1, W2, b2 = (a.astype(np.float64) for a in params)
    a2 = encode(Params(W1, b1, W2, b2), X, hidden=network.hidden, n_threads=network.n_threads)
    b2 += W2[:, idle] @ a2[:, idle].mean(axis=0)
    W2[:, idle] = 0
    bare = Params(W1.copy(), b1.copy(), W2.copy(), b2.copy())
    living = np.setdiff1d(np.arange(len(b1)), idle)
    longest = float(np.linalg.norm(W1[living], axis=1).max(initial=0)) or np.inf
    spread = SPREAD[0] if len(living) == 0 else float(np.clip(np.median((X @ W1[living].T).std(axis=0)), *SPREAD))
    z3 = a2 @ W2.T + b2
    hidden, output = FORMULAS[network.hidden], FORMULAS[network.output]
    for unit in idle:
        a3, slope = output.value(z3), output.slope(z3)
        residual = X - a3
        error = np.einsum("ij,ij->i", residual, residual)
        top = error.max()
        projection = np.zeros(len(X))
        if top > 0:
            chance = (error / top) ** 2
            i = rng.choice(len(X), p=chance / chance.sum())
            direction = residual[i] / np.sqrt(error[i])
            projection = X @ direction
        deviation = projection.std()
        if not deviation > 1e-12 * np.abs(projection).max(initial=0):
            W1[unit], b1[unit] = 0, threshold(np.zeros(1), network)  # nothing is left to learn: just rho
            continue
        size = min(spread / deviation, longest)
        W1[unit] = size * direction
        b1[unit] = threshold(size * projection, network)
        a = hidden.value(size * projection + b1[unit])
        mean = a.mean()
        a -= mean
        # Gauss-Newton's length of the column, for the error's mean and the decay.
        pull = (a @ (residual * slope)) @ direction / len(X)
        stiffness = (a**2 @ slope**2) @ direction**2 / len(X) + network.weight_decay
        length = pull / max(stiffness, np.finfo(np.float64).tiny)
        W2[:, unit] = length * direction
        b2 -= length * mean * direction
        z3 += np.outer(a, length * direction)
    return bare, Params(W1, b1, W2, b2)


def threshold(projection: NDArray[np.float64], network: Network) -> float:
    """The bias that gives ``projection + bias`` a mean activation, mapped to [0, 1], of rho.

    Units without a bound, of which none is wanted, get the bias that turns them on for a share rho of the samples.
    """
    from scipy.optimize import brentq

    if not UNITS[network.hidden].bounded:
        return -float(np.quantile(projection, 1 - network.rho))

    def excess(bias: float) -> float:
        a2 = FORMULAS[network.hidden].value(projection + bias)
        return float(activity(a2, network.hidden).mean()) - network.rho

    room = 1.0
    while excess(-projection.max() - room) > 0 or excess(room - projection.min()) < 0:
        room *= 2
    return float(brentq(excess, -projection.max() - room, room - projection.min()))
