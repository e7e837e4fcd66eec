"""Model files that commands read."""

from __future__ import annotations

import copy
from typing import Any

from ..encoders._encoder import Encoder
from ..encoders._stack_encoder import StackEncoder
from ..files._model_file import load
from ..ksparse._encoder import KSparseEncoder
from ..monitoring._monitor import Monitor


def load_model(path: str) -> Any:
    """The fitted estimator of a file; an encoder alone is an error."""
    model = load(path)
    if isinstance(model, Encoder | StackEncoder | KSparseEncoder):
        raise ValueError(f"{path} holds an encoder alone, wanted a model as sae-fast fit writes it")
    return model


def network_of(model: Any) -> Any:
    """What makes codes: the autoencoder of a detector, the model of a monitor, and any other model itself."""
    return model.model if isinstance(model, Monitor) else getattr(model, "autoencoder_", model)


def for_arrays(model: Any) -> Any:
    """The model for the values of a table whose columns have been checked: the same one, but it knows no names."""
    if not hasattr(model, "feature_names_in_"):
        return model
    other = copy.copy(model)
    del other.feature_names_in_
    return other
