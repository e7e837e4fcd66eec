"""Kinds of model files, and what makes an object of the contents of each."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeAlias

from numpy.typing import NDArray

KIND = "SparseAutoencoder"  # of files that name none
KSPARSE = "KSparseEncoder"
ENCODERS = ("Encoder", "StackEncoder", KSPARSE)
STACKS = ("StackedAutoencoder", "StackedAutoencoderClassifier")
DETECTOR = "SparseAutoencoderOutlierDetector"
MONITOR = "Monitor"
KSPARSE_MODEL = "KSparseAutoencoder"
SPARSE = (KSPARSE, KSPARSE_MODEL)  # whose weights are those of a k-sparse encoder
KINDS = (KIND, *ENCODERS, *STACKS, DETECTOR, MONITOR, KSPARSE_MODEL)

KSPARSE_NORMALIZATIONS = ("layer_norm", "length")  # in the order of the core's numbers, from 1
KSPARSE_TENSORS: dict[str, tuple[str, ...]] = {  # of each activation, beside the weights
    "topk": (),
    "batchtopk": ("threshold",),
    "jumprelu": ("threshold",),
    "relu": (),
    "gated": ("b_gate", "r_mag"),
}

Maker: TypeAlias = Callable[[str | PathLike[str], dict[str, NDArray[Any]], dict[str, Any]], Any]
MAKERS: dict[str, Maker] = {}


def register(kind: str, maker: Maker) -> None:
    """Let files of a kind be made what they hold by ``maker(path, tensors, about)``, which gets checked contents."""
    MAKERS[kind] = maker
