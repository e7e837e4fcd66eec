"""The k largest latents of each sample, as each peer finds them: a function to call, and one that gives the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._works import Data, Work

Race = tuple[Callable[[], object], Callable[[], Any]]


def ours(work: Work, data: Data, n_threads: int) -> Race:
    """To CSR, in one pass."""
    import sae_fast as sf

    zeros = np.zeros(work.n_visible, data.X.dtype)
    encoder = sf.KSparseEncoder(data.W1, data.b1, data.W1, zeros, k=work.k)
    return lambda: encoder(data.X, n_threads=n_threads), lambda: encoder.top(data.X, n_threads=n_threads)[1]


def numpy(work: Work, data: Data) -> Race:
    """All latents, and a partition of each row."""

    def run() -> Any:
        z = data.X @ data.W1.T + data.b1
        indices = np.argpartition(z, -work.k, axis=1)[:, -work.k :]
        return indices, np.maximum(np.take_along_axis(z, indices, axis=1), 0)

    return run, lambda: -np.sort(-run()[1], axis=1)


def torch(work: Work, data: Data, wrap: Callable[[Any], Any]) -> Race:
    """Linear and topk; to be called after the number of threads is set."""
    import torch as pt

    X, W, b = (pt.from_numpy(a) for a in (data.X, data.W1, data.b1))

    @wrap
    def top(X: Any) -> Any:
        values, indices = pt.topk(pt.nn.functional.linear(X, W, b), work.k, dim=1)
        return pt.relu(values), indices

    def run() -> Any:
        with pt.inference_mode():
            return top(X)

    return run, lambda: run()[0].numpy()


def jax(work: Work, data: Data) -> Race:
    """Jit of the product and lax.top_k."""
    import jax as jx
    import jax.numpy as jnp

    X, W, b = (jnp.asarray(a) for a in (data.X, data.W1, data.b1))
    top = jx.jit(lambda X: jx.lax.top_k(X @ W.T + b, work.k))
    return lambda: jx.block_until_ready(top(X)), lambda: np.maximum(np.asarray(top(X)[0]), 0)


def onnx_nodes(work: Work, kind: int) -> tuple[list[Any], list[Any], list[Any]]:
    """Nodes, outputs and constants of ONNX Runtime's model."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Gemm", ["X", "W1", "b1"], ["z"], transB=1),
        helper.make_node("TopK", ["z", "k"], ["largest", "indices"], axis=1),
        helper.make_node("Relu", ["largest"], ["values"]),
    ]
    outputs = [
        helper.make_tensor_value_info("values", kind, [None, work.k]),
        helper.make_tensor_value_info("indices", TensorProto.INT64, [None, work.k]),
    ]
    return nodes, outputs, [numpy_helper.from_array(np.array([work.k], np.int64), "k")]
