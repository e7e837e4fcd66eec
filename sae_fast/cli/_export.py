"""``sae-fast export``."""

from __future__ import annotations

import argparse
from typing import Any

from ..export._c import export_c
from ..export._numpy import export_numpy
from ..ksparse._load_sae import load_sae
from ..onnx import to_onnx
from ._models import is_foreign
from ._outputs import check_out

_ONLY = {"c": ("prefix", "weights", "byte_order"), "numpy": (), "onnx": ("target_opset", "outputs")}
_DTYPES = {"float": "float32", "double": "float64", None: None}


def run(arguments: argparse.Namespace) -> int:
    """Write the files of one format."""
    check_out(arguments.out, [arguments.model])
    _check_options(arguments)
    dtype = _DTYPES[arguments.dtype]
    model = load_sae(arguments.model) if is_foreign(arguments.model) else arguments.model
    if arguments.format == "c":
        _to_c(arguments, model)
    elif arguments.format == "numpy":
        export_numpy(model, arguments.out, dtype=dtype, clip=arguments.clip)
    else:
        opset = {} if arguments.target_opset is None else {"target_opset": arguments.target_opset}
        to_onnx(model, arguments.out, outputs=arguments.outputs, dtype=dtype, **opset)
    return 0


def _check_options(arguments: argparse.Namespace) -> None:
    """None is given that is for another format."""
    for other, names in _ONLY.items():
        for name in names:
            if other != arguments.format and getattr(arguments, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is for --format {other}")
    if arguments.format == "onnx" and arguments.clip == "ignore":
        raise ValueError("--clip ignore is for --format c and numpy: ONNX cuts as the model does")


def _to_c(arguments: argparse.Namespace, model: Any) -> None:
    if arguments.byte_order is not None and arguments.weights is None:
        raise ValueError("--byte-order is for --weights")
    if arguments.weights is not None:
        check_out(arguments.weights, [arguments.model])
    given = {} if arguments.byte_order is None else {"byte_order": arguments.byte_order}
    export_c(
        model,
        arguments.out,
        prefix=arguments.prefix,
        dtype=arguments.dtype,
        weights=arguments.weights,
        clip=arguments.clip,
        **given,
    )
