"""Model files that commands read."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from ..encoders._encoder import Encoder
from ..encoders._stack_encoder import StackEncoder
from ..files._model_file import load
from ..ksparse._encoder import KSparseEncoder
from ..ksparse._load_sae import load_sae
from ..ksparse._subject import encoder_of
from ..ksparse._weight_files import is_ours


def load_model(path: str, sparse: str = "which this command does not take") -> Any:
    """The fitted estimator of a file; an encoder alone is an error, and a k-sparse one, of which ``sparse`` is said."""
    model = load(path)
    if isinstance(model, Encoder | StackEncoder | KSparseEncoder):
        raise ValueError(f"{path} holds an encoder alone, wanted a model as sae-fast fit writes it")
    if is_sparse(model):
        raise ValueError(f"{path} holds a {type(model).__name__}, {sparse}")
    return model


def load_k_sparse(path: str) -> KSparseEncoder:
    """What makes sparse codes: of a model file, or of a folder or file that another package wrote."""
    if is_foreign(path):
        return load_sae(path)
    model = load(path)
    try:
        return encoder_of(model)
    except TypeError:
        raise ValueError(f"{path} must hold a model of k-sparse codes, got {type(model).__name__}") from None


def is_foreign(path: str) -> bool:
    """Is it a folder, or a file of weights, that another package wrote?"""
    if os.path.isdir(path):
        return True
    if Path(path).suffix != ".safetensors":
        return path.endswith((".npz", ".pt", ".pth", ".bin", ".index.json"))
    return not is_ours(path)


def network_of(model: Any) -> Any:
    """What makes codes: the autoencoder of a detector, a k-sparse one's encoder, a monitor's model, or the model."""
    if is_sparse(model):
        return model.encoder_
    # By what they have, not by what they are: encoders need no scikit-learn, which takes a second to be imported.
    return getattr(model, "autoencoder_", getattr(model, "model", model))


def is_sparse(model: Any) -> bool:
    """Is it a k-sparse autoencoder?"""
    return isinstance(getattr(model, "encoder_", None), KSparseEncoder)


def for_arrays(model: Any) -> Any:
    """The model for the values of a table whose columns have been checked: the same one, but it knows no names."""
    if not hasattr(model, "feature_names_in_"):
        return model
    other = copy.copy(model)
    del other.feature_names_in_
    return other
