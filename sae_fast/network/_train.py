"""Training by minibatches, and the weight updates on their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._public import public_in
from ._checks import (
    ParamsLike,
    check_activations,
    check_count,
    check_grad,
    check_in,
    check_in_place,
    check_n_threads,
    check_params,
    check_penalty,
    check_sample_weight,
    check_X,
    core_settings,
    seed_from,
)
from ._types import Cost, EpochInfo, Hidden, History, Output, Params

Solver = Literal["sgd", "adam"]
SOLVERS = ("sgd", "adam")
DEFAULT_LEARNING_RATE = {"sgd": 0.1, "adam": 1e-3}


def _rule(
    solver: str,
    learning_rate: object,
    momentum: object = 0.0,
    nesterov: bool = False,
    beta1: object = 0.9,
    beta2: object = 0.999,
    eps: object = 1e-8,
) -> dict[str, Any]:
    """Arguments of the core's update rule, checked."""
    if solver not in SOLVERS:
        raise ValueError(f"solver must be 'sgd' or 'adam', got {solver!r}")
    rate = check_in("learning_rate", learning_rate, 0.0, np.inf, "> 0 and finite")
    if rate == 0.0:
        raise ValueError(f"learning_rate must be > 0 and finite, got {learning_rate!r}")
    rule = {
        "solver": SOLVERS.index(solver),
        "learning_rate": rate,
        "momentum": check_in("momentum", momentum, 0.0, 1.0, "in [0, 1)"),
        "nesterov": bool(nesterov),
        "beta1": check_in("beta1", beta1, 0.0, 1.0, "in [0, 1)"),
        "beta2": check_in("beta2", beta2, 0.0, 1.0, "in [0, 1)"),
        "eps": check_in("eps", eps, 0.0, np.inf, ">= 0 and finite"),
    }
    if rule["nesterov"] and rule["momentum"] == 0.0:
        raise ValueError("momentum must be > 0 with nesterov=True, got 0.0")
    return rule


class _Optimizer:
    """A rule bound to parameters; :meth:`step` updates them in place.

    Threads that step one optimiser do so one after another. Copies and pickles go on from the state that they were
    made in; ``copy.copy`` works on the same ``params``, ``copy.deepcopy`` and pickle on copies of them.
    """

    def __init__(self, params: ParamsLike, rule: dict[str, Any], n_threads: int | None) -> None:
        self.params = check_in_place(params)
        self._threads = check_n_threads(n_threads)
        self._rule = rule
        self._bind()

    def _bind(self) -> None:
        kind = _core.OptimizerF32 if self.params.W1.dtype == np.float32 else _core.OptimizerF64
        self._core = kind(self.params, self._rule)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_core": self._core.state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()
        self._core.restore(*state["_core"])

    @property
    def n_steps(self) -> int:
        """Updates so far."""
        return int(self._core.n_steps)

    def step(self, grad: ParamsLike) -> None:
        """Update the parameters in place by ``grad``, in their shapes and dtype."""
        self._core.step(check_grad(grad, self.params), self._threads)


