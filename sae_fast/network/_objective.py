"""The cost as a function of one vector, and the proof of its gradient."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _core
from .._public import public_in
from ._checks import (
    ParamsLike,
    check_count,
    check_n_threads,
    check_params,
    check_real,
    check_sample_weight,
    check_table,
)
from ._data import Data, check_targets
from ._functional import cost, cost_and_grad, flatten, unflatten
from ._settings import Settings, check_autoencoder
from ._types import Cost, FloatArray, Hidden, Loss, Output, Params
from ._units import OUTPUT


@public_in("sae_fast")
class Objective:
    """``f(theta) -> (J, grad)`` over fixed data, for any optimiser that works on one vector.

    The workspace is kept between calls, so that a call allocates no more than the gradient that it returns. Any number
    of threads may call one objective: a call that finds the workspace taken uses one of its thread. It can be copied
    and pickled.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_visible)
        Data; not copied.
    n_hidden : int
        Hidden units.
    rho, beta, weight_decay, hidden, output, loss, l1, sample_weight, n_threads
        As for :func:`cost_and_grad`.
    dtype : float32, float64 or None
        Type of the work; None takes that of ``X`` where it is one of both, else float64.

    Attributes
    ----------
    n_visible, n_hidden : int
        Sizes of the layers.
    n_evaluations : int
        Calls so far, of all threads.
    parts : Cost
        J and its parts at the last call.
    rho_hat : ndarray of shape (n_hidden,)
        Mean activations at the last call. Where several threads call, the last one is the one that ended last, and
        ``parts`` and ``rho_hat``, which are read one after the other, may be those of two calls.

    Raises
    ------
    TypeError, ValueError
        An ``X`` that is no table of numbers; a number of units that is no integer >= 1; otherwise as for
        :func:`cost_and_grad`.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (100, 64))
    >>> f = sf.Objective(X, 25, rho=0.01, beta=3.0, weight_decay=1e-4)
    >>> J, grad = f(sf.flatten(sf.init_params(64, 25, random_state=0)))
    >>> grad.shape
    (3289,)
    """

    def __init__(
        self,
        X: ArrayLike,
        n_hidden: int,
        *,
        rho: float = 0.05,
        beta: float = 3.0,
        weight_decay: float = 1e-4,
        hidden: Hidden = "sigmoid",
        output: Output = "sigmoid",
        loss: Loss = "squared",
        l1: float = 0.0,
        sample_weight: ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._X, self.dtype = check_table(X, dtype)
        self.n_visible: int = self._X.shape[1]
        self.n_hidden = check_count("n_hidden", n_hidden)
        self._settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
        check_targets(self._X, loss)
        self._weight = check_sample_weight(sample_weight, len(self._X))
        self._threads = check_n_threads(n_threads)
        self.n_evaluations = 0
        self.parts = Cost(np.nan, np.nan, np.nan, np.nan)
        self.rho_hat: NDArray[np.float64] = np.full(self.n_hidden, np.nan)
        self._own()

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """J and its gradient at ``theta`` ``[W1, W2, b1, b2]``; the gradient is new and has the dtype of ``theta``."""
        theta = np.asarray(theta)
        params = self._view(theta.astype(self.dtype, order="C", copy=False))
        grad = np.empty(theta.shape, self.dtype)
        rho_hat = np.empty(self.n_hidden)
        parts = _core.evaluate(
            params,
            *Data(self._X),
            self._weight,
            self._settings.core,
            self._view(grad),
            rho_hat=rho_hat,
            n_threads=self._threads,
            workspace=self._workspace,
        )
        with self._reporting:
            self.n_evaluations += 1
            self.parts = Cost(*parts)
            self.rho_hat = rho_hat
        return parts[0], grad.astype(theta.dtype, copy=False) if theta.dtype.kind == "f" else grad

    def _own(self) -> None:
        """What belongs to this object alone, not to its copies."""
        self._workspace = _core.Workspace()
        self._reporting = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        with self._reporting:
            own = ("_workspace", "_reporting")
            state = {name: value for name, value in vars(self).items() if name not in own}
        return state | {"_settings": self._settings.values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        stored = state["_settings"]
        if isinstance(stored[0], int):  # of version 0.1.0: numbers of hidden and output unit, rho, beta, weight decay
            hidden, output, *penalty = stored
            self._settings = check_autoencoder(OUTPUT[hidden], OUTPUT[output], *penalty)
        else:
            self._settings = Settings(*stored)
        self._own()

    def _view(self, theta: FloatArray) -> Params:
        return unflatten(np.ascontiguousarray(theta), self.n_visible, self.n_hidden)


@public_in("sae_fast")
def check_gradient(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    eps: float | None = None,
    n_directions: int | None = None,
    n_threads: int | None = None,
) -> float:
    """Compare the gradient with finite differences of the cost; return the largest relative error.

    Central differences of fourth order, ``(8 (J(+e) - J(-e)) - (J(+2e) - J(-2e))) / (12 e)``, along single parameters
    or along random directions.

    Parameters
    ----------
    params, X, rho, beta, weight_decay, hidden, output, loss, l1, sample_weight, n_threads
        As for :func:`cost_and_grad`. The check is of use in float64.
    eps : float, optional
        Step e; by default 1e-3 in float64 and 5e-2 in float32.
    n_directions : int, optional
        Random directions (of a fixed seed) to try; None tries every parameter by itself.

    Returns
    -------
    float
        Largest difference over the largest entry of the gradient (of the directional derivatives).

    Raises
    ------
    TypeError, ValueError
        As for :func:`cost_and_grad`; an ``eps`` that is not > 0, or a number of directions that is no integer >= 1.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (20, 8))
    >>> params = sf.init_params(8, 5, random_state=0)
    >>> sf.check_gradient(params, X, rho=0.05, beta=3.0, weight_decay=1e-4) < 1e-9
    True
    """
    settings = {
        "rho": rho,
        "beta": beta,
        "weight_decay": weight_decay,
        "hidden": hidden,
        "output": output,
        "loss": loss,
        "l1": l1,
        "sample_weight": sample_weight,
        "n_threads": n_threads,
    }
    return compare_gradient(cost, cost_and_grad, params, X, eps, n_directions, settings)


def compare_gradient(
    cost: Callable[..., Cost],
    cost_and_grad: Callable[..., tuple[float, Params]],
    params: ParamsLike,
    X: ArrayLike,
    eps: float | None,
    n_directions: int | None,
    settings: dict[str, Any],
) -> float:
    """What :func:`check_gradient` does, for any pair of functions."""
    checked, dtype = check_params(params)
    h, v = checked.W1.shape
    step = (1e-3 if dtype == np.float64 else 5e-2) if eps is None else check_real("eps", eps)
    if not 0 < step < np.inf:
        raise ValueError(f"eps must be > 0 and finite, got {eps}")
    theta = flatten(checked)
    _, grad = cost_and_grad(checked, X, **settings)
    gradient = flatten(grad).astype(np.float64)

    def J(point: NDArray[np.float64]) -> float:
        return cost(unflatten(point.astype(dtype), v, h), X, **settings).total

    def slope(direction: NDArray[np.float64]) -> float:
        e = step * direction
        return (8 * (J(theta + e) - J(theta - e)) - (J(theta + 2 * e) - J(theta - 2 * e))) / (12 * step)

    if n_directions is None:
        exact = gradient
        measured = np.array([slope(row) for row in np.eye(len(theta))])
    else:
        rng = np.random.default_rng(0)
        directions = rng.standard_normal((check_count("n_directions", n_directions), len(theta)))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        exact = directions @ gradient
        measured = np.array([slope(row) for row in directions])
    scale = max(float(np.abs(exact).max()), float(np.finfo(np.float64).tiny))
    return float(np.abs(measured - exact).max()) / scale
