"""Minibatch fits of the estimators take the path of the reference, from the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from tests.helpers.networks import DTYPES, TOLERANCE, error

SETTINGS = {"rho": 0.2, "beta": 0.5, "weight_decay": 1e-3}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [{"solver": "adam"}, {"solver": "sgd", "momentum": 0.9}, {"solver": "sgd", "momentum": 0.0, "learning_rate": 0.3}],
    ids=str,
)
def test_a_fit_is_the_training_function_from_its_seed(options, weighted, dtype):
    """Start, order of samples and updates of a fit are those of the reference's train() from the model's numbers."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (70, 9)).astype(dtype)
    weight = np.random.default_rng(1).uniform(0, 2, len(X)) if weighted else None
    shared = SETTINGS | options | {"batch_size": 16}
    model = sf.SparseAutoencoder(5, **shared, max_iter=4, tol=0, random_state=3).fit(X, sample_weight=weight)
    rng = np.random.RandomState(3)
    start = sf.init_params(9, 5, random_state=rng, dtype=dtype)
    seed = int(rng.randint(2**31 - 1))
    wanted, history = reference.train(start, X, **shared, n_epochs=4, random_state=seed, sample_weight=weight)
    assert error(model.params_, wanted) <= 50 * TOLERANCE[dtype]
    assert error(model.loss_curve_, history.cost) <= 50 * TOLERANCE[dtype]
    assert error(model.loss_parts_, np.stack(history[1:4], axis=1)) <= 50 * TOLERANCE[dtype]
