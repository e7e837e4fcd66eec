"""Examples of public things run in the module that defines them, and not again in the package that shows them."""

from __future__ import annotations

import importlib.util

import pytest

collect_ignore = [] if importlib.util.find_spec("onnx") else ["sae_fast/onnx"]  # its examples need it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out doctests of a package whose text also stands in the ``__test__`` of a private module."""
    found = [(item, item.dtest) for item in items if isinstance(item, pytest.DoctestItem) and item.dtest is not None]
    at_home = {test.docstring for _, test in found if ".__test__." in test.name}
    again = {item for item, test in found if ".__test__." not in test.name and test.docstring in at_home}
    items[:] = [item for item in items if item not in again]
