"""What a monitor asks of a model, of one layer or of several: codes, reconstructions, and what is usual of units."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..estimators._streamed import check_columns, is_source
from ..estimators._unit_report import BLOCK
from ..network._checks import how_to_open
from ..network._deep import deep_forward
from ..network._rows import check_names, real_rows
from ..network._types import Layer
from ..network._units import UNITS, activity
from ..streams._open import as_source, open_source
from ..streams._source import Source

F64 = NDArray[np.float64]


class Seen(NamedTuple):
    """What the network makes of some rows."""

    errors: F64
    """1/2 sum (a3 - x)^2 of each row, as the network sees it."""
    codes: NDArray[Any]
    """Activations of the last hidden layer, mapped to [0, 1] where they are bounded."""


def checked_model(model: Any) -> Any:
    """A fitted model that has reconstructions: that of a detector, or the model itself."""
    from sklearn.utils.validation import check_is_fitted

    if hasattr(model, "calibration_fraction"):  # a detector, which has its network when it is fitted
        check_is_fitted(model)
    network = getattr(model, "autoencoder_", model)
    if not hasattr(network, "_decoder_layers") or not hasattr(network, "get_params"):
        why = ", which has no reconstructions" if hasattr(network, "predict") else ""
        raise TypeError(
            "model must be a fitted SparseAutoencoder, StackedAutoencoder or SparseAutoencoderOutlierDetector, got "
            f"{type(model).__name__}{why}"
        )
    check_is_fitted(network)
    return network


def layers_of(model: Any) -> list[NDArray[Any]]:
    """Weights and biases, by which two models are compared."""
    return [array for layer in (model.encoder_ if is_stack(model) else [model.params_]) for array in layer]


def kind_of(model: Any) -> np.dtype[Any]:
    """The type that the network works in, and rows are judged in."""
    kind: np.dtype[Any] = layers_of(model)[0].dtype
    return kind


def hidden_of(model: Any) -> str:
    """The units of the last hidden layer."""
    return str(model.units_[-1] if is_stack(model) else model._units[0])


def rho_of(model: Any) -> float:
    """The mean activation that was wanted of them."""
    if not is_stack(model):
        return float(model._rho_fitted_)
    return float(np.ravel(model.rho)[-1])


def is_stack(model: Any) -> bool:
    """Has the model several layers?"""
    return hasattr(model, "encoder_")


def see(model: Any, X: NDArray[Any]) -> Seen:
    """Errors and activations of checked rows."""
    kind, unit = kind_of(model), hidden_of(model)
    decoder = [(Layer(W, b), output) for W, b, output in model._decoder_layers()]
    layers, outputs = tuple(layer for layer, _ in decoder), tuple(output for _, output in decoder)
    errors, codes = np.empty(len(X)), np.empty((len(X), model._n_features_out), kind)
    for i in range(0, len(X), BLOCK):
        rows = X[i : i + BLOCK]
        if is_stack(model):
            a2 = deep_forward(model.encoder_, rows, units=model.units_, n_threads=model.n_threads)
            target = rows
        else:
            a2 = model._encode(rows)
            target = model._target(rows)
        a3 = deep_forward(layers, a2, units=outputs, n_threads=model.n_threads)
        errors[i : i + BLOCK] = _core.row_errors(a3, np.ascontiguousarray(target, kind))
        codes[i : i + BLOCK] = activity(a2, unit)
    return Seen(errors, codes)


def rows_of(model: Any, X: ArrayLike) -> NDArray[Any]:
    """``X`` as rows of real numbers with the model's columns, of any type; NaN may be among them."""
    n = model.n_features_in_
    _check_no_path("X", X)
    check_names(X, getattr(model, "feature_names_in_", None))
    rows = real_rows(X)
    if rows.ndim != 2 or rows.shape[1] != n:
        raise ValueError(f"X must have shape (n_samples, {n}), as the model, got {rows.shape}")
    return rows


def raw_blocks_of(model: Any, X: Any) -> Iterator[NDArray[Any]]:
    """Blocks of a source with the model's columns; of an iterable what is not finite is among them."""
    source = X if isinstance(X, Source) else open_source(X, ensure_all_finite=False)
    check_columns(model, source)
    return iter(source)


def reference_rows(model: Any, X: Any) -> NDArray[Any]:
    """Reference rows in the type of the network; those of a source are read into memory."""
    kind = kind_of(model)
    _check_no_path("reference", X)
    if is_source(X):
        source = as_source(X)
        check_columns(model, source)
        return np.concatenate([block.astype(kind, copy=False) for block in source])
    rows: NDArray[Any] = model._validate(X, reset=False)
    return np.ascontiguousarray(rows, kind)


def _check_no_path(name: str, X: object) -> None:
    if isinstance(X, (str, PathLike)):
        raise TypeError(f"{name} must be rows or a source, {how_to_open(X)}")


def is_bounded(model: Any) -> bool:
    """Are activations mapped to [0, 1]?"""
    return UNITS[hidden_of(model)].bounded
