"""A graph of our own, and the ONNX model that it becomes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__

IR_VERSION = 8
LEAST_OPSET = 13
LARGEST = 2**31 - 1  # bytes of a protocol buffer


def import_onnx() -> Any:
    """The library that makes the files."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError('to_onnx needs the package onnx: pip install "sae-fast[onnx]"') from error
    return onnx


class ModelGraph:
    """Nodes and constants; see :class:`Graph`."""

    def __init__(self, dtype: np.dtype[Any], opset: int) -> None:
        self.dtype, self.opset = dtype, opset
        self._onnx = import_onnx()
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._made: dict[tuple[str, tuple[str, ...], str], str] = {}
        self._numbers = itertools.count()

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """A single number that is there already is not written twice."""
        for known, array in self._constants.items():
            if values.size == 1 and array.shape == values.shape and array.dtype == values.dtype and array == values:
                return known
        taken = sum(known.rstrip("0123456789") == name for known in self._constants)
        self._constants[unique := f"{name}{taken}"] = values
        return unique

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Named after the operator, in the order of the calls; one that is there already is not written twice."""
        same = kind, inputs, repr(attributes)
        if output is None and same in self._made:
            return self._made[same]
        name = f"{kind.lower()}{next(self._numbers)}"
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output or name], name=name, **attributes))
        self._made[same] = output or name
        return self._made[same]

    def pair(self, kind: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """The names of the two things that a node gives."""
        name = f"{kind.lower()}{next(self._numbers)}"
        names = f"{name}_first", f"{name}_second"
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, names, name=name, **attributes))
        return names

    def checksum(self) -> str:
        """SHA-256 over the nodes and all constants."""
        digest = hashlib.sha256()
        for node in self._nodes:
            digest.update(node.SerializeToString(deterministic=True))
        for name, values in self._constants.items():
            digest.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
            digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
        return digest.hexdigest()

    def model(
        self, n_features: int, outputs: Mapping[str, int | None], labels: Any, about: Mapping[str, str], text: str
    ) -> Any:
        """The model: ``X`` (n_samples, n_features) gives ``outputs``, of so many columns."""
        helper = self._onnx.helper
        size = sum(values.nbytes for values in self._constants.values())
        if size > LARGEST:
            raise ValueError(f"weights must take at most 2 GB in an ONNX file, got {size:,} bytes")
        kind = self._kind(self.dtype)
        given = helper.make_tensor_value_info("X", kind, ["n_samples", n_features])
        results = [
            helper.make_tensor_value_info(
                name,
                self._kind(np.dtype(np.int64)) if name == "indices" else kind if columns else self._kind(labels.dtype),
                ["n_samples"] if columns is None else ["n_samples", columns],
            )
            for name, columns in outputs.items()
        ]
        tensors = [self._onnx.numpy_helper.from_array(values, name) for name, values in self._constants.items()]
        graph = helper.make_graph(self._nodes, "sae_fast", [given], results, tensors)
        opset = helper.make_opsetid("", self.opset)
        made = helper.make_model(
            graph, opset_imports=[opset], producer_name="sae_fast", producer_version=__version__, doc_string=text
        )
        made.ir_version = max(IR_VERSION, helper.find_min_ir_version_for([opset]))
        helper.set_model_props(made, dict(about))
        return made

    def _kind(self, dtype: np.dtype[Any]) -> int:
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(dtype))


def check_opset(value: object) -> int:
    """An opset that both this module and the installed library know."""
    newest = int(import_onnx().defs.onnx_opset_version())
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"target_opset must be an integer, got {value!r}")
    if not LEAST_OPSET <= value <= newest:
        raise ValueError(f"target_opset must be from {LEAST_OPSET} to {newest}, which this onnx knows, got {value}")
    return int(value)


def check_outputs(value: object, offered: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """Names of outputs that the model has."""
    if value is None:
        return tuple(usual)
    wanted = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Sequence) else ()
    if not wanted or len(set(wanted)) < len(wanted) or not set(wanted) <= set(offered):
        raise ValueError(f"outputs must be one or several of {', '.join(offered)} for this model, got {value!r}")
    return wanted
