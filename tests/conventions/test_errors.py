"""What other packages cannot express, or what does not fit, is an error that names argument and value."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sae_fast import conventions as C
from tests.helpers.networks import make

OURS = {"rho": 0.07, "beta": 1.3, "weight_decay": 0.02}
MLP = {"activation": "tanh", "n_samples": 9, "n_visible": 2}
X = make(9, 4, 2)[1]


def mlp(X, y, **parameters):
    """An MLPRegressor after one step."""
    return MLPRegressor(**{"activation": "tanh", "hidden_layer_sizes": (3,)} | parameters).partial_fit(X, y)


ERRORS = [
    (
        lambda: C.get("torch"),
        "name must be one of h2o, matlab, mlpack, r-autoencoder, ruta, saenet, sklearn, ufldl, got 'torch'",
    ),
    (lambda: C.matlab.to_ours(EncoderTransferFunction="tansig"), "TransferFunction must be 'logsig' or 'satlin', got"),
    (lambda: C.matlab.to_ours(EncoderTransferFunction="purelin"), "must be 'logsig' or 'satlin', got 'purelin'"),
    (lambda: C.matlab.to_ours(DecoderTransferFunction="tansig"), "'logsig', 'satlin' or 'purelin', got 'tansig'"),
    (lambda: C.matlab.from_ours(**OURS, loss="huber"), "loss must be 'squared' for MATLAB, got 'huber'"),
    (lambda: C.matlab.from_ours(**OURS, l1=0.1), "l1 must be 0 for MATLAB, which has no penalty on single activ.*0.1"),
    (
        lambda: C.matlab.from_ours(**OURS | {"beta": 0}, hidden="relu"),
        "hidden must be 'sigmoid' or 'satlin' for MATLAB",
    ),
    (lambda: C.mlpack.from_ours(**OURS, loss="absolute"), "loss must be 'squared' for mlpack, got 'absolute'"),
    (lambda: C.saenet.from_ours(**OURS, l1=1), "l1 must be 0 for R's autoencoder"),
    (lambda: C.matlab.to_ours(mean_over="elements"), "n_visible must be given"),
    (lambda: C.matlab.to_ours(mean_over="rows"), "mean_over must be 'samples' or 'elements', got 'rows'"),
    (lambda: C.matlab.to_ours(SparsityProportion=1.5), r"SparsityProportion must be in \(0, 1\), got 1.5"),
    (lambda: C.matlab.to_ours(L2WeightRegularization=-1), "L2WeightRegularization must be >= 0 and finite, got -1"),
    (lambda: C.ufldl.to_ours(sparsityParam=0), r"sparsityParam must be in \(0, 1\), got 0"),
    (
        lambda: C.matlab.from_ours(**OURS, hidden="tanh"),
        "hidden must be 'sigmoid' or 'satlin' for MATLAB.*logsig, satlin, got",
    ),
    (lambda: C.matlab.from_ours(**OURS, output="tanh"), "output must be 'sigmoid', 'satlin' or 'linear' for MATLAB"),
    (lambda: C.ufldl.from_ours(**OURS, hidden="tanh"), "hidden must be 'sigmoid' for UFLDL"),
    (lambda: C.ufldl.from_ours(**OURS, output="tanh"), "output must be 'sigmoid' or 'linear' for UFLDL"),
    (lambda: C.mlpack.from_ours(**OURS, output="linear"), "output must be 'sigmoid' for mlpack"),
    (lambda: C.r_autoencoder.from_ours(**OURS, output="linear"), "output must be 'sigmoid' too"),
    (lambda: C.r_autoencoder.to_ours(lambda_=0, beta=0, rho=0.1, unit_type="relu"), "unit_type must be 'logistic' or"),
    (lambda: C.h2o.to_ours(activation="Maxout"), "activation must be 'Tanh' or 'Rectifier', the ones of H2O's that"),
    (
        lambda: C.h2o.to_ours(activation="Rectifier", sparsity_beta=0.1),
        "sparsity_beta must be 0 for Rectifier.*got 0.1",
    ),
    (lambda: C.h2o.to_ours(activation="Rectifier", l2=-1), "l2 must be >= 0 and finite, got -1"),
    (lambda: C.h2o.to_ours(l1=1e-5), "l1 must be 0: it is a penalty on the weights, and ours on the activ.*got 1e-05"),
    (lambda: C.h2o.from_ours(**OURS | {"beta": 0}, hidden="relu"), "output must be 'relu' too, since H2O's"),
    (lambda: C.ruta.to_ours(activation="linear", n_visible=3), "activation must be 'sigmoid', 'tanh' or 'relu', the"),
    (
        lambda: C.ruta.to_ours(activation="relu", n_visible=3, loss="mse"),
        "loss must be 'mean_squared_error', .*got 'mse'",
    ),
    (
        lambda: C.ruta.to_ours(activation="relu", n_visible=3, loss="binary_crossentropy"),
        "output_activation must be 'sigmoid' with loss='binary_crossentropy', got 'linear'",
    ),
    (
        lambda: C.ruta.to_ours(activation="tanh", n_visible=3, sparse=True),
        "sparse must be False: ruta takes its penalty",
    ),
    (lambda: C.ruta.to_ours(activation="tanh", n_visible=3, decay=0.02), "decay must be 0: ruta's is for the encoder"),
    (lambda: C.ruta.to_ours(activation="tanh", n_visible=0), "n_visible must be >= 1, got 0"),
    (lambda: C.ruta.from_ours(**OURS), "beta must be 0 for ruta, whose penalties are others, got 1.3"),
    (lambda: C.ruta.from_ours(beta=0, weight_decay=0.02), "weight_decay must be 0 for ruta"),
    (
        lambda: C.ruta.from_ours(beta=0, weight_decay=0, hidden="satlin"),
        "hidden must be 'sigmoid', 'tanh' or 'relu' for",
    ),
    (lambda: C.h2o.to_ours(average_activation=1), r"average_activation must be in \(-1, 1\), got 1"),
    (lambda: C.h2o.from_ours(**OURS, hidden="sigmoid"), "hidden must be 'tanh' or 'relu' for H2O"),
    (
        lambda: C.sklearn.to_ours(n_samples=9, n_visible=2, activation="identity"),
        "activation must be 'logistic', 'tanh' or 'relu'.*, got 'identity'",
    ),
    (
        lambda: C.to_mlp_regressor(make(1, 6, 2)[0], hidden="satlin"),
        "hidden must be 'sigmoid', 'tanh' or 'relu' for MLP",
    ),
    (lambda: C.sklearn.to_ours(**MLP, loss="poisson"), "loss must be 'squared_error', got 'poisson'"),
    (lambda: C.sklearn.to_ours(**MLP, hidden_layer_sizes=(5, 3)), "hidden_layer_sizes must be one number.*got .5, 3"),
    (lambda: C.sklearn.to_ours(**MLP, decay_of="fit"), "decay_of must be 'loss' or 'gradient', got 'fit'"),
    (lambda: C.sklearn.to_ours(**MLP, alpha=-1), "alpha must be >= 0 and finite, got -1"),
    (lambda: C.sklearn.to_ours(**MLP | {"n_samples": 0}), "n_samples must be >= 1, got 0"),
    (lambda: C.sklearn.from_ours(**OURS, n_samples=9, n_visible=2), "beta must be 0: MLPRegressor has no sparsity"),
    (
        lambda: C.sklearn.from_ours(beta=0, weight_decay=0, output="sigmoid", n_samples=9, n_visible=2),
        "output must be 'linear' for MLPRegressor, got 'sigmoid'",
    ),
    (lambda: C.from_mlp_regressor(mlp(X, X, hidden_layer_sizes=(3, 2))), "model must have one hidden layer, got 2"),
    (
        lambda: C.from_mlp_regressor(mlp(X, X, activation="identity")),
        "must have 'logistic', 'tanh' or 'relu' units, got",
    ),
    (lambda: C.from_mlp_regressor(mlp(X, X[:, :2])), "as many outputs as features.*got 2 outputs for 4 features"),
    (
        lambda: C.ufldl.unpack(np.zeros(21), 4, 2),
        r"theta must have 22 values for n_visible 4 and n_hidden 2, got shape",
    ),
    (lambda: C.ufldl.unpack(np.zeros((2, 11)), 4, 2), r"theta must have 22 values .*, got shape \(2, 11\)"),
    (lambda: C.mlpack.unpack(np.zeros(22), 4, 2), r"theta must have 25 values for mlpack's matrix \(5, 5\)"),
    (lambda: C.r_autoencoder.rescaling(np.ones((3, 2))), "largest value must be above the smallest, got 1.0 and 1.0"),
    (lambda: C.r_autoencoder.rescaling(), "X must be given unless"),
    (lambda: C.r_autoencoder.rescaling(rescaling_offset=0.5), r"rescaling_offset must be in \[0, 0.5\), got 0.5"),
    (lambda: C.matlab.rescaling([[np.nan]]), "X must be finite"),
    (lambda: C.matlab.rescaling([1.0, 2.0]), "X must have shape"),
    (lambda: C.matlab.rescaling([[1.0]], ymin=1), "ymin must be < ymax, got 1 and 1.0"),
    (lambda: C.reorder_pixels(make(1, 6, 2)[0], (2, 2)), r"shape must have 6 pixels.*got \(2, 2\)"),
]


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[m for _, m in ERRORS])
def test_errors_name_argument_and_value(call, message):
    """What cannot be represented, or does not fit, is a ValueError that says so."""
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_types():
    """What is not a number is a TypeError."""
    with pytest.raises(TypeError, match="model must be an MLPRegressor, got MLPClassifier"):
        C.from_mlp_regressor(MLPClassifier())
    with pytest.raises(NotFittedError):
        C.from_mlp_regressor(MLPRegressor(activation="tanh"))
    with pytest.raises(TypeError, match="activation is that of params and hidden"):
        C.to_mlp_regressor(make(1, 6, 2)[0], activation="tanh")
    with pytest.raises(TypeError, match="theta must be real"):
        C.ufldl.unpack(np.array(["a"] * 22), 4, 2)
    with pytest.raises(TypeError, match="lambda_ must be a real number, got '1e-4'"):
        C.mlpack.to_ours(lambda_="1e-4")
