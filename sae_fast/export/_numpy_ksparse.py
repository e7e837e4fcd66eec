"""The module of Python that export_numpy writes of a k-sparse encoder."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..ksparse._encoder import KSparseEncoder
from ._exported import cast

_MODULE = '''\
"""Codes of a k-sparse encoder, {n_features} -> {n_latents} ({activation}), in {dtype}.

Made by sae_fast {version}; needs NumPy alone. {origin}
The weights belong to whoever owns the model. All else here anybody may use, change and pass on, without conditions.
"""

from pathlib import Path

import numpy as np

with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as _arrays:
    if str(_arrays["checksum"]) != "{checksum}":
        raise ImportError("the .npz beside this module belongs to another one")
{arrays}


def _rows(X):
    x = np.asarray(X, np.{dtype})
{first}    return x


{functions}'''
_FIRST = {
    "layer_norm": """\
    x = x - x.mean(axis=1, keepdims=True)
    x = x / (np.sqrt((x * x).sum(axis=1, keepdims=True) / {free}) + np.{dtype}(1e-5))
""",
    "length": """\
    size = np.sqrt((x * x).mean(axis=1, keepdims=True))
    x = x / np.where(size > 0, size, 1)
""",
}
_TOPK = '''\
def top(X, k={k}):
    """Indices and values (n_samples, k) of the largest latents, in falling order, equal ones by rising index."""
    z = _rows(X) @ W_enc.T + b_enc
    indices = np.argsort(-z, axis=1, kind="stable")[:, :k]
    return indices, np.maximum(np.take_along_axis(z, indices, axis=1), 0)


def encode(X, k={k}):
    """Codes (n_samples, {n_latents}) of samples (n_samples, {n_features}), dense."""
    indices, values = top(X, k)
    codes = np.zeros((len(indices), {n_latents}), np.{dtype})
    np.put_along_axis(codes, indices, values, axis=1)
    return codes
'''
_OTHERS = '''\
def encode(X):
    """Codes (n_samples, {n_latents}) of samples (n_samples, {n_features}), dense."""
{lines}
'''
_LINES = {
    "relu": "    return np.maximum(_rows(X) @ W_enc.T + b_enc, 0)",
    "batchtopk": "    z = _rows(X) @ W_enc.T + b_enc\n    return np.where(z > threshold, z, 0)",
    "jumprelu": "    z = _rows(X) @ W_enc.T + b_enc\n    return np.where(z > np.maximum(threshold, 0), z, 0)",
    "gated": "    y = _rows(X) @ W_enc.T\n"
    "    return np.where(y + b_gate > 0, np.maximum(np.exp(r_mag) * y + b_enc, 0), 0)",
}


def origin_of(checksum: str | None) -> str:
    """Where a module is from."""
    return f"Checksum of the model file:\n{checksum}" if checksum else "Made from memory."


def sparse_module(
    encoder: KSparseEncoder, dtype: np.dtype[Any] | None, model_checksum: str | None
) -> tuple[str, dict[str, NDArray[Any]]]:
    """The text of the module, and the arrays beside it."""
    kind = encoder.dtype if dtype is None else dtype
    names = ["W_enc", "b_enc", *(["b_dec"] if encoder.apply_b_dec_to_input else [])]
    names += [name for name in ("threshold", "b_gate", "r_mag") if getattr(encoder, name) is not None]
    arrays = {name: cast(np.asarray(getattr(encoder, name)), kind) for name in names}
    digest = hashlib.sha256(f"{encoder!r} {encoder.normalize}".encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    words = {
        "n_features": encoder.n_features,
        "n_latents": encoder.n_latents,
        "k": encoder.k,
        "dtype": kind.name,
        "free": max(encoder.n_features - 1, 1),
    }
    first = _FIRST.get(encoder.normalize or "", "").format(**words)
    first += "    x = x - b_dec\n" if encoder.apply_b_dec_to_input else ""
    topk = encoder.activation == "topk"
    functions = _TOPK if topk else _OTHERS.replace("{lines}", _LINES.get(encoder.activation, ""))
    text = _MODULE.format(
        **words,
        activation=f"topk, k={encoder.k}" if topk else encoder.activation,
        version=__version__,
        origin=origin_of(model_checksum),
        checksum=digest.hexdigest(),
        arrays="\n".join(f'    {name} = _arrays["{name}"]' for name in names),
        first=first,
        functions=functions.format(**words),
    )
    return text, arrays | {"checksum": np.array(digest.hexdigest())}
