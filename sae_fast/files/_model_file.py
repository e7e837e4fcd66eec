"""The model file: one safetensors file with the arrays, and JSON beside them in its header. No pickle.

Layout of a single layer's: tensors ``W1``, ``b1``, ``W2``, ``b2``, ``rho_hat``, ``loss_curve``, ``unit_lowest``,
``unit_highest``; the metadata entry ``sae_fast`` holds a JSON object with ``format`` (a number), ``versions``,
``hyper_parameters``, ``fitted``, ``feature_names`` and ``checksum``, the SHA-256 over all tensors and the rest of the
object. A model that scales its data has ``scale`` too, with its numbers, and tensors ``scale_minimum`` and
``scale_span`` with those of each feature. An encoder's file has a ``kind``, ``hidden``, ``W1`` and ``b1``; a stack's or
its encoder's a ``kind`` and tensors of their own (see ``_stack_file.py``). Which of them have which format is
in ``_model_format.py``, and what each field must be in ``_model_schema.py``; it holds of all that is read and written.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from .._version import __version__
from ..network._scale import Scale, scale_from_json, scale_to_json
from ..network._types import Hidden, Loss, Output, Params
from ._atomic import replacing
from ._kinds import KIND, MAKERS, Maker
from ._model_fields import short
from ._model_format import FORMAT, as_read, as_stored
from ._model_schema import check_contents

_KEY = "sae_fast"
_LONGEST_HEADER = 100_000_000  # bytes, of any safetensors file
_PARAMS = ("W1", "b1", "W2", "b2")


@public_in("sae_fast")
class ModelFileError(ValueError):
    """The file is not a model file of this package, is damaged, or comes from a newer version."""


@dataclass
class ModelFile:
    """What a model file holds."""

    params: Params
    hidden: Hidden
    output: Output
    hyper_parameters: dict[str, Any] = field(default_factory=dict)
    fitted: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    feature_names: list[str] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    scale: Scale | None = None
    loss: Loss = "squared"


def import_safetensors() -> Any:
    """The library that reads and writes the files; worth knowing of before long work, not after it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('model files need the package safetensors: pip install "sae-fast[model]"') from error
    return safetensors.numpy


def write(path: str | PathLike[str], model: ModelFile, more: dict[str, Any] | None = None) -> None:
    """Write the file of a single layer, whole or not at all; ``more`` are fields of kinds that hold more than it."""
    about = (more or {}) | {
        "hidden": model.hidden,
        "output": model.output,
        "loss": model.loss,
        "hyper_parameters": model.hyper_parameters,
        "fitted": model.fitted,
        "feature_names": model.feature_names,
    }
    arrays = dict(zip(_PARAMS, model.params, strict=True)) | model.arrays
    if model.scale is not None:
        about["scale"], scale_arrays = scale_to_json(model.scale)
        arrays |= scale_arrays
    write_tensors(path, arrays, about)


def write_tensors(path: str | PathLike[str], arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> None:
    """Write arrays and JSON with versions and checksum, whole or not at all.

    Raises
    ------
    TypeError, ValueError
        A field is not what its kind of file must hold, so that the file could not be read.
    """
    library = import_safetensors()
    # safetensors stores the memory of an array as it lies: only C order is what its shape says.
    tensors = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    about = as_stored(about) | {"versions": {"sae_fast": __version__, "numpy": np.__version__}}
    try:
        check_contents(tensors, about)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path} cannot be written: {error}") from None
    about["checksum"] = checksum(tensors, about)
    data = library.save(tensors, {_KEY: json.dumps(about)})
    with replacing(path) as file:
        file.write(data)


class Contents(NamedTuple):
    """What is in a model file, checked: its kind, arrays and JSON."""

    kind: str
    tensors: dict[str, NDArray[Any]]
    about: dict[str, Any]


