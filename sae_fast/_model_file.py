"""The model file: one safetensors file with the arrays, and JSON beside them in its header. No pickle.

Layout of a single layer's: tensors ``W1``, ``b1``, ``W2``, ``b2``, ``rho_hat``, ``loss_curve``, ``unit_lowest``,
``unit_highest``; the metadata entry ``sae_fast`` holds a JSON object with ``format`` (a number), ``versions``,
``hyper_parameters``, ``fitted``, ``feature_names`` and ``checksum``, the SHA-256 over all tensors and the rest of the
object. Files that an older version would misread have format 2: models that scale their data (``scale`` holds its
numbers, and the tensors ``scale_minimum`` and ``scale_span`` those of each feature); an encoder's, with a ``kind``,
``hidden``, ``W1`` and ``b1``; and a stack's or its encoder's, with a ``kind`` and tensors of their own (see
``_stack_file.py``). What each field must be is in ``_model_schema.py``, and holds of all that is read and written.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ._atomic import replacing
from ._model_fields import short
from ._model_schema import FORMAT, KIND, STACKS, check_contents, kind_of
from ._public import public_in
from ._scale import Scale, scale_from_json, scale_to_json
from ._types import Cost, Hidden, Output, Params
from ._version import __version__

if TYPE_CHECKING:
    from ._estimator import SparseAutoencoder

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


def import_safetensors() -> Any:
    """The library that reads and writes the files; worth knowing of before long work, not after it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('model files need the package safetensors: pip install "sae-fast[model]"') from error
    return safetensors.numpy


def write(path: str | PathLike[str], model: ModelFile) -> None:
    """Write the file of a single layer, whole or not at all."""
    about = {
        "format": 1 if model.scale is None else 2,
        "hidden": model.hidden,
        "output": model.output,
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
    about = about | {"versions": {"sae_fast": __version__, "numpy": np.__version__}}
    try:
        check_contents(tensors, about)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path} cannot be written: {error}") from None
    about["checksum"] = checksum(tensors, about)
    data = library.save(tensors, {_KEY: json.dumps(about)})
    with replacing(path) as file:
        file.write(data)


def read_tensors(path: str | PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and JSON of a model file of any kind, verified and checked field by field.

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
        text = metadata[_KEY]
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
        check_contents(tensors, about)
    except (TypeError, ValueError) as error:
        kind = short(about.get("kind", KIND)).strip("'")
        article = "an" if kind.startswith("E") else "a"
        raise ModelFileError(f"{path} does not hold {article} {kind}: {str(error)[:400]}") from error
    return tensors, about


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


def single_layer(tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> ModelFile:
    """The single layer that checked contents hold."""
    arrays = dict(tensors)
    params = Params(*(arrays.pop(k) for k in _PARAMS))
    scale = scale_from_json(about["scale"], arrays, params.W1.shape[1]) if about["format"] >= 2 else None
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
    )


def save(model: SparseAutoencoder, path: str | PathLike[str]) -> None:
    """Write a fitted estimator; see :meth:`sae_fast.SparseAutoencoder.save`."""
    hyper = hyper_parameters(model)
    low, high = model._unit_range_
    arrays = {
        "rho_hat": model.rho_hat_,
        "loss_curve": model.loss_curve_,
        "loss_parts": model.loss_parts_,
        "unit_lowest": low,
        "unit_highest": high,
    }
    fitted = {"n_iter": model.n_iter_, "cost": list(model.cost_), "rho": model._rho_fitted_}
    scale = None if model.scaler_ is None else model.scaler_._scale
    names = feature_names(model)
    found = ModelFile(model.params_, *model._units, hyper, fitted, arrays, names, scale=scale)
    write(path, found)


def hyper_parameters(model: Any) -> dict[str, Any]:
    """What an estimator was made with, as JSON can hold it."""
    hyper = {k: v for k, v in model.get_params(deep=False).items() if k != "callback"}
    hyper = {k: _plain(v) for k, v in hyper.items()}
    if not isinstance(hyper["random_state"], int):
        hyper["random_state"] = None  # a generator's state has no place in JSON
    return hyper


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return [[_plain(k), _plain(v)] for k, v in value.items()]  # JSON would make texts of the keys
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def feature_names(model: Any) -> list[str] | None:
    """Names of the columns that an estimator was fitted to, if they had any."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(n) for n in names]


def make(path: str | PathLike[str], kind: type[Any], hyper: dict[str, Any]) -> Any:
    """An estimator with these hyper-parameters; those that this version does not know are ignored with a warning."""
    known = kind().get_params()
    ignored = sorted(set(hyper) - set(known))
    if ignored:
        warnings.warn(f"{path}: this version knows no {', '.join(ignored)}; ignored", stacklevel=3)
    return kind(**{k: v for k, v in hyper.items() if k in known})


@public_in("sae_fast")
def load(path: str | PathLike[str]) -> Any:
    """Read what a ``save`` method wrote: a fitted estimator or an encoder.

    Parameters
    ----------
    path : path-like
        A safetensors file.

    Returns
    -------
    SparseAutoencoder, StackedAutoencoder, StackedAutoencoderClassifier, Encoder or StackEncoder
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
    tensors, about = read_tensors(path)
    return from_contents(path, tensors, about)


def from_contents(path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> Any:
    """The estimator or encoder that checked contents hold; ``path`` is for messages."""
    kind = kind_of(about)
    if kind in STACKS:
        from ._stack_file import stack

        return stack(path, tensors, about)
    if kind == "StackEncoder":
        from ._stack_encoder import StackEncoder, layers_of

        return StackEncoder(layers_of(tensors, about))
    if kind == "Encoder":
        from ._encoder import Encoder, from_layer

        return from_layer(Encoder, tensors["W1"], tensors["b1"], about["hidden"], about.get("feature_names"))
    return _estimator(path, single_layer(tensors, about))


def _estimator(path: str | PathLike[str], found: ModelFile) -> SparseAutoencoder:
    from ._estimator import SparseAutoencoder
    from ._scalers import scaler_from

    model: SparseAutoencoder = make(path, SparseAutoencoder, found.hyper_parameters)
    model.params_, model._units_ = found.params, (found.hidden, found.output)
    model.n_features_in_ = found.params.W1.shape[1]
    if found.scale is not None:
        model.scaler_ = scaler_from(found.scale, found.output, model.n_features_in_)
    model.rho_hat_ = found.arrays["rho_hat"]
    model.loss_curve_ = found.arrays["loss_curve"]
    model.loss_parts_ = found.arrays["loss_parts"]
    model._unit_range_ = (found.arrays["unit_lowest"], found.arrays["unit_highest"])
    model.n_iter_ = found.fitted["n_iter"]
    model.cost_ = Cost(*found.fitted["cost"])
    model._rho_fitted_ = found.fitted["rho"]
    if found.feature_names is not None:
        model.feature_names_in_ = np.array(found.feature_names, dtype=object)
    return model
