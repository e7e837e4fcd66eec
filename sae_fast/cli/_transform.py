"""``sae-fast transform``."""

from __future__ import annotations

import argparse

from .._arrays_io import read_table, writing
from .._model_file import load

_BLOCK_BYTES = 1 << 25


def run(arguments: argparse.Namespace) -> int:
    """Encode block by block: a memory-mapped file may be larger than memory."""
    model = load(arguments.model)
    table = read_table(arguments.data, arguments.key)
    X = table.values
    if X.shape[1] != model.n_features_in_:
        raise ValueError(f"{arguments.data} must have {model.n_features_in_} columns, as the model, got {X.shape[1]}")
    known = getattr(model, "feature_names_in_", None)
    if known is not None and table.names is not None and list(known) != table.names:
        different = next((a, b) for a, b in zip(known, table.names, strict=True) if a != b)
        raise ValueError(f"{arguments.data} must have the model's columns in its order: wanted {different[0]!r}, "
                         f"got {different[1]!r}")  # fmt: skip
    if known is not None:
        del model.feature_names_in_  # compared above; blocks carry none
    model.set_params(n_threads=arguments.n_threads)
    options = {} if arguments.layer is None else {"layer": arguments.layer}
    if options and not hasattr(model, "encoder_"):
        raise ValueError(f"--layer is for stacks of layers, and {arguments.model} holds a single one")
    names = [str(name) for name in model.get_feature_names_out(**options)]
    codes = (len(X), len(names))
    rows = max(1, _BLOCK_BYTES // (8 * max(X.shape[1], codes[1])))
    with writing(arguments.out, codes, model.components_.dtype, names) as write:
        for i in range(0, len(X), rows):
            write(model.transform(X[i : i + rows], **options))
    return 0
