"""Networks, data and the two implementations that the tests of deep networks share."""

from __future__ import annotations

import itertools

import numpy as np

from sae_fast.network import _deep
from sae_fast.network._deep import Layer
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


def flat(layers):
    """All arrays, one after another."""
    return [a for layer in layers for a in layer]