def read_tensors(path: str | PathLike[str]) -> Contents:
    """What a model file of any kind holds, verified and checked field by field; the file is read once.

    Raises
    ------
    ModelFileError
        Not a model file of this package, damaged, of a newer format, or with a field that is not what it must be.
    OSError
        The file cannot be read.
    """
    library = import_safetensors()
    with open(path, "rb") as file:
        header, data = _read(file)
    try:
        metadata = _json(header)["__metadata__"]
        if f"{_KEY}_checkpoint" in metadata:
            raise ModelFileError(f"{path} is a checkpoint of a fit, not a model: resume_from= goes on from it")
        text = metadata[_KEY]
    except ModelFileError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path} is not a model file of sae_fast, or it is damaged") from error
    if not data:
        raise ModelFileError(f"{path} is damaged: it is cut short, or has something behind its end")
    try:
        about = _json(text)
        number = about.get("format")
        newer = type(number) is int and number > FORMAT
        tensors = {} if newer else library.load(data)
        good = newer or about.get("checksum") == checksum(tensors, about)
    except Exception as error:  # of safetensors too, which has its own
        raise ModelFileError(f"{path} is damaged: {str(error)[:200]}") from error
    if newer:
        raise ModelFileError(
            f"{path} has format {short(number)} of a newer sae_fast; this one reads up to {FORMAT}: upgrade sae_fast"
        )
    if not good:
        raise ModelFileError(f"{path} is damaged: its checksum does not match its contents")
    try:
        return Contents(check_contents(tensors, about), tensors, as_read(about))
    except (TypeError, ValueError) as error:
        kind = short(about.get("kind", KIND)).strip("'")
        article = "an" if kind.startswith("E") else "a"
        raise ModelFileError(f"{path} does not hold {article} {kind}: {str(error)[:400]}") from error


def _read(file: BinaryIO) -> tuple[bytes, bytes]:
    """The header, and all of the file; no more than what may be one, whatever is at the path."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > _LONGEST_HEADER:
        return b"", start
    header = file.read(length)
    try:
        entries = _json(header)
        size = max((int(entries[name]["data_offsets"][1]) for name in entries if name != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError):
        return b"", header  # the caller says so
    held = os.fstat(file.fileno()).st_size - 8 - length
    if file.seekable() and held != size:
        return header, b""  # cut short, or with something behind it
    return header, start + header + file.read(max(size, 0))


def _json(text: bytes | str) -> Any:
    """JSON in which no name of an object is there twice."""
    return json.loads(text.decode() if isinstance(text, bytes) else text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def checksum(tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> str:
    """SHA-256 over all tensors, and over all of the JSON but the checksum itself."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    rest = {k: v for k, v in about.items() if k != "checksum"}
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return digest.hexdigest()


def maker_of(kind: str) -> Maker:
    """What makes the objects that files of a kind hold."""
    if kind not in MAKERS:
        getattr(sys.modules["sae_fast"], kind)  # imports the module that registers it
    return MAKERS[kind]


def single_layer(tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> ModelFile:
    """The single layer that checked contents hold."""
    arrays = dict(tensors)
    params = Params(*(arrays.pop(k) for k in _PARAMS))
    scale = scale_from_json(about["scale"], arrays, params.W1.shape[1]) if "scale" in about else None
    return ModelFile(
        params,
        about["hidden"],
        about["output"],
        about["hyper_parameters"],
        about["fitted"],
        arrays,
        about["feature_names"],
        about["versions"],
        scale,
        about["loss"],
    )


@public_in("sae_fast")
def load(path: str | PathLike[str]) -> Any:
    """Read what a ``save`` method wrote: a fitted estimator or an encoder.

    Parameters
    ----------
    path : path-like
        A safetensors file.

    Returns
    -------
    SparseAutoencoder, StackedAutoencoder, StackedAutoencoderClassifier, KSparseAutoencoder, Encoder, StackEncoder or
    KSparseEncoder
        What was saved.

    Raises
    ------
    ModelFileError
        A ``ValueError``: not a model file of this package, damaged, of a newer format, or with a field that is not what
        it must be. Never a wrong model.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (100, 8))
    >>> path = pathlib.Path(tempfile.mkdtemp(), "model.safetensors")
    >>> sf.SparseAutoencoder(4, max_iter=10, random_state=0).fit(X).save(path)
    >>> sf.load(path).transform(X).shape
    (100, 4)
    """
    kind, tensors, about = read_tensors(path)
    return maker_of(kind)(path, tensors, about)