@public_in("sae_fast")
class SGD(_Optimizer):
    """Gradient descent: ``v = momentum v + g``, then ``p -= learning_rate v``.

    With ``nesterov`` the last step is ``p -= learning_rate (g + momentum v)`` (Sutskever et al., ICML 2013, in the
    form that looks ahead from the stored parameters).

    Parameters
    ----------
    params : Params
        float32 or float64 arrays, C-contiguous and writable; updated in place.
    learning_rate : float
        > 0.
    momentum : float
        In [0, 1).
    nesterov : bool
        Look ahead; needs ``momentum`` > 0.
    n_threads : int, optional
        Threads to use; the result does not depend on it.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, or of a wrong value or shape.

    Examples
    --------
    >>> import sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> opt = sf.SGD(params, learning_rate=0.1)
    >>> opt.step(params)
    >>> opt.n_steps
    1
    """

    def __init__(
        self,
        params: ParamsLike,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(params, _rule("sgd", learning_rate, momentum, nesterov), n_threads)


@public_in("sae_fast")
class Adam(_Optimizer):
    """Adam (Kingma and Ba, ICLR 2015): steps scaled by running moments of the gradient.

    ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g^2``,
    ``p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)``.

    Parameters
    ----------
    params : Params
        float32 or float64 arrays, C-contiguous and writable; updated in place.
    learning_rate : float
        > 0.
    beta1, beta2 : float
        In [0, 1).
    eps : float
        >= 0.
    n_threads : int, optional
        Threads to use; the result does not depend on it.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, or of a wrong value or shape.

    Examples
    --------
    >>> import sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> opt = sf.Adam(params)
    >>> opt.step(params)
    """

    def __init__(
        self,
        params: ParamsLike,
        *,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(params, _rule("adam", learning_rate, beta1=beta1, beta2=beta2, eps=eps), n_threads)


@public_in("sae_fast")
def train(
    params: ParamsLike,
    X: ArrayLike,
    *,
    solver: Solver = "adam",
    learning_rate: float | None = None,
    batch_size: int = 256,
    n_epochs: int = 10,
    rho: float = 0.05,
    beta: float = 3.0,
    weight_decay: float = 1e-4,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    momentum: float = 0.0,
    nesterov: bool = False,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    rho_hat_momentum: float = 0.0,
    sample_weight: ArrayLike | None = None,
    shuffle: bool = True,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    callback: Callable[[EpochInfo], object] | None = None,
    n_threads: int | None = None,
) -> tuple[Params, History]:
    """Train by minibatches; whole epochs run in the core, without the GIL.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        Where to start; left as it is.
    X : array_like of shape (n_samples, n_visible)
        Data of any real dtype; minibatches are gathered from it row by row.
    solver : {"adam", "sgd"}
        Update rule; see :class:`Adam` and :class:`SGD` for its arguments.
    learning_rate : float, optional
        By default 1e-3 for Adam and 0.1 for SGD.
    batch_size, n_epochs : int
        Both >= 1. The last minibatch of an epoch may be shorter; it counts as it is.
    rho, beta, weight_decay, hidden, output, sample_weight, n_threads
        As for :func:`cost_and_grad`.
    momentum, nesterov, beta1, beta2, eps
        Of the update rule.
    rho_hat_momentum : float
        In [0, 1). 0 takes the mean activation of each minibatch by itself; mu > 0 a running one,
        ``rho_run = mu rho_run + (1 - mu) rho_batch``, whose gradient by the batch's activations has the factor
        ``1 - mu`` (1 at the very first minibatch, where the running mean starts).
    shuffle : bool
        Take the samples in a new order each epoch. The order comes from SplitMix64 and Fisher-Yates and is the same
        on every platform.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed of the shuffling.
    callback : callable, optional
        Called with an :class:`EpochInfo` after each epoch; a true result ends training.

    Returns
    -------
    params : Params
        New arrays.
    history : History
        ``cost`` and its parts, one value an epoch.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, or of a wrong value or shape.
    KeyboardInterrupt
        Ctrl-C, within a fraction of a second.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (512, 16))
    >>> start = sf.init_params(16, 8, random_state=0)
    >>> params, history = sf.train(start, X, n_epochs=5, random_state=0)
    >>> bool(history.cost[-1] < history.cost[0])
    True
    """
    start, dtype = check_params(params)
    X = check_X(X, start.W1.shape[1])
    if learning_rate is None:
        learning_rate = DEFAULT_LEARNING_RATE.get(solver, 1.0)
    options = _rule(solver, learning_rate, momentum, nesterov, beta1, beta2, eps)
    settings = core_settings(*check_activations(hidden, output), *check_penalty(rho, beta, weight_decay))
    options |= {
        "batch_size": check_count("batch_size", batch_size),
        "shuffle": bool(shuffle),
        "seed": seed_from(random_state),
        "rho_hat_momentum": check_in("rho_hat_momentum", rho_hat_momentum, 0.0, 1.0, "in [0, 1)"),
        "n_threads": check_n_threads(n_threads),
    }
    n_epochs = check_count("n_epochs", n_epochs)
    weight = check_sample_weight(sample_weight, len(X))
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")

    result = Params(*(np.array(a, order="C") for a in start))
    kind = _core.TrainerF32 if dtype == np.float32 else _core.TrainerF64
    trainer = kind(result, settings, options)
    rows = []
    began = time.perf_counter()
    for epoch in range(1, n_epochs + 1):
        reconstruction, decay, sparsity, mean_activation = trainer.run_epoch(X, None, None, weight)
        total = reconstruction + decay + sparsity
        rows.append((total, reconstruction, decay, sparsity, mean_activation))
        if callback is not None:
            parts = Cost(total, reconstruction, decay, sparsity)
            info = EpochInfo(epoch, n_epochs, parts, mean_activation, result, time.perf_counter() - began)
            if callback(info):
                break
    return result, History(*np.array(rows, dtype=np.float64).T.copy())
