"""``sae-fast compare``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays_io import ArrayFileError, read_table
from .._compare import compare_with_pca
from .._model_file import load

_OPTIONS = ["n_components", "rho", "beta", "weight_decay", "hidden", "output", "max_iter"]


def run(arguments: argparse.Namespace) -> int:
    """Print the table on stdout."""
    table = read_table(arguments.data, arguments.key)
    X = table.values
    y = None if arguments.labels is None else _read_labels(arguments.labels)
    given = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    if arguments.model is None:
        verbose = 0 if arguments.quiet else 1
        given |= {"n_threads": arguments.n_threads, "verbose": verbose}
        result = compare_with_pca(X, y, cv=arguments.cv, random_state=arguments.random_state, **given)
    else:
        if given:
            option = "--" + next(iter(given)).replace("_", "-")
            raise ValueError(f"{option} is for a model that is fitted here, and {arguments.model} is fitted")
        model = load(arguments.model)
        if not hasattr(model, "reconstruct"):
            raise ValueError(f"{arguments.model} must hold a model that reconstructs, got {type(model).__name__}")
        if X.shape[1] != model.n_features_in_:
            wanted = model.n_features_in_
            raise ValueError(f"{arguments.data} must have {wanted} columns, as the model, got {X.shape[1]}")
        known = getattr(model, "feature_names_in_", None)
        if known is not None:
            if table.names is not None and list(known) != table.names:
                raise ValueError(f"{arguments.data} must have the model's columns in its order: {', '.join(known)}")
            del model.feature_names_in_  # compared; arrays carry none
        model.set_params(n_threads=arguments.n_threads)
        result = compare_with_pca(X, y, model=model, cv=arguments.cv, random_state=arguments.random_state)
    print(json.dumps(result.to_dict(), indent=2) if arguments.json else result)
    return 0


def _read_labels(path: str) -> NDArray[Any]:
    """One label for each row: a vector, or a table of one column."""
    if Path(path).suffix.lower() == ".npy":
        try:
            labels: NDArray[Any] = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ArrayFileError(f"{path} is damaged or not a .npy file of labels: {error}") from error
    else:
        labels = read_table(path).values
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ArrayFileError(f"{path} must hold one label for each row, got shape {labels.shape}")
    return labels
