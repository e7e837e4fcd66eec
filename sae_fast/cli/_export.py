"""``sae-fast export``."""

from __future__ import annotations

import argparse

from ..export._c import export_c
from ..export._numpy import export_numpy
from ._outputs import check_out

_FOR_C = ("prefix", "weights", "byte_order")
_NUMPY_DTYPES = {"float": "float32", "double": "float64", None: None}


def run(arguments: argparse.Namespace) -> int:
    """Write the files of one format."""
    check_out(arguments.out, [arguments.model])
    if arguments.format == "c":
        if arguments.byte_order is not None and arguments.weights is None:
            raise ValueError("--byte-order is for --weights")
        if arguments.weights is not None:
            check_out(arguments.weights, [arguments.model])
        given = {} if arguments.byte_order is None else {"byte_order": arguments.byte_order}
        export_c(
            arguments.model,
            arguments.out,
            prefix=arguments.prefix,
            dtype=arguments.dtype,
            weights=arguments.weights,
            clip=arguments.clip,
            **given,
        )
        return 0
    wrong = [name for name in _FOR_C if getattr(arguments, name) is not None]
    if wrong:
        raise ValueError(f"--{wrong[0].replace('_', '-')} is for --format c")
    export_numpy(arguments.model, arguments.out, dtype=_NUMPY_DTYPES[arguments.dtype], clip=arguments.clip)
    return 0
