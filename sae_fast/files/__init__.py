"""Tables, labels and model files, read and written. Needs NumPy alone.

Rooms above take model files from here, ``files.read_tensors(path)``: what reads them is imported when it is first used.
It takes twice as long as all else that an encoder needs, and one that comes from a pickle never uses it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._model_file import ModelFileError as ModelFileError
    from ._model_file import read_tensors as read_tensors
    from ._model_file import single_layer as single_layer
    from ._model_file import write_tensors as write_tensors

_OF_MODELS = ("ModelFileError", "read_tensors", "single_layer", "write_tensors")


def __getattr__(name: str) -> Any:
    if name not in _OF_MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("._model_file", __name__), name)
