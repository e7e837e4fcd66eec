"""The model file: one safetensors file with the arrays, and JSON beside them in its header. No pickle.

Layout of a single layer's: tensors ``W1``, ``b1``, ``W2``, ``b2``, ``rho_hat``, ``loss_curve``, ``unit_lowest``,
``unit_highest``; the metadata entry ``sae_fast`` holds a JSON object with ``format`` (a number), ``versions``,
``hyper_parameters``, ``fitted``, ``feature_names`` and ``checksum``, the SHA-256 over all tensors and the rest of the
object. Files that an older version would misread have format 2: models that scale their data (``scale`` holds its
numbers, and the tensors ``scale_minimum`` and ``scale_span`` those of each feature); an encoder's, with a ``kind``,
``hidden``, ``W1`` and ``b1``; and a stack's or its encoder's, with a ``kind`` and tensors of their own (see
``_stack_file.py``).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._atomic import replacing
from ._checks import check_activations, check_params
from ._public import public_in
from ._scale import Scale, scale_from_json, scale_to_json
from ._types import Cost, Hidden, Output, Params
from ._version import __version__

if TYPE_CHECKING:
    from ._estimator import SparseAutoencoder
    from ._stacked import StackedAutoencoder
    from ._stacked_classifier import StackedAutoencoderClassifier

FORMAT = 2  # the newest that is read; what older versions understand is still written in format 1
KIND = "SparseAutoencoder"
_KEY = "sae_fast"
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


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('model files need the package safetensors: pip install "sae-fast[model]"') from error
    return safetensors.numpy


def _checksum(tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    rest = {k: v for k, v in about.items() if k != "checksum"}
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return digest.hexdigest()


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
    """Write arrays and JSON with versions and checksum, whole or not at all."""
    library = _safetensors()
    # safetensors stores the memory of an array as it lies: only C order is what its shape says.
    tensors = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    about = about | {"versions": {"sae_fast": __version__, "numpy": np.__version__}}
    about["checksum"] = _checksum(tensors, about)
    data = library.save(tensors, {_KEY: json.dumps(about)})
    with replacing(path) as file:
        file.write(data)


def read(path: str | PathLike[str]) -> ModelFile:
    """Read and verify the file of a single layer.

    Raises
    ------
    ModelFileError
        Not a model file of this package, damaged, of a newer format, or of another kind.
    OSError
        The file cannot be read.
    """
    return single_layer(path, *read_tensors(path))


def read_tensors(path: str | PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and JSON of a model file of any kind, verified; errors as for :func:`read`."""
    library = _safetensors()
    name = str(path)
    data = Path(path).read_bytes()
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        text = header["__metadata__"][_KEY]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{name} is not a model file of sae_fast, or it is damaged") from error
    try:
        tensors = library.load(data)
        about = json.loads(text)
        newer = about["format"] > FORMAT
        good = not newer and about["checksum"] == _checksum(tensors, about)
    except Exception as error:
        raise ModelFileError(f"{name} is damaged or cut short: {error}") from error
    if newer:
        raise ModelFileError(
            f"{name} has format {about['format']} of a newer sae_fast; this one reads up to {FORMAT}: upgrade sae_fast"
        )
    if not good:
        raise ModelFileError(f"{name} is damaged: its checksum does not match its contents")
    return tensors, about


def single_layer(path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> ModelFile:
    """The single layer that verified contents hold."""
    kind = about.get("kind", KIND)
    if kind != KIND:
        reader = f"sae_fast.{kind}.load" if kind in ("Encoder", "StackEncoder") else "sae_fast.load"
        raise ModelFileError(f"{path} holds {kind!r}, not {KIND!r}: read it with {reader}")
    try:
        params, _ = check_params(tuple(tensors.pop(k) for k in _PARAMS))
        check_activations(about["hidden"], about["output"])
        scale = scale_from_json(about["scale"], tensors, params.W1.shape[1]) if about["format"] >= 2 else None
        return ModelFile(
            Params(*params),
            about["hidden"],
            about["output"],
            about["hyper_parameters"],
            about["fitted"],
            tensors,
            about["feature_names"],
            about["versions"],
            scale,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} does not hold a model: {error}") from error


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
def load(path: str | PathLike[str]) -> SparseAutoencoder | StackedAutoencoder | StackedAutoencoderClassifier:
    """Read a fitted estimator from a file that its ``save`` wrote.

    Parameters
    ----------
    path : path-like
        A safetensors file.

    Returns
    -------
    SparseAutoencoder, StackedAutoencoder or StackedAutoencoderClassifier
        What was saved.

    Raises
    ------
    ModelFileError
        A ``ValueError``: not a model file of this package, damaged, or of a newer format. Never a wrong model.
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
    from ._estimator import SparseAutoencoder
    from ._scalers import scaler_from

    tensors, about = read_tensors(path)
    if about.get("kind", KIND).startswith("Stacked"):
        from ._stack_file import stack

        return stack(path, tensors, about)
    found = single_layer(path, tensors, about)
    model: SparseAutoencoder = make(path, SparseAutoencoder, found.hyper_parameters)
    try:
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
    except KeyError as error:
        raise ModelFileError(f"{path} does not hold a fitted SparseAutoencoder: {error} is missing") from None
    if found.feature_names is not None:
        model.feature_names_in_ = np.array(found.feature_names, dtype=object)
    return model
