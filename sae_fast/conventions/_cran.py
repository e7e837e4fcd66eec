"""Fits of R's packages autoencoder and SAENET, from R's own files (by the package rdata) or from ``.npz``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._public import public_in
from ..network._checks import check_count, check_params
from ..network._types import Hidden, Output, Params
from ._base import Rescaling
from ._r import hidden_of, rescaling

_EXPORT = (
    'pip install "sae-fast[r]" to read it, or write the weights in R: R.matlab::writeMat("fit.mat", '
    "W1 = fit$W[[1]], b1 = fit$b[[1]], W2 = fit$W[[2]], b2 = fit$b[[2]]), and call read_mat"
)


@public_in("sae_fast.conventions")
class CranFileError(ValueError):
    """The file does not hold a fit of the package autoencoder with three layers, or is damaged."""


@public_in("sae_fast.conventions")
class CranFit(NamedTuple):
    """A fit of R's package autoencoder.

    Attributes
    ----------
    params : Params
        float64.
    hidden, output : str
        Its ``unit.type`` in our words.
    rescaling : Rescaling or None
        What was done to the training data; None if nothing was.
    mean_error : float or None
        Mean over the training samples of the sum of squared errors: twice our ``cost(...).reconstruction``.
    """

    params: Params
    hidden: Hidden
    output: Output
    rescaling: Rescaling | None
    mean_error: float | None


@public_in("sae_fast.conventions")
def read_cran_fit(path: str | PathLike[str], *, name: str | None = None, layer: int | None = None) -> CranFit:
    """A fit of R's package autoencoder, or a layer of one of SAENET.

    Parameters
    ----------
    path : path-like
        ``.rda``, ``.RData`` or ``.rds`` as R writes them, which need the package rdata (``sae-fast[r]``); or ``.npz``
        with ``W1, b1, W2, b2`` and optionally ``unit_type``, ``mean_error_training_set``, ``rescaling_min``,
        ``rescaling_max``, ``rescaling_offset``.
    name : str, optional
        Which object, where the file holds several.
    layer : int, optional
        Which layer of a SAENET stack, from 1.

    Returns
    -------
    CranFit

    Raises
    ------
    CranFileError
        A ``ValueError``: no such fit in it, or damaged.
    ImportError
        rdata is not installed; says how to do without.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, sae_fast as sf
    >>> from sae_fast import conventions
    >>> path = pathlib.Path(tempfile.mkdtemp(), "fit.npz")
    >>> np.savez(path, **sf.init_params(100, 25, random_state=0)._asdict(), unit_type="logistic")
    >>> fit = conventions.read_cran_fit(path)
    >>> fit.params.W1.shape, fit.hidden, fit.rescaling
    ((25, 100), 'sigmoid', None)
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".npz", ".rda", ".rdata", ".rds"):
        raise ValueError(f"path must end in .rda, .RData, .rds or .npz, got {str(path)!r}")
    with open(path, "rb"):
        pass  # a file that is not there is an OSError, whatever the library would say
    found = _from_npz(path) if suffix == ".npz" else _from_r(path, suffix, name, layer)
    try:
        fit = found if suffix == ".npz" else _flatten(found)
        unit = hidden_of(str(fit.get("unit.type", "logistic")))
        weights = (fit["W"][0], fit["b"][0], fit["W"][1], fit["b"][1])
        arrays = tuple(np.array(a, dtype=np.float64, order="C") for a in weights)
        params, _ = check_params((arrays[0], arrays[1].reshape(-1), arrays[2], arrays[3].reshape(-1)))
        if not all(np.isfinite(a).all() for a in params):
            raise ValueError("weights must be finite")
        error = fit.get("mean.error.training.set")
        scale = fit.get("rescaling")
        ends = None if scale is None else rescaling(unit_type=str(fit.get("unit.type", "logistic")), **scale)
    except (KeyError, IndexError, TypeError, ValueError) as reason:
        raise CranFileError(f"{path} does not hold a fit of the package autoencoder: {reason}") from reason
    return CranFit(params, unit, unit, ends, None if error is None else float(error))


