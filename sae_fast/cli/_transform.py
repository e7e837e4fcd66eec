"""``sae-fast transform``."""

from __future__ import annotations

import argparse
from typing import Any

from .._arrays_io import Table, read_table, writing
from .._model_file import load

_BLOCK_BYTES = 1 << 25


def run(arguments: argparse.Namespace) -> int:
    """Encode block by block: a memory-mapped file may be larger than memory."""
    model = load(arguments.model)
    table = read_table(arguments.data, arguments.key)
    X = table.values
    options = {} if arguments.layer is None else {"layer": arguments.layer}
    if options and not hasattr(model, "encoder_"):
        raise ValueError(f"--layer is for stacks of layers, and {arguments.model} holds a single one")
    names = [str(name) for name in model.get_feature_names_out(**options)]
    check_columns(model, table, arguments.data)
    model.set_params(n_threads=arguments.n_threads)
    codes = (len(X), len(names))
    rows = max(1, _BLOCK_BYTES // (8 * max(X.shape[1], codes[1])))
    with writing(arguments.out, codes, model.components_.dtype, names) as write:
        for i in range(0, len(X), rows):
            write(model.transform(X[i : i + rows], **options))
    return 0


def check_columns(model: Any, table: Table, path: str) -> None:
    """The table has the model's columns in its order; after that the model takes blocks, which carry no names."""
    n = table.values.shape[1]
    if n != model.n_features_in_:
        raise ValueError(f"{path} must have {model.n_features_in_} columns, as the model, got {n}")
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        return
    if table.names is not None and list(known) != table.names:
        wanted, got = next((a, b) for a, b in zip(known, table.names, strict=True) if a != b)
        raise ValueError(f"{path} must have the model's columns in its order: wanted {wanted!r}, got {got!r}")
    del model.feature_names_in_
