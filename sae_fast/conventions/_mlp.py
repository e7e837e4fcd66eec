"""Fitted models of scikit-learn's ``MLPRegressor``, to and from our parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._public import public_in
from ..network._checks import ParamsLike, check_hidden, check_params, listed
from ..network._types import Hidden, Params
from ._base import theirs_of
from ._sklearn import UNITS


@public_in("sae_fast.conventions")
def from_mlp_regressor(model: Any) -> Params:
    """Parameters of a fitted ``MLPRegressor`` that reproduces its input.

    Parameters
    ----------
    model : sklearn.neural_network.MLPRegressor
        With one hidden layer of "logistic", "tanh" or "relu" units and as many outputs as features.

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
    if model.activation not in UNITS:
        raise ValueError(f"model must have {listed(UNITS)} units, got activation={model.activation!r}")
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
    hidden : {"sigmoid", "tanh", "relu"}
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
    activation = theirs_of("hidden", hidden, UNITS, "MLPRegressor")
    W1, b1, W2, b2 = (np.array(part) for part in checked)
    model = MLPRegressor(hidden_layer_sizes=(len(W1),), activation=activation, **theirs)
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
