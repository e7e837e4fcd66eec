"""scikit-learn's MLPRegressor with one hidden layer, fitted to reproduce its input: our network without sparsity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..network._checks import check_count, check_in, listed
from ..network._types import Hidden, Loss, Output
from ._base import Convention, Mapped, check_ours, no_rescaling, reject, theirs_of
from ._layout import layout

UNITS: dict[str, Hidden] = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_NO_PENALTY = "0: MLPRegressor has no sparsity penalty"
_TWO_DECAYS = (
    "its gradient is that of our J with a weight_decay d times smaller than its loss has, and its fit a minimum of the "
    "former: decay_of='gradient' gives that one"
)


def _decay(decay_of: str, n_samples: int, n_visible: int) -> tuple[int, int]:
    """Numerator and denominator of what our weight_decay is of alpha."""
    m, d = check_count("n_samples", n_samples), check_count("n_visible", n_visible)
    if decay_of not in ("loss", "gradient"):
        raise reject("decay_of", decay_of, "'loss' or 'gradient'")
    return (d if decay_of == "loss" else 1), m


def to_ours(
    *,
    n_samples: int,
    n_visible: int,
    alpha: float = 0.0001,
    activation: str = "relu",
    hidden_layer_sizes: int | Sequence[int] = (100,),
    loss: str = "squared_error",
    decay_of: str = "loss",
) -> Mapped:
    """``MLPRegressor(...).fit(X, X)``, whose output units are linear.

    Its loss is ``1/(2 m d) sum (y - x)^2 + alpha/(2 m) (sum coefs_[0]^2 + sum coefs_[1]^2)`` for m samples of d
    features (scikit-learn, ``_multilayer_perceptron.py`` and ``squared_loss``): the mean is over samples and outputs,
    the decay divided by the samples. So ``weight_decay = alpha d / m``, ``beta = 0``, and the factor is 1/d.

    The gradient that its solvers follow is not of that loss: the error in it is not divided by d (``_backprop``). It is
    the gradient of our J with ``weight_decay = alpha / m``, to which ``decay_of="gradient"`` maps. Both are the same
    where ``alpha`` is 0 or d is 1.

    Parameters
    ----------
    n_samples : int
        m. The solver ``lbfgs`` sees all samples; ``adam`` and ``sgd`` weigh ``alpha`` by the minibatch, and minimise
        this with m = ``batch_size``.
    n_visible : int
        d.
    alpha : float
        Its weight decay.
    activation : {"logistic", "tanh", "relu"}
        "identity" is an error.
    hidden_layer_sizes : int or sequence of one int
        More layers are an error.
    loss : {"squared_error"}
        "poisson" is an error.
    decay_of : {"loss", "gradient"}
        Which of its two weights of the decay is meant: that of ``loss_``, or the one that it trains with.

    Returns
    -------
    Mapped
        ``rho`` has no meaning where ``beta`` is 0. ``cost_factor`` is None with ``decay_of="gradient"``, unless both
        readings are the same.

    Raises
    ------
    ValueError
        Units, layers or a loss without counterpart, or a value out of range.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> mapped = conventions.sklearn.to_ours(alpha=0.01, activation="logistic", n_samples=500, n_visible=64)
    >>> mapped.weight_decay, mapped.output, mapped.cost_factor
    (0.00128, 'linear', 0.015625)
    """
    if activation not in UNITS:
        raise reject("activation", activation, f"{listed(UNITS)}, the ones of MLPRegressor's that exist here")
    if loss != "squared_error":
        raise reject("loss", loss, "'squared_error'")
    if np.size(hidden_layer_sizes) != 1:
        raise reject("hidden_layer_sizes", hidden_layer_sizes, "one number: this is a network with one hidden layer")
    alpha = check_in("alpha", alpha, 0.0, np.inf, ">= 0 and finite")
    numerator, m = _decay(decay_of, n_samples, n_visible)
    two = alpha > 0.0 and n_visible > 1
    factor = None if two and decay_of == "gradient" else 1.0 / n_visible
    return Mapped(0.05, 0.0, alpha * numerator / m, UNITS[activation], "linear", factor, (_TWO_DECAYS,) if two else ())


def from_ours(
    *,
    rho: float = 0.05,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "linear",
    loss: Loss = "squared",
    l1: float = 0.0,
    n_samples: int,
    n_visible: int,
    decay_of: str = "loss",
) -> dict[str, Any]:
    """Our hyper-parameters in MLPRegressor's words; linear reconstructions and no sparsity penalty.

    For an MLPRegressor that is trained to minimise our J, ask for ``decay_of="gradient"``.

    Returns
    -------
    dict
        ``alpha``, ``activation``.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.sklearn.from_ours(beta=0.0, weight_decay=1e-4, hidden="tanh", n_samples=1000, n_visible=20)
    {'alpha': 0.005, 'activation': 'tanh'}
    """
    package = "MLPRegressor"
    _, beta, weight_decay = check_ours(package, rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1)
    if beta != 0.0:
        raise reject("beta", beta, _NO_PENALTY)
    if output != "linear":
        raise reject("output", output, "'linear' for MLPRegressor")
    numerator, m = _decay(decay_of, n_samples, n_visible)
    return {"alpha": weight_decay * m / numerator, "activation": theirs_of("hidden", hidden, UNITS, package)}


_pack, _unpack = layout(("W1", "W2", "b1", "b2"), "F")

sklearn = Convention(
    name="sklearn",
    package="scikit-learn's MLPRegressor, one hidden layer, fitted by fit(X, X)",
    formula="1/(2 m d) sum (y - x)^2 + alpha/(2 m) (sum coefs_[0]^2 + sum coefs_[1]^2)",
    differs=(
        "coefs_ are the transposes of W1 and W2",
        "for d > 1 its gradient is not that of its loss: " + _TWO_DECAYS,
        "solvers adam and sgd weigh alpha by the minibatch, as if n_samples were batch_size",
        "loss_ of adam and sgd is the mean over the last epoch, before its updates; that of lbfgs belongs to coefs_",
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=no_rescaling,
)
