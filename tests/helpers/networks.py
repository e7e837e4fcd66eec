"""What tests of networks go over, and random ones: units, types, sizes, tolerances."""

from __future__ import annotations

import itertools

import numpy as np

import sae_fast
from sae_fast import reference
from sae_fast.network import _losses, _units

HIDDEN = ("sigmoid", "tanh")
OUTPUT = ("sigmoid", "tanh", "linear")
COMBINATIONS = [  # hidden unit, output unit and loss that go together, with each penalty that they may have
    {"hidden": hidden, "output": output, "loss": loss, "beta": beta, "l1": l1}
    for hidden, output, loss in itertools.product(_units.HIDDEN, _units.OUTPUT, _losses.RECONSTRUCTION)
    for beta, l1 in ((0.0, 0.0), (0.0, 0.3), (2.0, 0.0), (2.0, 0.3))
    if _losses.serves(loss, output) and (beta == 0 or _units.UNITS[hidden].bounded)
]
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


def name_of(settings):
    """Of a combination, for a test's name."""
    words = [settings["hidden"], settings["output"], settings["loss"]]
    return "-".join(words + [name for name in ("beta", "l1") if settings[name] > 0])


def is_smooth(params, X, settings, reach):
    """Is no kink of a unit or the loss within ``reach`` of any sample's?"""
    z2 = X @ params.W1.T + params.b1
    a2 = reference.encode(params, X, hidden=settings["hidden"])
    z3 = a2 @ params.W2.T + params.b2
    e = reference.decode(params, a2, output=settings["output"]) - X
    kinks = {"relu": (0.0,), "satlin": (0.0, 1.0), "absolute": (0.0,), "huber": (-1.0, 1.0)}
    of = [(settings["hidden"], z2), (settings["output"], z3), (settings["loss"], e)]
    return all(np.abs(values - kink).min() > reach for name, values in of for kink in kinks.get(name, ()))


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
