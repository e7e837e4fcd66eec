"""What a model must give before it is written: for some samples, by ONNX Runtime, what NumPy gives in float64."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoders._fold import absorb
from ..network._types import FloatArray
from ..reference._losses import softmax
from ..reference._units import UNITS
from ._chain import centre_of
from ._ksparse import SparseParts
from ._ksparse_proof import disagreement, samples_of
from ._parts import Parts

_SIZES = (1, 2, 1000)
_STEP = 2.0**-10
_ROUNDINGS = 1000  # how many units of rounding the runtime may be off


def prove(made: Any, parts: Parts | SparseParts, outputs: tuple[str, ...], dtype: np.dtype[Any]) -> None:
    """Nothing, where ONNX Runtime is not installed.

    How far rounding may move an output is found by moving the features, about where the data are, by one part in a
    thousand each.

    Raises
    ------
    ValueError
        ONNX Runtime does not know the operators of that version.
    RuntimeError
        It gives something else.
    """
    session = _session(made)
    if session is None:
        return
    if isinstance(parts, SparseParts):
        _prove_sparse(session, parts, outputs, dtype)
        return
    rng = np.random.default_rng(0)
    centre, samples = _samples(parts, dtype, rng)
    exact = samples.astype(np.float64)
    wanted = evaluate(parts, exact)
    moved = evaluate(parts, centre + (exact - centre) * (1 + rng.choice([-_STEP, _STEP], exact.shape)))
    for n in _SIZES:
        found = dict(zip(outputs, session.run(list(outputs), {"X": samples[:n]}), strict=True))
        for name in outputs:
            if name == "label":
                right = _labels_agree(found[name], wanted["probabilities"][:n], parts)
            else:
                allowed = _ROUNDINGS * float(np.finfo(dtype).eps)
                slack = allowed * (np.abs(wanted[name][:n]) + np.abs(moved[name] - wanted[name]).max() / _STEP)
                right = found[name].shape == slack.shape and bool(
                    np.all(np.abs(found[name] - wanted[name][:n]) <= slack)
                )
            if not right:
                raise _other(name, n)


def _other(name: str, n: int) -> RuntimeError:
    return RuntimeError(f"ONNX Runtime gives other {name} than NumPy for {n} samples: the model is not written")


def _session(made: Any) -> Any:
    """ONNX Runtime with the model, or None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        return onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has many of its own
        said = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"target_opset must be one that ONNX Runtime {onnxruntime.__version__} runs, got "
            f"{made.opset_import[0].version}: {said}"
        ) from error


def _prove_sparse(session: Any, parts: SparseParts, outputs: tuple[str, ...], dtype: np.dtype[Any]) -> None:
    samples = samples_of(parts.encoder, dtype)
    for n in (1, 2, len(samples)):
        found = dict(zip(outputs, session.run(list(outputs), {"X": samples[:n]}), strict=True))
        if (name := disagreement(parts.encoder, found, samples[:n])) is not None:
            raise _other(name, n)


def evaluate(parts: Parts, X: FloatArray) -> dict[str, FloatArray]:
    """Outputs as NumPy has them, of samples in float64."""
    a: FloatArray = X
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # arrays have no names of features
        for step in parts.steps:
            a = np.asarray(step.transform(a))
    found = {"codes": _through(parts.encoder, a)}
    if parts.decoder:
        a3 = _through(parts.decoder, found["codes"])
        found["reconstruction"] = a3 if parts.scale is None else parts.scale.restore(a3, X)
    if parts.head is not None:
        W, b, _ = parts.head
        e, rest, _ = softmax(found["codes"] @ W.T.astype(np.float64) + b)
        found["probabilities"] = e / (1 + rest)
    return found


def _through(layers: list[Any], a: FloatArray) -> FloatArray:
    for W, b, unit in layers:
        a = UNITS[unit].value(a @ W.T.astype(np.float64) + b)
    return a


def _samples(parts: Parts, dtype: np.dtype[Any], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where the data are, as far as the steps tell, and samples about it that move the units of the lowest layer."""
    W, b, _ = parts.encoder[0]
    W, _ = absorb(parts.steps, W, b, clip="ignore")
    size = np.sqrt((W**2).sum(axis=1))
    spread = 2 / np.median(size[size > 0]) if np.any(size > 0) else 1.0
    centre = centre_of(parts.steps[0]) if parts.steps else None
    if centre is None:
        centre = np.zeros(W.shape[1])
    return centre, (centre + spread * rng.normal(size=(max(_SIZES), W.shape[1]))).astype(dtype)


def _labels_agree(found: Any, probabilities: FloatArray, parts: Parts) -> bool:
    """Where one class is clearly the likeliest."""
    top = np.sort(probabilities, axis=1)
    clear = top[:, -1] - top[:, -2] > 1e-3
    wanted: Any = parts.classes
    return found.shape == clear.shape and bool(np.all((found == wanted[probabilities.argmax(axis=1)])[clear]))
