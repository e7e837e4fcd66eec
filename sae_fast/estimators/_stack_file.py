"""The model file of a stack: the safetensors file of ``_model_file.py``, with other tensors.

Tensors ``encoder.0.W``, ``encoder.0.b``, ... bottom up, ``decoder.0.W``, ... from the codes down or ``head.W``,
``head.b``; ``rho_hat.0``, ``loss_curve.0``, ... by layer; ``fine_tune_loss_curve``. JSON as for a single layer, with
``kind``, ``units`` and, for a classifier, ``classes``.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._model_fields import labels
from ..files._model_file import write_tensors
from ..network._types import Cost, Layer
from ._estimator_file import feature_names, hyper_parameters, make

_CURVES = ("fine_tune_loss_curve", "head_loss_curve", "validation_curve")


def save(model: Any, path: str | PathLike[str]) -> None:
    """Write a fitted stack; see :meth:`sae_fast.StackedAutoencoder.save`."""
    write_tensors(path, *contents_of(model))


def contents_of(model: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors and JSON of a fitted stack."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("encoder", "decoder"):
        for k, layer in enumerate(getattr(model, f"{name}_", ())):
            arrays[f"{name}.{k}.W"], arrays[f"{name}.{k}.b"] = layer
    for k, (means, curve) in enumerate(zip(model.rho_hat_, model.loss_curves_, strict=True)):
        arrays[f"rho_hat.{k}"], arrays[f"loss_curve.{k}"] = means, curve
    for name in _CURVES:
        if hasattr(model, f"{name}_"):
            arrays[name] = getattr(model, f"{name}_")
    about: dict[str, Any] = {
        "kind": type(model).__name__,
        "units": list(model.units_),
        "hyper_parameters": hyper_parameters(model),
        "fitted": {"n_iter": model.n_iter_, "cost": list(model.cost_)},
        "feature_names": feature_names(model),
    }
    if hasattr(model, "head_"):
        arrays["head.W"], arrays["head.b"] = model.head_
        about["classes"] = _labels(model.classes_)
    else:
        about |= {"output_units": list(model.output_units_), "loss": model._loss_}
    return arrays, about


def _labels(classes: NDArray[Any]) -> dict[str, Any]:
    kind = classes.dtype.kind
    if kind not in "biufU" and not (kind == "O" and all(type(c) is str for c in classes)):
        raise TypeError(f"classes_ must be numbers, truth values or strings to be stored, got {classes.dtype}")
    return {"dtype": "object" if kind == "O" else classes.dtype.str, "values": classes.tolist()}


def stack_from(
    kind: type[Any], path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> Any:
    """The stack that checked contents hold."""
    hyper = {k: tuple(v) if isinstance(v, list) else v for k, v in about["hyper_parameters"].items()}
    if isinstance(hyper.get("class_weight"), tuple):
        hyper["class_weight"] = dict(hyper["class_weight"])
    model = make(path, kind, hyper)
    _fill(model, tensors, about)
    return model


def _fill(model: Any, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> None:
    n = len(about["units"])
    model.units_ = tuple(about["units"])
    model.encoder_ = _layers(tensors, "encoder", n)
    if "classes" in about:
        model.classes_ = labels(about["classes"])
        model.head_ = Layer(tensors["head.W"], tensors["head.b"])
    else:
        model.output_units_, model._loss_ = tuple(about["output_units"]), about["loss"]
        model.decoder_ = _layers(tensors, "decoder", n)
    model.rho_hat_ = [tensors[f"rho_hat.{k}"] for k in range(n)]
    model.loss_curves_ = [tensors[f"loss_curve.{k}"] for k in range(n)]
    for name in _CURVES:
        if name in tensors:
            setattr(model, f"{name}_", tensors[name])
    model.n_iter_ = about["fitted"]["n_iter"]
    model.cost_ = Cost(*about["fitted"]["cost"])
    model.n_features_in_ = model.encoder_[0].W.shape[1]
    if about["feature_names"] is not None:
        model.feature_names_in_ = np.array(about["feature_names"], dtype=object)


def _layers(tensors: dict[str, NDArray[Any]], name: str, n: int) -> tuple[Layer, ...]:
    return tuple(Layer(tensors[f"{name}.{k}.W"], tensors[f"{name}.{k}.b"]) for k in range(n))
