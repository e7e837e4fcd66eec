"""Few samples take a path of their own through the core, with samples as columns; the results are the same."""

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT, TOLERANCE, error, make

pytestmark = pytest.mark.core

SETTINGS = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-3}
# Whole vectors of samples and padded ones, units that fill their blocks and panels and units that do not.
SHAPES = [(16, 70, 40), (30, 64, 33), (32, 41, 100), (47, 100, 64), (64, 130, 97), (100, 600, 560), (112, 500, 300)]


def same(found, wanted, tolerance):
    """Cost and gradients."""
    assert found[0] == pytest.approx(wanted[0], rel=tolerance)
    for a, b in zip(found[1], wanted[1]):
        assert error(a, b) <= tolerance


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_equals_the_reference(shape, hidden, output, dtype):
    """Every unit, dtype and kind of shape, with sample weights and without, whatever a call before left in memory."""
    params, X = make(*shape, dtype)
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    weight[3] = 0
    for sample_weight in (weight, None):
        other, many = make(300, 90, 80, dtype, seed=1)
        sf.cost_and_grad(other, 1 + many, **SETTINGS)
        options = {**SETTINGS, "hidden": hidden, "output": output, "sample_weight": sample_weight}
        same(sf.cost_and_grad(params, X, **options), reference.cost_and_grad(params, X, **options), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_number_of_threads(shape, dtype):
    """The same bits."""
    params, X = make(*shape, dtype)
    cost, grad = sf.cost_and_grad(params, X, **SETTINGS, n_threads=1)
    for n_threads in (2, 3, 8):
        again, other = sf.cost_and_grad(params, X, **SETTINGS, n_threads=n_threads)
        assert again == cost
        assert all(np.array_equal(a, b) for a, b in zip(other, grad))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_units_whose_mean_underflows(hidden, dtype):
    """Their penalty comes from logarithms; the samples eight times over take the other path and have the same means."""
    params, X = make(32, 70, 40, dtype)
    params = params._replace(b1=params.b1.copy())
    params.b1[3:35:4] = -900 if dtype == np.float64 else -120
    params.b1[4:35:4] = 900 if dtype == np.float64 else 120
    options = {**SETTINGS, "hidden": hidden}
    found = sf.cost_and_grad(params, X, **options)
    assert all(np.isfinite(g).all() for g in found[1])
    same(found, sf.cost_and_grad(params, np.tile(X, (8, 1)), **options), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_padding_is_no_sample_of_zeros(dtype):
    """Units that only their bias alone would switch on, of weights that would then overflow, are as if not there."""
    params, X = make(30, 64, 33, dtype)
    params.W1[:2], params.b1[:2] = -100, 800
    bare = params._replace(W2=params.W2.copy())
    params.W2[0, :2], bare.W2[0, :2] = 0.9 * np.finfo(dtype).max, 0
    options = {**SETTINGS, "weight_decay": 0, "output": "linear"}
    same(sf.cost_and_grad(params, X, **options), reference.cost_and_grad(bare, X, **options), TOLERANCE[dtype])


@pytest.mark.parametrize(
    "view", [lambda X: X[::2], lambda X: X[:, ::-1], np.asfortranarray, lambda X: X.astype(np.int16)]
)
def test_samples_of_any_layout(view):
    """Strided, reversed and integer samples are converted."""
    params, X = make(64, 70, 40)
    X = view(np.round(X * 100))
    same(sf.cost_and_grad(params, X, **SETTINGS), reference.cost_and_grad(params, X, **SETTINGS), 1e-12)


def test_what_is_not_finite_stays_so():
    """NaN in a sample gives NaN in the cost and all gradients."""
    params, X = make(32, 70, 40)
    X[5, 7] = np.nan
    cost, grad = sf.cost_and_grad(params, X, **SETTINGS)
    assert np.isnan(cost)
    assert all(np.isnan(g).any() for g in grad)


@pytest.mark.parametrize("dtype", DTYPES)
def test_training_in_small_batches(dtype):
    """Epochs that gather such batches, with a running mean, go the way of the reference."""
    params, X = make(96, 70, 40, dtype)
    options = {**SETTINGS, "batch_size": 32, "n_epochs": 3, "rho_hat_momentum": 0.9, "random_state": 0}
    found, history = sf.train(params, X, **options)
    wanted, reference_history = reference.train(params, X, **options)
    assert error(found, wanted) <= 50 * TOLERANCE[dtype]
    assert error(history, reference_history) <= 50 * TOLERANCE[dtype]
