"""``sae-fast transform`` of k-sparse models."""

from __future__ import annotations

import argparse
import contextlib

from ..files._sparse_write import writing_sparse
from ..ksparse._encoder import KSparseEncoder
from ..streams._source import Source, default_rows
from ._inputs import check_names, open_inputs, title


def write_codes(arguments: argparse.Namespace, encoder: KSparseEncoder) -> int:
    """Encode block by block; what is in memory does not depend on the number of rows, but for four bytes of each."""
    for option, given in (("--layer", arguments.layer is not None), ("--resume", arguments.resume)):
        if given:
            raise ValueError(f"{option} is not for k-sparse codes, which {arguments.model} makes")
    if arguments.k is not None and encoder.activation != "topk":
        raise ValueError(f"--k is for topk, and {arguments.model} holds an encoder with {encoder.activation}")
    if arguments.k is not None and arguments.k > encoder.n_latents:
        raise ValueError(f"--k must be at most {encoder.n_latents}, the number of latents, got {arguments.k}")
    reader = open_inputs(arguments)
    check_names(reader.head(), encoder.feature_names, encoder.n_features, title(arguments))
    source = Source(reader, batch_size=default_rows(encoder.n_features))
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(writing_sparse(arguments.out, encoder.n_latents, encoder.dtype, reader.kept))
        for block in stack.enter_context(contextlib.closing(source.passing(0))):
            write(encoder(block.values, k=arguments.k, n_threads=arguments.n_threads), *block.kept)
    return 0
