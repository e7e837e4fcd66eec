"""Checkpoints of fits: one safetensors file with arrays, and JSON beside them in its header, as model files are.

The metadata entry ``sae_fast_checkpoint`` holds a JSON object with ``format``, ``versions``, ``fit`` (what the fit is
of: settings, data, the generator of random numbers), ``stage`` and ``checksum``, the SHA-256 over all tensors and the
rest of the object.
"""

from __future__ import annotations

import json
import os
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ._atomic import replacing
from ._model_file import ModelFileError, _json, _read, checksum, import_safetensors

KEY = "sae_fast_checkpoint"
FORMAT = 1


def write_checkpoint(path: str | PathLike[str], arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> None:
    """Write arrays and JSON, whole or not at all."""
    library = import_safetensors()
    tensors = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    about = about | {"format": FORMAT, "versions": {"sae_fast": __version__, "numpy": np.__version__}}
    about["checksum"] = checksum(tensors, about)
    data = library.save(tensors, {KEY: json.dumps(about)})
    with replacing(path) as file:
        file.write(data)


def read_checkpoint(path: str | PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and JSON, verified.

    Raises
    ------
    ModelFileError
        Not a checkpoint, damaged, or of a newer format.
    OSError
        The file cannot be read.
    """
    library = import_safetensors()
    name = os.fspath(path)
    with open(path, "rb") as file:
        header, data = _read(file)
    try:
        text = _json(header)["__metadata__"][KEY]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{name} is no checkpoint of sae_fast, or it is damaged") from error
    try:
        about = _json(text)
        if about["format"] > FORMAT:
            raise ModelFileError(
                f"{name} has format {about['format']} of a newer sae_fast; this one reads up to {FORMAT}: upgrade "
                "sae_fast"
            )
        tensors = library.load(data) if data else {}
        good = bool(data) and about.get("checksum") == checksum(tensors, about)
    except ModelFileError:
        raise
    except Exception as error:  # of safetensors too, which has its own
        raise ModelFileError(f"{name} is damaged: {str(error)[:200]}") from error
    if not good:
        raise ModelFileError(f"{name} is damaged: its checksum does not match its contents")
    return tensors, about
