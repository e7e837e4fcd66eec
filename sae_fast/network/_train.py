"""Training of an autoencoder by minibatches."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from .._public import public_in
from ._checks import ParamsLike, check_count, check_params, check_sample_weight, check_X, seed_from
from ._data import Data, check_targets
from ._optimizers import Rule, check_rule, rate_of
from ._settings import check_autoencoder
from ._solvers import EpochSolver, trainer_options
from ._types import EpochInfo, Hidden, History, Loss, Output, Params


@public_in("sae_fast")
def train(
    params: ParamsLike,
    X: ArrayLike,
    *,
    solver: Rule = "adam",
    learning_rate: float | None = None,
    batch_size: int = 256,
    n_epochs: int = 10,
    rho: float = 0.05,
    beta: float = 3.0,
    weight_decay: float = 1e-4,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
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
    rho, beta, weight_decay, hidden, output, loss, l1, sample_weight, n_threads
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
        As for :func:`cost_and_grad`; an unknown solver, or one of its arguments out of its range; counts that are no
        integers >= 1; a ``callback`` that cannot be called.
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
    start, _ = check_params(params)
    data = Data(check_X(X, start.W1.shape[1]))
    rule = check_rule(solver, rate_of(solver, learning_rate), momentum, nesterov, beta1, beta2, eps)
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
    check_targets(data.X, loss)
    options = trainer_options(
        rule,
        batch_size=batch_size,
        seed=seed_from(random_state),
        n_threads=n_threads,
        shuffle=shuffle,
        rho_hat_momentum=rho_hat_momentum,
    )
    n_epochs = check_count("n_epochs", n_epochs)
    weight = check_sample_weight(sample_weight, len(data.X))
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")

    trainer = EpochSolver(start, settings, options).use(data, weight)
    rows = []
    began = time.perf_counter()
    for epoch in range(1, n_epochs + 1):
        cost, mean_activation = trainer.step()
        rows.append((*cost, mean_activation))
        if callback is not None:
            seconds = time.perf_counter() - began
            if callback(EpochInfo(epoch, n_epochs, cost, mean_activation, trainer.params, seconds)):
                break
    return trainer.params, History(*np.array(rows, dtype=np.float64).T.copy())
