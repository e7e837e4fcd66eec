"""The model file of an estimator of one layer, and what the files of all estimators share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._model_file import ModelFile, single_layer, write
from ..network._types import Cost
from ..preprocessing._scalers import scaler_from


def save(model: Any, path: str | PathLike[str]) -> None:
    """Write a fitted estimator; see :meth:`sae_fast.SparseAutoencoder.save`."""
    write(path, contents_of(model, hyper_parameters(model)))


def contents_of(model: Any, hyper: dict[str, Any]) -> ModelFile:
    """What the file of a fitted estimator with these hyper-parameters holds."""
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
    hidden, output = model._units
    names = feature_names(model)
    return ModelFile(model.params_, hidden, output, hyper, fitted, arrays, names, scale=scale, loss=model._loss_)


def estimator_from(
    kind: type[Any], path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> Any:
    """The estimator of one layer that checked contents hold."""
    found = single_layer(tensors, about)
    model = make(path, kind, found.hyper_parameters)
    model.params_, model._units_, model._loss_ = found.params, (found.hidden, found.output), found.loss
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
