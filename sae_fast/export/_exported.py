"""What an export is made of: the layers of anything that encodes, checked, and where they come from."""

from __future__ import annotations

import hashlib
import os
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from .. import files
from ..encoders._encoder import Encoder
from ..encoders._fold import fold
from ..encoders._load import load_encoder
from ..encoders._stack_encoder import StackEncoder
from ..files._kinds import SPARSE
from ..files._model_file import load
from ..ksparse._encoder import KSparseEncoder
from ..ksparse._subject import sparse_encoder
from ..network._scale import Clip, check_clip
from ..network._types import FloatArray


class ExportedLayer(NamedTuple):
    """``unit(x W^T + b)``; W (n_out, n_in)."""

    W: FloatArray
    b: FloatArray
    unit: str


class Exported(NamedTuple):
    """Layers bottom up, of one dtype; the checksum of the model file they come from, if any, and one of their own."""

    layers: list[ExportedLayer]
    dtype: np.dtype[Any]
    model_checksum: str | None
    checksum: str

    @property
    def n_features(self) -> int:
        """Of a sample."""
        return int(self.layers[0].W.shape[1])

    @property
    def n_codes(self) -> int:
        """Of the last layer."""
        return int(self.layers[-1].W.shape[0])

    def describe(self) -> str:
        """Sizes and units, ``784 -> 196 (sigmoid)``."""
        return f"{self.n_features}" + "".join(f" -> {len(layer.b)} ({layer.unit})" for layer in self.layers)


def exported(model: Any, dtype: np.dtype[Any] | None, clip: Clip) -> Exported:
    """The layers of a model, a pipeline, an encoder or a file of these, in ``dtype``, by default in their own."""
    check_clip(clip)
    if sparse_source(model)[0] is not None:
        raise ValueError(
            "model must have dense codes for C source, got k-sparse ones: export_numpy and to_onnx have them"
        )
    encoder, model_checksum = _encoder_of(model, clip)
    kind = encoder.dtype if dtype is None else dtype
    parts = encoder.layers if isinstance(encoder, StackEncoder) else (encoder,)
    layers = [ExportedLayer(cast(k.W1, kind), cast(k.b1, kind), k.hidden) for k in parts]
    return Exported(layers, kind, model_checksum, _checksum(layers))


def sparse_source(model: Any) -> tuple[KSparseEncoder | None, str | None]:
    """The k-sparse encoder that a model, or a file of one, is; and the checksum of the file. None for other models."""
    if not isinstance(model, str | PathLike):
        return sparse_encoder(model), None
    kind, _, about = files.read_tensors(model)
    return (sparse_encoder(load(model)), str(about["checksum"])) if kind in SPARSE else (None, None)


def _encoder_of(model: Any, clip: Clip) -> tuple[Encoder | StackEncoder, str | None]:
    if isinstance(model, Encoder | StackEncoder):
        return model, None
    if not isinstance(model, str | PathLike):
        return fold(model, clip=clip), None
    return load_encoder(model, clip), str(files.read_tensors(model).about["checksum"])


def cast(array: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """The array in a type that holds its values."""
    with np.errstate(over="ignore"):
        found: FloatArray = array.astype(dtype)
    if not np.isfinite(found).all():
        if np.isfinite(array).all():
            raise ValueError(f"weights must be in the range of dtype, but they overflow {dtype}")
        raise ValueError("weights must be finite, got NaN or infinity")
    return found


def _checksum(layers: list[ExportedLayer]) -> str:
    digest = hashlib.sha256()
    for W, b, unit in layers:
        digest.update(f"{unit} {W.dtype.name} {W.shape}\n".encode())
        for array in (W, b):
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def check_path(name: str, path: str | PathLike[str], suffix: str) -> str:
    """The path as text, if it ends as it must."""
    if not isinstance(path, str | PathLike):
        raise TypeError(f"{name} must be a path, got {path!r}")
    text = os.fsdecode(path)
    if os.path.splitext(text)[1] != suffix or os.path.basename(text) == suffix:
        raise ValueError(f"{name} must end in {suffix}, got {text!r}")
    return text
