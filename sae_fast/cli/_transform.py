"""``sae-fast transform``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..encoders._encoder import Encoder
from ..encoders._stack_encoder import StackEncoder
from ..files._arrays_io import Table, expand
from ..files._arrays_write import writing
from ..files._model_file import load
from ..ksparse._encoder import KSparseEncoder
from ._inputs import check_columns, check_finite, check_names, read_inputs, title
from ._models import for_arrays, network_of
from ._outputs import check_out

_BLOCK_BYTES = 1 << 25


class _Codes(NamedTuple):
    """How a file encodes: a function of samples, the names of its codes, their dtype; must samples be finite?"""

    of: Callable[[NDArray[Any]], NDArray[Any]]
    names: list[str]
    dtype: np.dtype[Any]
    finite: bool


def run(arguments: argparse.Namespace) -> int:
    """Encode block by block: a memory-mapped file may be larger than memory."""
    check_out(arguments.out, [arguments.model, *expand(arguments.data)])
    model = network_of(load(arguments.model))
    if isinstance(model, KSparseEncoder):
        raise ValueError(f"{arguments.model} holds a KSparseEncoder, whose codes are sparse: encode with sae_fast.load")
    table = read_inputs(arguments)
    codes_of = _codes_of_encoder if isinstance(model, Encoder | StackEncoder) else _codes_of_model
    codes = codes_of(arguments, model, table)
    X = table.values
    rows = max(1, _BLOCK_BYTES // (8 * max(X.shape[1], len(codes.names))))
    with writing(arguments.out, (len(X), len(codes.names)), codes.dtype, codes.names) as write:
        for i in range(0, len(X), rows):
            block = X[i : i + rows]
            if codes.finite:
                check_finite(block, table.names, title(arguments), i)
            write(codes.of(block))
    return 0


def _codes_of_model(arguments: argparse.Namespace, model: Any, table: Table) -> _Codes:
    options = {} if arguments.layer is None else {"layer": arguments.layer}
    if options and not hasattr(model, "encoder_"):
        raise ValueError(f"--layer is for stacks of layers, and {arguments.model} holds a single one")
    names = [str(name) for name in model.get_feature_names_out(**options)]
    check_columns(model, table, title(arguments))
    model = for_arrays(model).set_params(n_threads=arguments.n_threads)
    return _Codes(partial(model.transform, **options), names, model.components_.dtype, True)


def _codes_of_encoder(arguments: argparse.Namespace, encoder: Encoder | StackEncoder, table: Table) -> _Codes:
    if arguments.layer is not None:
        raise ValueError(f"--layer is for stacks of layers, and {arguments.model} holds an encoder")
    check_names(table, encoder.feature_names, encoder.n_visible, title(arguments))
    names = [f"{type(encoder).__name__.lower()}{j}" for j in range(encoder.n_hidden)]
    return _Codes(partial(encoder, n_threads=arguments.n_threads), names, encoder.dtype, False)
