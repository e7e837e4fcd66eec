"""Preprocessing and first layer as one product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

try:
    from sklearn.decomposition import PCA, IncrementalPCA
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
except ImportError as error:
    raise ImportError('fold needs scikit-learn: pip install "sae-fast[estimators]"') from error

from ._encoder import Encoder, from_layer
from ._estimator import SparseAutoencoder
from ._patch_extractor import PatchExtractor
from ._public import public_in
from ._scale import CUTS, Clip, Layer, check_clip
from ._scalers import UFLDLScaler, UnitScaler
from ._stack import Stack
from ._stack_encoder import StackEncoder
from ._transformer import check_is_fitted, thawed
from ._types import FloatArray, Hidden
from ._whitening import PCAWhitener, ZCAWhitener

_LAST = "a SparseAutoencoder, a stack of layers or an encoder"


@public_in("sae_fast")
def fold(*steps: Any, clip: Clip = "error", dtype: DTypeLike | None = None) -> Encoder | StackEncoder:
    """Make scalers, whitening and the first layer of an autoencoder one affine map.

    ``f(W (A x + t) + b)`` is ``f((W A) x + (W t + b))``: the encoder that comes out takes unprepared data and gives the
    codes of the whole chain for one product, in any process that has NumPy.

    Parameters
    ----------
    *steps : fitted transformers, the last one an autoencoder, a stack of them, or an encoder
        In the order in which data go through them; a ``Pipeline`` stands for its steps, a ``FrozenEstimator`` for what
        it holds, and a :class:`PatchExtractor` at the beginning is left out. Affine, and so folded exactly:
        :class:`UnitScaler`, :class:`PCAWhitener`, :class:`ZCAWhitener`, scikit-learn's ``StandardScaler``,
        ``MinMaxScaler``, ``MaxAbsScaler``, ``RobustScaler``, ``PCA`` and ``IncrementalPCA``, and the autoencoder's own
        ``scale="minmax"``. Of a :class:`StackedAutoencoder` or a classifier, the lowest layer takes up the steps.
    clip : {"error", "ignore"}
        What to do with a step that cuts, which is not affine: :class:`UFLDLScaler` and ``scale="ufldl"`` (at 3
        sigma), and scalers with ``clip=True``. ``"ignore"`` leaves the cut out: codes of samples that it would not
        touch are the same, others differ.
    dtype : float32 or float64, optional
        Of the encoder; by default that of the autoencoder. The folding is done in float64.

    Returns
    -------
    Encoder or StackEncoder
        Its attributes ``W1`` and ``b1`` are the folded weights; for a stack, those of ``layers[0]``. It keeps the
        names of the features that the first step was fitted to, and refuses data frames with others.

    Raises
    ------
    TypeError
        A step that cannot be folded.
    ValueError
        A step that cuts, unless it shall be ignored; steps whose sizes do not fit; weights that overflow ``dtype``.
    NotFittedError
        A step that is not fitted.

    Notes
    -----
    In float64 the codes agree with those of the chain to about 1e-12, more exactly to the rounding of the map: where
    features lie far from zero for their spread, or where whitening blows up directions of tiny variance, sums cancel,
    and digits are lost in the same proportion.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> whitener, scaler = sf.ZCAWhitener(epsilon=0.1), sf.UnitScaler()
    >>> white = scaler.fit_transform(whitener.fit_transform(X))
    >>> model = sf.SparseAutoencoder(4, max_iter=20, random_state=0).fit(white)
    >>> encoder = sf.fold(whitener, scaler, model)
    >>> bool(np.allclose(encoder(X), model.transform(white), rtol=1e-12))
    True
    """
    check_clip(clip)
    flat = _flatten(steps)
    if not flat:
        raise TypeError(f"steps must end with {_LAST}, got no steps")
    *before, last = flat
    layers: list[tuple[FloatArray, FloatArray, Hidden]]
    if isinstance(last, Encoder):
        layers = [(last.W1, last.b1, last.hidden)]
    elif isinstance(last, StackEncoder):
        layers = [(layer.W1, layer.b1, layer.hidden) for layer in last.layers]
    elif isinstance(last, Stack):
        check_is_fitted(last)
        layers = [(W, b, unit) for (W, b), unit in zip(last.encoder_, last.units_, strict=True)]
    elif isinstance(last, SparseAutoencoder):
        check_is_fitted(last)
        layers = [(last.params_.W1, last.params_.b1, last._units[0])]
        if last.scaler_ is not None:
            before.append(last.scaler_)
    else:
        raise TypeError(f"the last step must be {_LAST}, got {type(last).__name__}")
    kind = layers[0][0].dtype if dtype is None else np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    W, b, unit = layers[0]
    layers[0] = (*absorb(before, W, b, clip=clip), unit)
    encoders = [
        _encoder(W, b, unit, kind, _names(flat[0]) if k == 0 else None) for k, (W, b, unit) in enumerate(layers)
    ]
    return StackEncoder(encoders) if isinstance(last, (Stack, StackEncoder)) else encoders[0]


def _names(first: Any) -> list[str] | None:
    """Names of the features that the first step was fitted to; those of a later one are the work of this one."""
    names = getattr(first, "feature_names_in_", getattr(first, "feature_names", None))
    return None if names is None else [str(name) for name in names]


def _encoder(
    W: FloatArray, b: FloatArray, hidden: Hidden, dtype: np.dtype[Any], names: Sequence[str] | None
) -> Encoder:
    with np.errstate(over="ignore"):
        W, b = W.astype(dtype), b.astype(dtype)
    if not (np.all(np.isfinite(W)) and np.all(np.isfinite(b))):
        raise ValueError(f"folded weights must be finite, but they overflow {dtype}")
    return from_layer(Encoder, W, b, hidden, names)


def absorb(steps: Sequence[Any], W: NDArray[Any], b: NDArray[Any], *, clip: Clip = "error") -> Layer:
    """Weights and bias, float64, of the layer that does the steps, then ``(W, b)``; see :func:`fold`."""
    layer: Layer = W.astype(np.float64), b.astype(np.float64)
    for step in reversed(steps):
        name = type(step).__name__
        rule = next((rule for kinds, rule in _RULES if isinstance(step, kinds)), None)
        if rule is None:
            hint = "; an autoencoder can only be the last step" if isinstance(step, (SparseAutoencoder, Stack)) else ""
            raise TypeError(f"steps must be affine transformers that fold() knows, got {name}{hint}")
        check_is_fitted(step)
        if clip == "error" and (isinstance(step, UFLDLScaler) or getattr(step, "clip", False)):
            raise ValueError(f"{name} {CUTS}")
        n_out = len(step.get_feature_names_out())
        if n_out != layer[0].shape[1]:
            raise ValueError(f"steps must fit: {name} gives {n_out} features, the next one takes {layer[0].shape[1]}")
        layer = rule(step, *layer)
    return layer


def _flatten(steps: Sequence[Any]) -> list[Any]:
    """Single steps: no pipelines, no passing through, no extractor at the beginning."""
    flat: list[Any] = []
    for step in map(thawed, steps):
        if isinstance(step, Pipeline):
            flat += _flatten([s for _, s in step.steps])
        elif step is not None and not (isinstance(step, str) and step == "passthrough"):
            flat.append(step)
    return flat[1:] if flat and isinstance(flat[0], PatchExtractor) else flat


def _shift_and_divide(
    W: NDArray[np.float64], b: NDArray[np.float64], shift: NDArray[Any] | None, divisor: NDArray[Any] | None
) -> Layer:
    """Before it ``(x - shift) / divisor``."""
    if divisor is not None:
        W = W / divisor
    return W, b if shift is None else b - W @ shift


def _standard(step: Any, W: NDArray[np.float64], b: NDArray[np.float64]) -> Layer:
    return _shift_and_divide(W, b, step.mean_ if step.with_mean else None, step.scale_)


def _min_max(step: Any, W: NDArray[np.float64], b: NDArray[np.float64]) -> Layer:
    return W * step.scale_, b + W @ step.min_


def _pca(step: Any, W: NDArray[np.float64], b: NDArray[np.float64]) -> Layer:
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        W = W / np.maximum(deviation, np.finfo(deviation.dtype).eps)  # as scikit-learn does
    return _shift_and_divide(W @ step.components_, b, step.mean_, None)


_RULES: list[tuple[tuple[type, ...], Callable[[Any, NDArray[np.float64], NDArray[np.float64]], Layer]]] = [
    ((UnitScaler, UFLDLScaler), lambda step, W, b: step._scale.absorb(W, b)),
    ((PCAWhitener, ZCAWhitener), lambda step, W, b: _shift_and_divide(W @ step.whitening_, b, step.mean_, None)),
    (
        (StandardScaler,),
        lambda step, W, b: _shift_and_divide(W, b, step.mean_ if step.with_mean else None, step.scale_),
    ),
    ((RobustScaler,), lambda step, W, b: _shift_and_divide(W, b, step.center_, step.scale_)),
    ((MaxAbsScaler,), lambda step, W, b: _shift_and_divide(W, b, None, step.scale_)),
    ((MinMaxScaler,), _min_max),
    ((PCA, IncrementalPCA), _pca),
]
