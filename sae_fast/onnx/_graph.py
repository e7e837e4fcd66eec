"""A graph that nodes are added to, ours or skl2onnx's, and what one layer is in it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..export._exported import cast


class Graph(Protocol):
    """Where nodes go."""

    dtype: np.dtype[Any]
    """Of all numbers that are computed with."""
    opset: int

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Its name in the graph, which is like ``name``."""
        ...

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The name of what it gives: ``output``, or a new one."""
        ...


def numbers(graph: Graph, name: str, values: Any) -> str:
    """A constant of the graph's type, which must hold it."""
    return graph.constant(name, cast(np.asarray(values), graph.dtype))


def affine(
    graph: Graph, x: str, W: NDArray[Any], b: NDArray[Any], output: str | None = None, *, sign: float = 1.0
) -> str:
    """``sign (x W^T + b)``."""
    inputs = x, numbers(graph, "W", W), numbers(graph, "b", b)
    scales = {} if sign == 1.0 else {"alpha": sign, "beta": sign}
    return graph.node("Gemm", *inputs, output=output, transB=1, **scales)


def scaled(graph: Graph, x: str, slope: NDArray[Any], start: NDArray[Any], output: str | None = None) -> str:
    """``slope x + start``, feature by feature."""
    product = graph.node("Mul", x, numbers(graph, "slope", slope))
    return graph.node("Add", product, numbers(graph, "start", start), output=output)


def layer(graph: Graph, x: str, W: NDArray[Any], b: NDArray[Any], unit: str, output: str | None = None) -> str:
    """``unit(x W^T + b)``.

    ONNX's Sigmoid is not taken: ONNX Runtime's is right to 1e-7 in all, which of a code of 1e-4 leaves three digits.
    ``1 / (1 + exp(-z))`` is right to the last digits of each code, and its limits are so where exp overflows.
    """
    if unit == "linear":
        return affine(graph, x, W, b, output)
    if unit == "sigmoid":
        one = numbers(graph, "one", 1.0)
        e = graph.node("Exp", affine(graph, x, W, b, sign=-1.0))
        return graph.node("Div", one, graph.node("Add", e, one), output=output)
    z = affine(graph, x, W, b)
    if unit == "satlin":
        return clip(graph, z, 0.0, 1.0, output)
    return graph.node({"tanh": "Tanh", "relu": "Relu"}[unit], z, output=output)


def clip(graph: Graph, x: str, low: float, high: float, output: str | None = None) -> str:
    """What lies beyond is cut."""
    return graph.node("Clip", x, numbers(graph, "low", low), numbers(graph, "high", high), output=output)


def mean_of_rows(graph: Graph, x: str) -> tuple[str, str]:
    """Each sample's mean, of shape (n_samples, 1), and the samples less it.

    One of the entries is taken off first, so that the mean rounds like what varies, not like the level.
    """
    first = graph.node("Gather", x, graph.constant("first", np.array([0], np.int64)), axis=1)
    varying = graph.node("Sub", x, first)
    if graph.opset < 18:
        mean = graph.node("ReduceMean", varying, axes=[1], keepdims=1)
    else:
        mean = graph.node("ReduceMean", varying, graph.constant("axes", np.array([1], np.int64)), keepdims=1)
    return graph.node("Add", first, mean), graph.node("Sub", varying, mean)
