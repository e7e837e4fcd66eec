"""What tests of networks go over, and random ones: units, types, sizes, tolerances."""

from __future__ import annotations

import numpy as np

import sae_fast

HIDDEN = ("sigmoid", "tanh")
OUTPUT = ("sigmoid", "tanh", "linear")
DTYPES = (np.float64, np.float32)
SIZES = (1, 7, 8, 9, 17, 33, 65, 257)
# Largest error over the largest entry, for one product chain after another and its sums.
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}


def make(m, v, h, dtype=np.float64, seed=0, scale=1.0):
    """Random parameters with biases, and data in (0.1, 0.9)."""
    rng = np.random.default_rng(seed)
    params = sae_fast.init_params(v, h, random_state=rng, dtype=dtype)
    params = params._replace(
        W1=(scale * params.W1).astype(dtype),
        b1=rng.normal(0, 0.3, h).astype(dtype),
        b2=rng.normal(0, 0.3, v).astype(dtype),
    )
    return params, rng.uniform(0.1, 0.9, (m, v)).astype(dtype)


def error(got, wanted):
    """Largest difference over the largest wanted entry, over all arrays of both; NaN if there is one."""
    pairs = [(got, wanted)] if isinstance(got, (float, np.ndarray)) else list(zip(got, wanted, strict=True))
    worst = 0.0
    for a, b in pairs:
        b = np.asarray(b, dtype=np.float64)
        top = max(float(np.abs(b).max()), 1e-300)
        # np.maximum, for which NaN is the larger one: max() would pass over it.
        worst = float(np.maximum(worst, np.abs(np.asarray(a, dtype=np.float64) - b).max() / top))
    return worst
