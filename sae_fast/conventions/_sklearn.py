"""scikit-learn's MLPRegressor with one hidden layer, fitted to reproduce its input: our network without sparsity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._public import public_in
from ..network._checks import (
    ParamsLike,
    check_activations,
    check_count,
    check_hidden,
    check_in,
    check_params,
    check_penalty,
)
from ..network._types import Hidden, Output, Params
from ._base import Convention, Mapped, no_rescaling, reject
from ._layout import layout

_UNITS: dict[str, Hidden] = {"logistic": "sigmoid", "tanh": "tanh"}
_THEIRS = {ours: theirs for theirs, ours in _UNITS.items()}
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
    activation : {"logistic", "tanh"}
        "relu", the default there, and "identity" are errors.
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
    if activation not in _UNITS:
        raise reject("activation", activation, "'logistic' or 'tanh', the ones of MLPRegressor's that exist here")
    if loss != "squared_error":
        raise reject("loss", loss, "'squared_error'")
    if np.size(hidden_layer_sizes) != 1:
        raise reject("hidden_layer_sizes", hidden_layer_sizes, "one number: this is a network with one hidden layer")
    alpha = check_in("alpha", alpha, 0.0, np.inf, ">= 0 and finite")
    numerator, m = _decay(decay_of, n_samples, n_visible)
    two = alpha > 0.0 and n_visible > 1
    factor = None if two and decay_of == "gradient" else 1.0 / n_visible
    return Mapped(0.05, 0.0, alpha * numerator / m, _UNITS[activation], "linear", factor, (_TWO_DECAYS,) if two else ())


def from_ours(
    *,
    rho: float = 0.05,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "linear",
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
    check_activations(hidden, output)
    _, beta, weight_decay = check_penalty(rho, beta, weight_decay)
    if beta != 0.0:
        raise reject("beta", beta, _NO_PENALTY)
    if output != "linear":
        raise reject("output", output, "'linear' for MLPRegressor")
    numerator, m = _decay(decay_of, n_samples, n_visible)
    return {"alpha": weight_decay * m / numerator, "activation": _THEIRS[hidden]}


@public_in("sae_fast.conventions")
def from_mlp_regressor(model: Any) -> Params:
    """Parameters of a fitted ``MLPRegressor`` that reproduces its input.

    Parameters
    ----------
    model : sklearn.neural_network.MLPRegressor
        With one hidden layer of "logistic" or "tanh" units and as many outputs as features.

    Returns
    -------
    Params
        Copies: ``W1`` is the transpose of ``coefs_[0]``, ``W2`` of ``coefs_[1]``. ``hidden`` is "sigmoid" for
        "logistic", ``output`` "linear".

    Raises
    ------
    TypeError, ValueError
        Not such a model.
    sklearn.exceptions.NotFittedError
        It is not fitted.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> from sklearn.neural_network import MLPRegressor
    >>> X = np.random.default_rng(0).uniform(size=(200, 8))
    >>> theirs = {"alpha": 0.1, "activation": "logistic", "hidden_layer_sizes": (3,)}
    >>> model = MLPRegressor(**theirs, solver="lbfgs", max_iter=500, random_state=0).fit(X, X)
    >>> params = sf.conventions.from_mlp_regressor(model)
    >>> mapped = sf.conventions.sklearn.to_ours(**theirs, n_samples=200, n_visible=8)
    >>> bool(np.isclose(sf.cost(params, X, **mapped.settings).total, 8 * model.loss_, rtol=1e-14))
    True
    """
    from sklearn.neural_network import MLPRegressor
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(model, MLPRegressor):
        raise TypeError(f"model must be an MLPRegressor, got {type(model).__name__}")
    check_is_fitted(model)
    if len(model.coefs_) != 2:
        raise ValueError(f"model must have one hidden layer, got {len(model.coefs_) - 1}")
    if model.activation not in _UNITS:
        raise ValueError(f"model must have 'logistic' or 'tanh' units, got activation={model.activation!r}")
    if model.out_activation_ != "identity":
        raise ValueError(f"model must have linear outputs, got {model.out_activation_!r} (loss={model.loss!r})")
    if model.n_outputs_ != model.n_features_in_:
        raise ValueError(
            f"model must have as many outputs as features, as fit(X, X) gives it, got {model.n_outputs_} outputs for "
            f"{model.n_features_in_} features"
        )
    (first, second), (b1, b2) = model.coefs_, model.intercepts_
    return Params(*(np.array(part, order="C") for part in (first.T, b1, second.T, b2)))


@public_in("sae_fast.conventions")
def to_mlp_regressor(params: ParamsLike, *, hidden: Hidden = "sigmoid", **theirs: Any) -> Any:
    """A fitted ``MLPRegressor`` whose ``predict`` is the linear reconstruction by ``params``.

    Its ``partial_fit``, and ``fit`` with ``warm_start=True``, go on from ``params``.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        Of a network with a linear output.
    hidden : {"sigmoid", "tanh"}
        Its hidden units.
    **theirs
        Further parameters of ``MLPRegressor``: ``alpha``, ``solver``, ``warm_start``...

    Returns
    -------
    sklearn.neural_network.MLPRegressor

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type or do not fit on each other; a unit that ``MLPRegressor`` does not have.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> params = sf.init_params(8, 3, random_state=0)
    >>> model = sf.conventions.to_mlp_regressor(params, hidden="tanh")
    >>> model.predict(np.zeros((5, 8))).shape
    (5, 8)
    """
    from sklearn.neural_network import MLPRegressor

    checked, _ = check_params(params)
    check_hidden(hidden)
    for name in ("hidden_layer_sizes", "activation", "loss"):
        if name in theirs:
            raise TypeError(f"{name} is that of params and hidden, and cannot be given")
    W1, b1, W2, b2 = (np.array(part) for part in checked)
    model = MLPRegressor(hidden_layer_sizes=(len(W1),), activation=_THEIRS[hidden], **theirs)
    model.coefs_, model.intercepts_ = [W1.T.copy(), W2.T.copy()], [b1, b2]
    model.n_layers_, model.n_features_in_, model.n_outputs_ = 3, W1.shape[1], W1.shape[1]
    model.out_activation_ = "identity"
    # What its solvers count, as its own fit has it before the first iteration.
    model.n_iter_ = model.t_ = model._no_improvement_count = 0
    model.loss_curve_, model.best_loss_ = [], np.inf
    model.validation_scores_ = model.best_validation_score_ = None
    if model.early_stopping:
        model.validation_scores_, model.best_validation_score_, model.best_loss_ = [], -np.inf, None
    return model


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
