"""What the ONNX model of a k-sparse encoder must give before it is written: what NumPy gives in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ksparse._encoder import KSparseEncoder
from ..network._types import FloatArray
from ..reference._ksparse import KSparseEncoder as Twin
from ..reference._ksparse import normalised

_SIZES = (1, 2, 64)
_ROUNDINGS = 200  # of the sum of all terms' sizes, that the runtime may be off


def samples_of(encoder: KSparseEncoder, dtype: np.dtype[Any]) -> NDArray[Any]:
    """About where the data are, as far as the encoder tells, and so far apart that latents are on and off."""
    rng = np.random.default_rng(0)
    length = np.median(np.linalg.norm(encoder.W_enc.astype(np.float64), axis=1))
    found = rng.normal(size=(max(_SIZES), encoder.n_features)) * (2 / length if length > 0 else 1.0)
    if encoder.apply_b_dec_to_input and encoder.normalize is None:
        found += encoder.b_dec
    return found.astype(dtype)


def disagreement(encoder: KSparseEncoder, found: dict[str, NDArray[Any]], X: NDArray[Any]) -> str | None:
    """The first output that is not NumPy's; latents so near a threshold that rounding decides may be on or off."""
    weights = [getattr(encoder, name).astype(np.float64) for name in ("W_enc", "b_enc", "W_dec", "b_dec")]
    names = ("k", "activation", "apply_b_dec_to_input", "normalize", "threshold", "b_gate", "r_mag")
    options: dict[str, Any] = {name: getattr(encoder, name) for name in names}
    twin = Twin(*weights, **options)
    rows = X.astype(np.float64)
    wanted = twin.dense(rows)
    z, margin, slack = _near(encoder, rows, float(np.finfo(X.dtype).eps))
    undecided = margin <= 2 * slack.max(axis=1, keepdims=True)
    codes = {"codes": found["codes"]} if "codes" in found else {}
    if "indices" in found and "values" in found:
        dense = np.zeros(wanted.shape)
        np.put_along_axis(dense, found["indices"], found["values"], axis=1)
        codes["values"] = dense
    for name, got in codes.items():
        right = np.abs(got - wanted) <= slack
        free = undecided & ((got == 0) | (np.abs(got - np.maximum(z, 0)) <= slack))
        if got.shape != wanted.shape or not (right | free).all():
            return name
    if "reconstruction" in found:
        sure = ~(undecided & (np.maximum(z, 0) > slack)).any(axis=1)
        restored = twin.decode(wanted, X=rows if encoder.n_outputs == encoder.n_features else None)
        allowed = slack @ np.abs(weights[2]) + _ROUNDINGS * float(np.finfo(X.dtype).eps) * (1 + np.abs(restored))
        if encoder.normalize is not None:
            allowed = allowed * (1 + np.abs(rows).max(axis=1, keepdims=True))
        if not (np.abs(found["reconstruction"] - restored) <= allowed)[sure].all():
            return "reconstruction"
    return None


def _near(encoder: KSparseEncoder, X: FloatArray, eps: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What a latent would be worth, how far it is from its threshold, and how far rounding may move either."""
    rows = normalised(X, encoder.normalize)
    sizes = np.abs(rows)
    if encoder.apply_b_dec_to_input:
        sizes, rows = sizes + np.abs(encoder.b_dec), rows - encoder.b_dec
    W = encoder.W_enc.astype(np.float64)
    y = rows @ W.T
    slack = _ROUNDINGS * eps * (sizes @ np.abs(W).T + np.abs(encoder.b_enc) + np.finfo(np.float32).tiny)
    z = y + encoder.b_enc
    if encoder.activation == "topk":
        falling = -np.sort(-np.pad(z, ((0, 0), (0, 1)), constant_values=-np.inf), axis=1)
        k = encoder.k or 1
        last, first_out = falling[:, [k - 1]], falling[:, [k]]
        return z, np.where(z >= last, z - first_out, last - z), slack
    if encoder.activation == "gated":
        assert encoder.r_mag is not None and encoder.b_gate is not None  # noqa: PT018
        scale = np.exp(encoder.r_mag.astype(np.float64))
        z = scale * y + encoder.b_enc
        slack = slack * np.maximum(scale, 1) + _ROUNDINGS * eps * np.abs(encoder.b_gate)
        return z, np.minimum(np.abs(y + encoder.b_gate), np.abs(z)), slack
    threshold = 0.0 if encoder.threshold is None else np.maximum(encoder.threshold, 0)
    return z, np.abs(z - threshold), slack + eps * np.abs(threshold)
