"""scikit-learn's MLPRegressor is our network with a linear output and no sparsity, by its own code and both ways."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

import sae_fast as sf
from sae_fast import conventions
from tests.helpers.networks import make

MLP = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "max_iter": 40, "random_state": 0}


def their_loss(model, X):
    """Loss and gradient at the parameters of an MLPRegressor that lbfgs fitted, by its own code."""
    theta = np.concatenate([part.ravel() for part in [*model.coefs_, *model.intercepts_]])
    shapes = [coef.shape for coef in model.coefs_]
    work = [X, None, None], [None, None], [np.empty(s) for s in shapes], [np.empty(s[1]) for s in shapes]
    return model._loss_grad_lbfgs(theta, X, X, None, *work)


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 3.0])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
@pytest.mark.parametrize(("m", "d"), [(30, 5), (200, 17), (33, 1)])
def test_loss_and_gradient_of_mlp_regressor(activation, alpha, m, d):
    """By its own code, loss_ times d is our J, and its gradient ours with the decay of the gradient, to rounding."""
    X = make(m, d, 8)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPRegressor(**MLP, alpha=alpha, activation=activation).fit(X, X if d > 1 else X[:, 0])
    params = conventions.from_mlp_regressor(model)
    theirs = {"alpha": alpha, "activation": activation, "n_samples": m, "n_visible": d}
    mapped = conventions.sklearn.to_ours(**theirs)
    assert mapped.weight_decay == pytest.approx(alpha * d / m, rel=2.3e-16)
    J = sf.cost(params, X, **mapped.settings).total
    loss, gradient = their_loss(model, X)
    assert model.loss_ * d == pytest.approx(J, rel=4e-15)
    assert loss * d == pytest.approx(J, rel=4e-15)
    other = conventions.sklearn.to_ours(**theirs, decay_of="gradient")
    _, grad = sf.cost_and_grad(params, X, **other.settings)
    assert np.allclose(conventions.sklearn.pack(grad), gradient, rtol=1e-12, atol=1e-14)
    same = alpha == 0 or d == 1
    assert (mapped.settings == other.settings, mapped.differs == (), other.cost_factor is not None) == (same,) * 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_mlp_regressor_of_our_parameters(hidden, dtype):
    """It predicts our reconstructions, keeps the parameters' bits, and its own training goes on from them."""
    params, X = make(40, 9, 4, dtype)
    wanted = sf.forward(params, X, hidden=hidden, output="linear").a3
    model = conventions.to_mlp_regressor(params, hidden=hidden, alpha=0.0)
    assert model.predict(X).dtype == dtype
    assert np.allclose(model.predict(X), wanted, rtol=0, atol=1e-14 if dtype == np.float64 else 2e-6)
    back = conventions.from_mlp_regressor(model)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(back, params, strict=True))
    before = np.mean((model.predict(X) - X) ** 2)
    model.partial_fit(X, X)
    moved = conventions.from_mlp_regressor(model)
    assert all(0 < np.abs(a - b).max() < 2e-3 for a, b in zip(moved, params, strict=True))  # one step of its Adam
    for solver in ("adam", "lbfgs"):
        model.set_params(solver=solver, warm_start=True, max_iter=20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, X)
        after = np.mean((model.predict(X) - X) ** 2)
        assert after < before
        before = after


def test_mlp_regressor_early_stopping():
    """Its early stopping, which keeps other records, goes on from our parameters too."""
    params, X = make(40, 9, 4)
    model = conventions.to_mlp_regressor(params, early_stopping=True, warm_start=True, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, X)
    assert len(model.validation_scores_) == 3


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh"])
def test_both_train_to_the_same_minimum(hidden):
    """An MLPRegressor with the alpha of ``decay_of="gradient"``, started at our minimum, rests there."""
    X = make(60, 6, 1)[1]
    ours = {"beta": 0.0, "weight_decay": 1e-3, "hidden": hidden, "output": "linear"}
    model = sf.SparseAutoencoder(2, **ours, max_iter=5000, tol=1e-12, random_state=0).fit(X)
    sizes = {"n_samples": 60, "n_visible": 6}
    for decay_of, rests in (("gradient", True), ("loss", False)):
        theirs = conventions.sklearn.from_ours(**ours, **sizes, decay_of=decay_of)
        mlp = conventions.to_mlp_regressor(model.params_, hidden=hidden, alpha=theirs["alpha"], solver="sgd")
        mlp.set_params(learning_rate_init=1.0, momentum=0.0, batch_size=60).partial_fit(X, X)
        step = max(np.abs(a - b).max() for a, b in zip(conventions.from_mlp_regressor(mlp), model.params_, strict=True))
        assert (step < 1e-5) == rests
