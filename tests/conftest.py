"""Shared by all tests: both implementations, real data."""

from __future__ import annotations

import importlib.util
import os
import signal
from types import ModuleType

# A shell ignores it in what runs in its background, `&`; here and in the processes of tests it shall interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# scikit-learn's array API checks skip themselves without it; it must be set before SciPy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest

import sae_fast
from sae_fast import reference

pytest.register_assert_rewrite("tests.helpers")

from tests.helpers.paths import SHARED

IMPLEMENTATIONS = {"core": sae_fast, "reference": reference}


@pytest.fixture(params=["core", pytest.param("reference", marks=pytest.mark.reference)], name="impl")
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
