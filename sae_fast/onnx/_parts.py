"""What a model is made of, and the nodes that give its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..encoders._fold import feature_names_of, single_steps
from ..network._scale import Scale, UnitScale
from ._chain import Chain
from ._graph import Graph, affine, mean_of_rows, scaled

Weights = tuple[NDArray[Any], NDArray[Any], str]


class Parts(NamedTuple):
    """A model from its input on: steps, layers with their units, and what may follow the codes."""

    steps: list[Any]
    encoder: list[Weights]
    decoder: list[Weights]
    """Of an autoencoder that no steps come before, back to its samples."""
    scale: Scale | None
    """The autoencoder's own, which is among the steps too."""
    head: Weights | None
    classes: NDArray[Any] | None
    feature_names: list[str] | None

    @property
    def outputs(self) -> tuple[str, ...]:
        """What there is, the usual ones first."""
        if self.head is not None:
            return "label", "probabilities", "codes"
        return ("codes", "reconstruction") if self.decoder else ("codes",)

    @property
    def n_features(self) -> int:
        """Of a sample."""
        return int(self.steps[0].n_features_in_ if self.steps else self.encoder[0][0].shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the weights."""
        return self.encoder[0][0].dtype

    @property
    def columns(self) -> dict[str, int | None]:
        """Of each output; None where it has a single axis."""
        n_classes = 0 if self.classes is None else len(self.classes)
        codes = len(self.encoder[-1][1])
        return {"codes": codes, "reconstruction": self.n_features, "label": None, "probabilities": n_classes}

    def describe(self) -> str:
        """Steps, sizes and units."""
        steps = "".join(f"{type(step).__name__}, " for step in self.steps)
        sizes = "".join(f" -> {len(b)} ({unit})" for _, b, unit in [*self.encoder, *self.decoder])
        return f"{steps}{self.encoder[0][0].shape[1]}{sizes}"


def parts_of(model: Any) -> Parts:
    """The parts of a fitted autoencoder, stack or classifier, an encoder, or a pipeline that ends with one."""
    flat = single_steps([model])
    last = flat[-1] if flat else model
    refuse(last)
    if not hasattr(last, "_fold_layers"):
        raise TypeError(
            "model must be an autoencoder, a stack, an encoder or a pipeline that ends with one of them, got "
            f"{type(last).__name__}; skl2onnx.to_onnx(model, X[:1]) converts pipelines that go on with other estimators"
        )
    encoder, own = last._fold_layers()
    decoder = last._decoder_layers() if hasattr(last, "_decoder_layers") and len(flat) == 1 else []
    head = (*last.head_, "linear") if hasattr(last, "head_") else None
    classes = labels_of(last.classes_) if head else None
    scale = own[0]._scale if own else None
    return Parts([*flat[:-1], *own], encoder, decoder, scale, head, classes, feature_names_of(flat[0]))


def refuse(model: Any) -> None:
    """Those that ONNX has no words for here."""
    reason = getattr(model, "_no_onnx", None)
    if reason is not None:
        raise TypeError(f"{type(model).__name__} cannot be converted to ONNX: {reason}")


def labels_of(classes: NDArray[Any]) -> NDArray[Any]:
    """Labels in a type that ONNX has."""
    kind = classes.dtype.kind
    if kind in "iu" and (len(classes) == 0 or classes.max() <= np.iinfo(np.int64).max):
        return classes.astype(np.int64)
    if kind == "b":
        return classes
    if kind == "f":
        return classes.astype(np.float64)
    if kind in "UT" or (kind == "O" and all(isinstance(label, str) for label in classes)):
        return classes.astype(object)
    raise TypeError(f"classes_ must be integers, numbers, booleans or strings for ONNX, got {classes.tolist()[:5]}")


def add_outputs(graph: Graph, x: str, parts: Parts, names: Mapping[str, str]) -> None:
    """Nodes that give outputs, which ``names`` names in the graph."""
    chain = Chain(graph, x)
    for step in parts.steps:
        chain.add(step)
    codes = x
    for k, weights in enumerate(parts.encoder):
        codes = chain.layer(*weights, output=names.get("codes") if k + 1 == len(parts.encoder) else None)
    if "reconstruction" in names:
        _add_reconstruction(graph, x, chain, parts, names["reconstruction"])
    if parts.head is not None and parts.classes is not None and names.keys() & {"label", "probabilities"}:
        logits = affine(graph, codes, *parts.head[:2])
        if "label" in names:
            best = graph.node("ArgMax", logits, axis=1, keepdims=0)
            graph.node("Gather", graph.constant("classes", parts.classes), best, output=names["label"], axis=0)
        if "probabilities" in names:
            graph.node("Softmax", logits, output=names["probabilities"], axis=1)


def _add_reconstruction(graph: Graph, x: str, chain: Chain, parts: Parts, final: str) -> None:
    scale, a3 = parts.scale, ""
    for k, weights in enumerate(parts.decoder):
        a3 = chain.layer(*weights, output=final if k + 1 == len(parts.decoder) and scale is None else None)
    if isinstance(scale, UnitScale):
        slope = scale.span / (scale.high - scale.low)
        scaled(graph, a3, slope, scale.minimum - scale.low * slope, final)
    elif scale is not None:
        slope = np.array(2 * scale.limit / (scale.high - scale.low))
        mean, _ = mean_of_rows(graph, x)
        about_zero = scaled(graph, a3, slope, -0.5 * (scale.high + scale.low) * slope)
        graph.node("Add", about_zero, mean, output=final)
