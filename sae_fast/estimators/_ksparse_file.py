"""The model file of a k-sparse autoencoder: the tensors of its encoder's, its history, and what it was made with."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import files
from ..files._kinds import KSPARSE_MODEL
from ..ksparse._encoder import contents_of, encoder_from
from ._estimator_file import feature_names, hyper_parameters, make
from ._ksparse_training import HISTORY


def save(model: Any, path: str | PathLike[str]) -> None:
    """Write a fitted estimator; see :meth:`sae_fast.KSparseAutoencoder.save`."""
    arrays, about = contents_of(model.encoder_)
    arrays |= {f"history.{name}": model.history_[name] for name in HISTORY}
    about |= {
        "kind": KSPARSE_MODEL,
        "feature_names": feature_names(model),
        "fitted": {"n_iter": model.n_iter_, "unit": model._unit_},
        "hyper_parameters": hyper_parameters(model),
    }
    files.write_tensors(path, arrays, about)


def estimator_from(
    kind: type[Any], path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> Any:
    """The estimator that checked contents hold."""
    model = make(path, kind, about["hyper_parameters"])
    model.encoder_ = encoder_from(tensors, about)
    model.history_ = {name: tensors[f"history.{name}"] for name in HISTORY}
    model.n_iter_, model._unit_ = about["fitted"]["n_iter"], about["fitted"]["unit"]
    model.n_features_in_ = model.encoder_.n_features
    if about["feature_names"] is not None:
        model.feature_names_in_ = np.array(about["feature_names"], dtype=object)
    return model
