"""Model files that commands read."""

from __future__ import annotations

from typing import Any

from ..encoders._encoder import Encoder
from ..encoders._stack_encoder import StackEncoder
from ..files._model_file import load


def load_model(path: str) -> Any:
    """The fitted estimator of a file; an encoder alone is an error."""
    model = load(path)
    if isinstance(model, Encoder | StackEncoder):
        raise ValueError(f"{path} holds an encoder alone, wanted a model as sae-fast fit writes it")
    return model
