"""K-sparse encoders as ONNX: one product, TopK or a comparison, and what is made of what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..ksparse._encoder import KSparseEncoder
from ._graph import affine, mean_of_rows, numbers

if TYPE_CHECKING:
    from ._model import ModelGraph


class SparseParts(NamedTuple):
    """An encoder, with what is asked of all models: see :class:`Parts`."""

    encoder: KSparseEncoder
    head: None = None
    classes: None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """What there is."""
        of_topk = ("indices", "values") if self.encoder.activation == "topk" else ()
        return "codes", "reconstruction", *of_topk

    @property
    def n_features(self) -> int:
        """Of a sample."""
        return self.encoder.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the weights."""
        return self.encoder.dtype

    @property
    def columns(self) -> dict[str, int | None]:
        """Of each output."""
        encoder = self.encoder
        return {
            "codes": encoder.n_latents,
            "reconstruction": encoder.n_outputs,
            "indices": encoder.k,
            "values": encoder.k,
        }

    @property
    def feature_names(self) -> list[str] | None:
        """Of a sample's features."""
        names = self.encoder.feature_names
        return None if names is None else list(names)

    def describe(self) -> str:
        """Sizes and activation."""
        encoder = self.encoder
        how = f"topk, k={encoder.k}" if encoder.activation == "topk" else encoder.activation
        first = "" if encoder.normalize is None else f"{encoder.normalize}, "
        return f"{first}{encoder.n_features} -> {encoder.n_latents} ({how}) -> {encoder.n_outputs} (linear)"


def add_sparse_outputs(graph: ModelGraph, x: str, encoder: KSparseEncoder, names: Mapping[str, str]) -> None:
    """Nodes that give outputs, which ``names`` names in the graph."""
    rows, level, size = _normalised(graph, x, encoder)
    if encoder.apply_b_dec_to_input:
        rows = graph.node("Sub", rows, numbers(graph, "b_dec", encoder.b_dec))
    wants_codes = bool(names.keys() & {"codes", "reconstruction"})
    if encoder.activation == "topk":
        codes = _topk(graph, rows, encoder, names, wants_codes)
    else:
        codes = _compared(graph, rows, encoder, names.get("codes"))
    if "reconstruction" not in names:
        return
    restores = level or size
    final = names["reconstruction"]
    decoder = numbers(graph, "W_dec", encoder.W_dec), numbers(graph, "b_dec", encoder.b_dec)
    found = graph.node("Gemm", codes, *decoder, output=None if restores else final)
    if size:
        found = graph.node("Mul", found, size, output=None if level else final)
    if level:
        graph.node("Add", found, level, output=final)


def _normalised(graph: ModelGraph, x: str, encoder: KSparseEncoder) -> tuple[str, str, str]:
    """Samples as the product takes them; what reconstructions are multiplied by and what is added, if anything is."""
    if encoder.normalize is None:
        return x, "", ""
    axes = graph.constant("axes", np.array([1], np.int64))
    level, inner = mean_of_rows(graph, x) if encoder.normalize == "layer_norm" else ("", x)
    squares = graph.node("ReduceSum", graph.node("Mul", inner, inner), axes, keepdims=1)
    n = encoder.n_features
    by = max(n - 1, 1) if encoder.normalize == "layer_norm" else n
    size = graph.node("Sqrt", graph.node("Div", squares, numbers(graph, "n", float(by))))
    if encoder.normalize == "layer_norm":
        least = graph.node("Add", size, numbers(graph, "epsilon", 1e-5))
    else:  # a sample of zeros stays
        least = graph.node("Max", size, numbers(graph, "tiny", np.finfo(graph.dtype).tiny))
    rows = graph.node("Div", inner, least)
    restores = encoder.n_outputs == n
    return rows, level if restores else "", size if restores else ""


def _topk(graph: ModelGraph, rows: str, encoder: KSparseEncoder, names: Mapping[str, str], wants_codes: bool) -> str:
    z = affine(graph, rows, encoder.W_enc, encoder.b_enc)
    k = graph.constant("k", np.array([encoder.k], np.int64))
    values, indices = graph.pair("TopK", z, k, axis=1, largest=1, sorted=1)
    values = graph.node("Relu", values, output=names.get("values"))
    if "indices" in names:
        graph.node("Identity", indices, output=names["indices"])
    if not wants_codes:
        return ""
    none = graph.node("Expand", numbers(graph, "zero", 0.0), graph.node("Shape", z))
    return graph.node("ScatterElements", none, indices, values, output=names.get("codes"), axis=1)


def _compared(graph: ModelGraph, rows: str, encoder: KSparseEncoder, output: str | None) -> str:
    """What exceeds a threshold, or a gate."""
    zero = numbers(graph, "zero", 0.0)
    if encoder.activation == "gated":
        assert encoder.r_mag is not None and encoder.b_gate is not None  # noqa: PT018
        y = graph.node("Gemm", rows, numbers(graph, "W", encoder.W_enc), transB=1)
        scale = numbers(graph, "scale", np.exp(encoder.r_mag.astype(np.float64)))
        z = graph.node("Add", graph.node("Mul", y, scale), numbers(graph, "b", encoder.b_enc))
        is_open = graph.node("Greater", y, numbers(graph, "gate", -encoder.b_gate))
        return graph.node("Where", is_open, graph.node("Relu", z), zero, output=output)
    z = affine(graph, rows, encoder.W_enc, encoder.b_enc)
    if encoder.activation == "relu":
        return graph.node("Relu", z, output=output)
    threshold = numbers(graph, "threshold", np.maximum(np.asarray(encoder.threshold), 0))
    return graph.node("Where", graph.node("Greater", z, threshold), z, zero, output=output)
