"""``sae-fast transform``."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import __version__, _core
from ..encoders._encoder import Encoder
from ..encoders._stack_encoder import StackEncoder
from ..files._arrays_io import STREAM
from ..files._arrays_write import writing
from ..files._model_file import load
from ..files._sparse_write import LINES
from ..files._table import Table
from ..files._unfinished import going_on
from ..ksparse._encoder import KSparseEncoder
from ..streams._files import files_of
from ..streams._reader import Reader
from ..streams._source import Source, default_rows
from ._inputs import check_columns, check_names, open_inputs, title
from ._models import for_arrays, is_foreign, load_k_sparse, network_of
from ._outputs import check_out, say
from ._transform_sparse import write_codes


class _Codes(NamedTuple):
    """How a file encodes: a function of samples, the names of its codes, their dtype; must samples be finite?"""

    of: Callable[[NDArray[Any]], NDArray[Any]]
    names: list[str]
    dtype: np.dtype[Any]
    finite: bool


def run(arguments: argparse.Namespace) -> int:
    """Encode block by block, in memory that does not depend on the number of rows."""
    if arguments.resume and STREAM in (arguments.out, *arguments.data):
        arguments.wrong("--resume needs files that stay, for samples and codes: stdin and stdout do not")
    check_out(arguments.out, [arguments.model, *files_of(arguments.data)])
    model = load_k_sparse(arguments.model) if is_foreign(arguments.model) else network_of(load(arguments.model))
    if isinstance(model, KSparseEncoder):
        return write_codes(arguments, model)
    if arguments.k is not None:
        raise ValueError(f"--k is for k-sparse codes, and {arguments.model} holds a {type(model).__name__}")
    if arguments.out.lower().endswith(LINES):
        raise ValueError(f"{LINES} is for k-sparse codes, and {arguments.model} holds a {type(model).__name__}")
    reader = open_inputs(arguments)
    codes_of = _codes_of_encoder if isinstance(model, Encoder | StackEncoder) else _codes_of_model
    codes = codes_of(arguments, model, reader.head())
    rows = default_rows(max(reader.n_features, len(codes.names)))
    source = Source(reader, batch_size=rows, ensure_all_finite=codes.finite)
    with contextlib.ExitStack() as stack:
        start = 0
        if arguments.resume:
            about = _about(arguments, reader, rows)
            table = stack.enter_context(going_on(arguments.out, codes.dtype, codes.names, reader.kept, about))
            write, start = table.write, table.rows
            if start:
                say(f"going on from row {start} (counted from 0)")
        else:
            shape = reader.n_rows, len(codes.names)
            write = stack.enter_context(writing(arguments.out, shape, codes.dtype, codes.names, reader.kept))
        blocks = stack.enter_context(contextlib.closing(source.passing(start)))
        for block in blocks:
            write(codes.of(block.values), *block.kept)
    return 0


def _about(arguments: argparse.Namespace, reader: Reader, rows: int) -> str:
    """All that the bytes of the codes depend on, but for the machine's number of threads, as a digest."""
    if (mark := reader.mark()) is None:
        raise ValueError(f"--resume needs files that can be read again, and {title(arguments)} is a pipe")
    with open(arguments.model, "rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    told = vars(arguments)
    options = {name: told[name] for name in sorted(told) if name not in ("model", "n_threads", "out", "wrong")}
    return hashlib.sha256(repr((__version__, _core.isa(), model, mark, rows, options)).encode()).hexdigest()


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