def _from_npz(path: str | PathLike[str]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = dict(archive)
    except Exception as error:  # NumPy raises whatever zipfile and zlib stumble over
        raise CranFileError(f"{path} is not an .npz file, or it is damaged: {error}") from error
    missing = [n for n in ("W1", "b1", "W2", "b2") if n not in found]
    if missing:
        raise CranFileError(f"{path} has no {', '.join(missing)}, only {', '.join(found) or 'nothing'}")
    fit: dict[str, Any] = {"W": (found["W1"], found["W2"]), "b": (found["b1"], found["b2"])}
    if "rescaling_min" in found:
        ends = ("rescaling_min", "rescaling_max", "rescaling_offset")
        fit["rescaling"] = {key: float(found[key]) for key in ends if key in found}
    renamed = (("unit.type", "unit_type"), ("mean.error.training.set", "mean_error_training_set"))
    return fit | {theirs: found[ours].item() for theirs, ours in renamed if ours in found}


def _from_r(path: str | PathLike[str], suffix: str, name: str | None, layer: int | None) -> Mapping[str, Any]:
    try:
        import rdata
    except ImportError as error:
        raise ImportError(f"{path} is a file of R: {_EXPORT}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Missing constructor for R class": the plain list is what we want
            content = rdata.read_rds(path) if suffix == ".rds" else rdata.read_rda(path)
    except Exception as error:  # a damaged file makes rdata raise whatever it stumbles over
        raise CranFileError(f"{path} is not a file of R, or it is damaged: {error}") from error
    value = content if suffix == ".rds" else _chosen(path, content, name)
    return _layer(path, value, layer)


def _is_fit(value: object) -> bool:
    return isinstance(value, Mapping) and "W" in value and "b" in value


def _is_stack(value: object) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(v, Mapping) and "ae.out" in v for v in value)


def _chosen(path: str | PathLike[str], content: Mapping[str, Any], name: str | None) -> Any:
    fits = [key for key, value in content.items() if _is_fit(value) or _is_stack(value)]
    if name is None and len(fits) == 1:
        return content[fits[0]]
    if name not in fits:
        held = ", ".join(fits) if fits else f"none of autoencoder or SAENET, only {', '.join(content) or 'nothing'}"
        raise CranFileError(f"name must be that of a fit in {path} ({held}), got {name!r}")
    return content[name]


def _layer(path: str | PathLike[str], value: Any, layer: int | None) -> Mapping[str, Any]:
    if _is_stack(value):
        if layer is None or not 1 <= check_count("layer", layer) <= len(value):
            raise CranFileError(f"layer must be 1 to {len(value)} for the stack in {path}, got {layer!r}")
        value = value[layer - 1]["ae.out"]
    elif layer is not None:
        raise CranFileError(f"layer must be None: {path} holds one autoencoder, not a stack; got {layer!r}")
    if not _is_fit(value):
        raise CranFileError(f"{path} does not hold a fit of the package autoencoder")
    fit: Mapping[str, Any] = value
    return fit


def _flatten(fit: Mapping[str, Any]) -> dict[str, Any]:
    """R's vectors of length one as scalars, and the rescaling as arguments of ``rescaling``."""
    if len(fit["W"]) != 2:
        raise ValueError(f"it must have 3 layers, got nl = {len(fit['W']) + 1}")
    flat: dict[str, Any] = {"W": fit["W"], "b": fit["b"]}
    for key in ("unit.type", "mean.error.training.set"):
        if fit.get(key) is not None:
            flat[key] = np.asarray(fit[key]).reshape(-1)[0]
    scale = fit.get("rescaling") or {}
    if np.any(scale.get("rescale.flag", False)):
        ends = ("rescaling.min", "rescaling.max", "rescaling.offset")
        flat["rescaling"] = {key.replace(".", "_"): float(np.asarray(scale[key]).reshape(-1)[0]) for key in ends}
    return flat
