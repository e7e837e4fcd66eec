"""Preprocessing and first layer as one product."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._public import public_in
from ..network._scale import CUTS, Affine, Clip, check_clip, shift_and_divide
from ..network._types import FloatArray, Hidden
from ._encoder import Encoder, from_layer
from ._frozen import thawed
from ._stack_encoder import StackEncoder

Rule = Callable[[Any, NDArray[np.float64], NDArray[np.float64]], Affine]
_LAST = "a SparseAutoencoder, a stack of layers or an encoder"
# A step says itself how it folds. The last one by `_fold_layers()`, which gives its layers (W, b, unit) bottom up and
# steps of its own that come before them, and `_folds_to_stack`; those before it by `_fold_into(W, b)`, the layer that
# does the step and then (W, b), with `_cuts` if it also cuts. scikit-learn's cannot say it: their rules are below.


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
    flat = single_steps(steps)
    if not flat:
        raise TypeError(f"steps must end with {_LAST}, got no steps")
    *before, last = flat
    if not hasattr(last, "_fold_layers"):
        raise TypeError(f"the last step must be {_LAST}, got {type(last).__name__}")
    layers, own = last._fold_layers()
    before += own
    kind = layers[0][0].dtype if dtype is None else np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    W, b, unit = layers[0]
    layers[0] = (*absorb(before, W, b, clip=clip), unit)
    encoders = [
        _encoder(W, b, unit, kind, feature_names_of(flat[0]) if k == 0 else None)
        for k, (W, b, unit) in enumerate(layers)
    ]
    return StackEncoder(encoders) if last._folds_to_stack else encoders[0]


def feature_names_of(first: Any) -> list[str] | None:
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


def absorb(steps: Sequence[Any], W: NDArray[Any], b: NDArray[Any], *, clip: Clip = "error") -> Affine:
    """Weights and bias, float64, of the layer that does the steps, then ``(W, b)``; see :func:`fold`."""
    layer: Affine = W.astype(np.float64), b.astype(np.float64)
    for step in reversed(steps):
        name = type(step).__name__
        rule = _rule_of(step)
        if rule is None:
            hint = "; an autoencoder can only be the last step" if hasattr(step, "_fold_layers") else ""
            raise TypeError(f"steps must be affine transformers that fold() knows, got {name}{hint}")
        _scikit_learn().check_is_fitted(step)
        if clip == "error" and (getattr(step, "_cuts", False) or getattr(step, "clip", False)):
            raise ValueError(f"{name} {CUTS}")
        n_out = len(step.get_feature_names_out())
        if n_out != layer[0].shape[1]:
            raise ValueError(f"steps must fit: {name} gives {n_out} features, the next one takes {layer[0].shape[1]}")
        layer = rule(step, *layer)
    return layer


def single_steps(steps: Sequence[Any]) -> list[Any]:
    """Single steps: no pipelines, no passing through, no extractor at the beginning."""
    flat: list[Any] = []
    for step in map(thawed, steps):
        if isinstance(step, _scikit_learn().pipeline):
            flat += single_steps([s for _, s in step.steps])
        elif step is not None and not (isinstance(step, str) and step == "passthrough"):
            flat.append(step)
    return flat[1:] if flat and getattr(flat[0], "_leaves_patches_as_they_are", False) else flat


def _rule_of(step: Any) -> Rule | None:
    """How a step folds: as it says itself, or as is known of scikit-learn's."""
    if hasattr(step, "_fold_into"):
        return lambda step, W, b: step._fold_into(W, b)
    return next((rule for kinds, rule in _scikit_learn().rules if isinstance(step, kinds)), None)


class _ScikitLearn(NamedTuple):
    """What folding has to know of scikit-learn."""

    check_is_fitted: Callable[[Any], None]
    pipeline: Any
    rules: list[tuple[tuple[type, ...], Rule]]


@functools.cache
def _scikit_learn() -> _ScikitLearn:
    try:
        from sklearn.decomposition import PCA, IncrementalPCA
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
        from sklearn.utils.validation import check_is_fitted
    except ImportError as error:
        raise ImportError('fold needs scikit-learn: pip install "sae-fast[estimators]"') from error
    rules: list[tuple[tuple[type, ...], Rule]] = [
        ((StandardScaler,), lambda s, W, b: shift_and_divide(W, b, s.mean_ if s.with_mean else None, s.scale_)),
        ((RobustScaler,), lambda s, W, b: shift_and_divide(W, b, s.center_, s.scale_)),
        ((MaxAbsScaler,), lambda s, W, b: shift_and_divide(W, b, None, s.scale_)),
        ((MinMaxScaler,), lambda s, W, b: (W * s.scale_, b + W @ s.min_)),
        ((PCA, IncrementalPCA), _pca),
    ]
    return _ScikitLearn(check_is_fitted, Pipeline, rules)


def _pca(step: Any, W: NDArray[np.float64], b: NDArray[np.float64]) -> Affine:
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        W = W / np.maximum(deviation, np.finfo(deviation.dtype).eps)  # as scikit-learn does
    return shift_and_divide(W @ step.components_, b, step.mean_, None)
