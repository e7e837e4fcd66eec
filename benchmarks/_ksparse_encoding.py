"""A contender of ksparse.py: sparse codes of the same rows by the same weights."""

from __future__ import annotations

import resource
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from _contest import answer, least_seconds, multiply_add_rate

Encode = Callable[[], Any]


def ours(W: np.ndarray, X: np.ndarray, k: int, activation: str, n_threads: int) -> tuple[Encode, Callable[[Any], Any]]:
    """To CSR; one row by encode_one. Of the result, the values."""
    import sae_fast as sf

    (h, d), zero = W.shape, np.float32(0)
    kept: dict[str, Any] = {"k": k}
    if activation == "jumprelu":
        kept = {"threshold": np.full(h, NormalDist().inv_cdf(1 - k / h), np.float32)}
    encoder = sf.KSparseEncoder(W, np.full(h, zero), W, np.full(d, zero), activation=activation, **kept)
    if len(X) == 1:
        return lambda: encoder.encode_one(X[0]), lambda code: code[1]
    return lambda: encoder(X, n_threads=n_threads), lambda codes: codes.data


def torch(W: np.ndarray, X: np.ndarray, k: int, _: str, n_threads: int) -> tuple[Encode, Callable[[Any], Any]]:
    """Product and topk."""
    import torch as pt

    pt.set_num_threads(n_threads)
    weights, rows = pt.from_numpy(W), pt.from_numpy(X)

    def encode() -> Any:
        with pt.inference_mode():
            values, indices = pt.topk(rows @ weights.T, k, dim=1)
            return pt.relu(values), indices

    return encode, lambda codes: codes[0].numpy()


def onnx_runtime(W: np.ndarray, X: np.ndarray, k: int, _: str, n_threads: int) -> tuple[Encode, Callable[[Any], Any]]:
    """Gemm and TopK."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Gemm", ["X", "W"], ["z"], transB=1),
        helper.make_node("TopK", ["z", "k"], ["largest", "indices"], axis=1),
        helper.make_node("Relu", ["largest"], ["values"]),
    ]
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, W.shape[1]])]
    outputs = [
        helper.make_tensor_value_info("values", TensorProto.FLOAT, [None, k]),
        helper.make_tensor_value_info("indices", TensorProto.INT64, [None, k]),
    ]
    constants = [numpy_helper.from_array(W, "W"), numpy_helper.from_array(np.array([k], np.int64), "k")]
    graph = helper.make_graph(nodes, "codes", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"X": X}), lambda codes: codes[0]


CONTENDERS = {"ours": ours, "torch": torch, "ONNX Runtime": onnx_runtime}


def contend(
    n_threads: int, contender: str, n: int, d: int, h: int, k: int, activation: str, seconds: float
) -> dict[str, float]:
    """Least time of a call, that of the product at the peak, memory beyond the weights', and the sum of all codes."""
    rng = np.random.default_rng(0)
    W, X = (rng.standard_normal(shape, np.float32) for shape in ((h, d), (n, d)))  # nothing larger was in memory before
    W *= np.float32(d**-0.5)
    rate = multiply_add_rate(n_threads)
    encode, values = CONTENDERS[contender](W, X, k, activation, n_threads)
    before = _peak()
    total = float(np.sum(values(encode()), dtype=np.float64))
    extra = _peak() - before
    least = least_seconds(encode, seconds)
    rate = max(rate, multiply_add_rate(n_threads))
    return {"seconds": least, "limit": n * d * h / rate, "extra": extra, "total": total}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    answer(contend)
