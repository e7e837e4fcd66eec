"""The model file of a stack: the safetensors file of ``_model_file.py``, with other tensors.

Tensors ``encoder.0.W``, ``encoder.0.b``, ... bottom up, ``decoder.0.W``, ... from the codes down or ``head.W``,
``head.b``; ``rho_hat.0``, ``loss_curve.0``, ... by layer; ``fine_tune_loss_curve``. JSON as for a single layer, with
``kind``, ``units`` and, for a classifier, ``classes``.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._checks import OUTPUT
from ._deep import DeepCost, Layer
from ._model_file import ModelFileError, feature_names, hyper_parameters, make, write_tensors

if TYPE_CHECKING:
    from ._stacked import StackedAutoencoder
    from ._stacked_classifier import StackedAutoencoderClassifier

FORMAT = 2
_CURVES = ("fine_tune_loss_curve", "head_loss_curve", "validation_curve")


def save(model: Any, path: str | PathLike[str]) -> None:
    """Write a fitted stack; see :meth:`sae_fast.StackedAutoencoder.save`."""
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
        "format": FORMAT,
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
        about["output_units"] = list(model.output_units_)
    write_tensors(path, arrays, about)


def _labels(classes: NDArray[Any]) -> dict[str, Any]:
    kind = classes.dtype.kind
    if kind not in "biufU" and not (kind == "O" and all(type(c) is str for c in classes)):
        raise TypeError(f"classes_ must be numbers, truth values or strings to be stored, got {classes.dtype}")
    return {"dtype": "object" if kind == "O" else classes.dtype.str, "values": classes.tolist()}


def stack(
    path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> StackedAutoencoder | StackedAutoencoderClassifier:
    """The estimator that verified contents hold."""
    from ._stacked import StackedAutoencoder
    from ._stacked_classifier import StackedAutoencoderClassifier

    kinds: dict[str, type[Any]] = {k.__name__: k for k in (StackedAutoencoder, StackedAutoencoderClassifier)}
    if about["kind"] not in kinds:
        raise ModelFileError(f"{path} holds a {about['kind']}, which this version does not know: upgrade sae_fast")
    try:
        hyper = {k: tuple(v) if isinstance(v, list) else v for k, v in about["hyper_parameters"].items()}
        model = make(path, kinds[about["kind"]], hyper)
        _fill(model, tensors, about)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} does not hold a {about['kind']}: {error}") from error
    return model  # type: ignore[no-any-return]


def _fill(model: Any, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> None:
    n = len(about["units"])
    model.units_ = tuple(about["units"])
    model.encoder_ = _layers(tensors, "encoder", n)
    if "classes" in about:
        model.classes_ = np.array(about["classes"]["values"], dtype=about["classes"]["dtype"])
        model.head_ = Layer(tensors["head.W"], tensors["head.b"])
        units, rest = ["linear"], (model.head_,)
        if model.head_.W.shape[0] != len(model.classes_):
            raise ValueError(f"{len(model.classes_)} classes, but a head for {model.head_.W.shape[0]}")
    else:
        model.output_units_ = tuple(about["output_units"])
        model.decoder_ = _layers(tensors, "decoder", n)
        units, rest = list(model.output_units_), model.decoder_
    _check((*model.encoder_, *rest), [*model.units_, *units])
    model.rho_hat_ = [tensors[f"rho_hat.{k}"] for k in range(n)]
    model.loss_curves_ = [tensors[f"loss_curve.{k}"] for k in range(n)]
    for name in _CURVES:
        if name in tensors:
            setattr(model, f"{name}_", tensors[name])
    model.n_iter_ = about["fitted"]["n_iter"]
    model.cost_ = DeepCost(*about["fitted"]["cost"])
    model.n_features_in_ = model.encoder_[0].W.shape[1]
    if about["feature_names"] is not None:
        model.feature_names_in_ = np.array(about["feature_names"], dtype=object)


def _layers(tensors: dict[str, NDArray[Any]], name: str, n: int) -> tuple[Layer, ...]:
    return tuple(Layer(tensors[f"{name}.{k}.W"], tensors[f"{name}.{k}.b"]) for k in range(n))


def _check(layers: tuple[Layer, ...], units: list[str]) -> None:
    """A chain of layers of one float dtype that fit on each other."""
    below, dtype = layers[0].W.shape[1], layers[0].W.dtype
    for k, ((W, b), unit) in enumerate(zip(layers, units, strict=True)):
        if W.ndim != 2 or W.shape[1] != below or b.shape != W.shape[:1] or 0 in W.shape:
            raise ValueError(f"layer {k} has shapes {W.shape} and {b.shape} on {below} inputs")
        if W.dtype != dtype or b.dtype != dtype or dtype not in (np.float32, np.float64):
            raise ValueError(f"layer {k} has dtypes {W.dtype} and {b.dtype}")
        if unit not in OUTPUT:
            raise ValueError(f"layer {k} has unknown units {unit!r}")
        below = W.shape[0]
