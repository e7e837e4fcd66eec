"""Shared by all tests: both implementations, tolerances, real data."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path
from types import ModuleType

# A shell ignores it in what runs in its background, `&`; here and in the processes of tests it shall interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# scikit-learn's array API checks skip themselves without it; it must be set before SciPy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest

import sae_fast
from sae_fast import reference

IMPLEMENTATIONS = {"core": sae_fast, "reference": reference}
HIDDEN = ("sigmoid", "tanh")
OUTPUT = ("sigmoid", "tanh", "linear")
DTYPES = (np.float64, np.float32)
SIZES = (1, 7, 8, 9, 17, 33, 65, 257)
# Largest error over the largest entry, for one product chain after another and its sums.
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}


SHARED = Path(os.environ.get("SAE_FAST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CASES = SHARED / "cases"


@pytest.fixture(params=IMPLEMENTATIONS, name="impl")
def _impl(request: pytest.FixtureRequest) -> ModuleType:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(scope="session")
def shared_data() -> ModuleType:
    """The loader of the real data sets, where they are."""
    path = SHARED / "data" / "load.py"
    if not path.exists():
        pytest.skip("the real data sets are not beside this checkout (set SAE_FAST_SHARED to their folder)")
    spec = importlib.util.spec_from_file_location("shared_data_load", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
