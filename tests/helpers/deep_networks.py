"""Networks, data and the two implementations that the tests of deep networks share."""

from __future__ import annotations

import itertools

import numpy as np

from sae_fast.network import _deep
from sae_fast.network._checks import check_sample_weight
from sae_fast.network._data import check_data
from sae_fast.network._deep import Layer
from sae_fast.network._layers import check_layers
from sae_fast.network._optimizers import check_rule, rate_of
from sae_fast.network._settings import check_settings
from sae_fast.network._solvers import EpochSolver, LbfgsSolver, trainer_options
from sae_fast.reference import _deep as _deep_reference

IMPLEMENTATIONS = {"core": _deep, "reference": _deep_reference}


def make_layers(sizes, dtype=np.float64, seed=0, scale=1.5):
    """Random layers with biases; sizes: features, then the outputs of each layer."""
    rng = np.random.default_rng(seed)
    return tuple(
        Layer(rng.normal(0, scale / np.sqrt(n), (k, n)).astype(dtype), rng.normal(0, 0.3, k).astype(dtype))
        for n, k in itertools.pairwise(sizes)
    )


def make_data(m, sizes, loss, dtype=np.float64, seed=1, own_target=True):
    """X in (0.1, 0.9), and labels or targets, or None for X itself."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.1, 0.9, (m, sizes[0])).astype(dtype)
    if loss == "softmax":
        return X, rng.integers(0, sizes[-1], m)
    return X, rng.uniform(0.1, 0.9, (m, sizes[-1])).astype(dtype) if own_target else None


def _checked(layers, X, y, weight, units, loss, rho, beta, weight_decay):
    layers, _ = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(layers))
    data = check_data(layers, X, y, loss)
    return layers, data, check_sample_weight(weight, len(data.X)), settings


def lbfgs_solver(layers, X, y, weight=None, *, memory=20, n_threads=None, **network):
    """L-BFGS with its data, from unchecked arguments."""
    return LbfgsSolver(*_checked(layers, X, y, weight, **network), memory=memory, n_threads=n_threads)


def epoch_solver(
    layers, X, y, weight=None, *, solver, learning_rate=None, momentum=0.0, nesterov=False, batch_size, seed=0,
    shuffle=True, n_threads=None, **network
):  # fmt: skip
    """Minibatch training with its data, from unchecked arguments."""
    layers, data, weight, settings = _checked(layers, X, y, weight, **network)
    rule = check_rule(solver, rate_of(solver, learning_rate), momentum, nesterov)
    options = trainer_options(rule, batch_size=batch_size, seed=seed, n_threads=n_threads, shuffle=shuffle)
    return EpochSolver(layers, settings, options).use(data, weight)


def flat(layers):
    """All arrays, one after another."""
    return [a for layer in layers for a in layer]
