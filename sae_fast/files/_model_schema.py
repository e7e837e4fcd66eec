"""What a model file of each kind holds: every field of its JSON and every tensor, with what it must be.

It is checked before a file is written, and after one is read and before anything is made of it. A field that its kind
has not is an error, and so is one that is missing; only hyper-parameters may be unknown, as those of a newer version
are. Needs NumPy alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network._checks import check_count, check_rho
from ..network._losses import RECONSTRUCTION, serves
from ..network._settings import check_loss
from ..network._units import HIDDEN, OUTPUT, UNITS
from ._kinds import (
    DETECTOR,
    KIND,
    KINDS,
    KSPARSE,
    KSPARSE_MODEL,
    KSPARSE_NORMALIZATIONS,
    KSPARSE_TENSORS,
    MONITOR,
    STACKS,
)
from ._model_fields import (
    Check,
    check_cost,
    check_integer,
    check_labels,
    check_scale,
    check_score,
    check_unit,
    check_versions,
    hidden_unit,
    in_range,
    labels,
    names_of,
    numbers,
    one_of,
    output_unit,
    short,
    text,
    units_of,
)
from ._model_format import format_of
from ._model_parameters import (
    check_detector_parameters,
    check_hyper_parameters,
    check_ksparse_parameters,
    check_stack_parameters,
)

N_METRICS = 8  # of a monitor
_MOST = 2.0**53  # that a count can be
_ROUNDING = 1e-6  # of means of numbers in [0, 1]
Tensors = dict[str, NDArray[Any]]


def _kind_of(about: dict[str, Any]) -> str:
    """The kind of a file by its JSON."""
    kind = about.get("kind", KIND)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, got {short(kind)}")
    return kind


def check_contents(tensors: Tensors, about: dict[str, Any]) -> str:
    """The file's kind, if it has all fields of it and no other one; ValueError or TypeError that names the field."""
    contents = _Contents(tensors, about)
    kind = _kind_of(about)
    contents.fields.discard("kind")
    contents.field("versions", check_versions)
    contents.fields.discard("checksum")
    if kind == "Encoder":
        _encoder(contents)
    elif kind == "StackEncoder":
        _stack_encoder(contents)
    elif kind == KSPARSE:
        _ksparse_encoder(contents)
    elif kind == KSPARSE_MODEL:
        _ksparse_autoencoder(contents)
    elif kind == KIND:
        _single_layer(contents, check_hyper_parameters)
    elif kind == DETECTOR:
        _detector(contents)
    elif kind == MONITOR:
        _monitor(contents)
    else:
        _stack(contents, kind)
    contents.field("format", one_of((format_of(about),)))
    contents.finish()
    return kind


class _Contents:
    """Tensors and fields, and which of them nobody has asked for yet."""

    def __init__(self, tensors: Tensors, about: dict[str, Any]) -> None:
        self.about = about
        self.fields = set(about)
        self._tensors = tensors
        self._left = set(tensors)

    def field(self, name: str, check: Check) -> Any:
        """A field, checked."""
        if name not in self.about:
            raise ValueError(f"{name} is missing")
        self.fields.discard(name)
        check(name, self.about[name])
        return self.about[name]

    def optional(self, name: str, check: Check) -> None:
        """A field that may be missing."""
        if name in self.about:
            self.field(name, check)

    def has(self, name: str) -> bool:
        """Is there such a tensor?"""
        return name in self._tensors

    def tensor(
        self,
        name: str,
        shape: Sequence[int | None],
        dtypes: Sequence[Any] = (np.float64,),
        low: float = -math.inf,
        high: float = math.inf,
        finite: bool = True,
    ) -> NDArray[Any]:
        """A tensor of one of the types and of this shape, None for a size >= 0 that is free; without NaN."""
        if name not in self._tensors:
            raise ValueError(f"{name} is missing")
        self._left.discard(name)
        array = self._tensors[name]
        if array.dtype not in dtypes:
            wanted = " or ".join(str(np.dtype(d)) for d in dtypes)
            raise TypeError(f"{name} must have dtype {wanted}, got {array.dtype}")
        fits = array.ndim == len(shape) and all(w in (None, n) for w, n in zip(shape, array.shape, strict=True))
        if not fits:
            sizes = ", ".join("n" if w is None else str(w) for w in shape)
            raise ValueError(f"{name} must have shape ({sizes}), got {array.shape}")
        if not np.isfinite(array).all() if finite else np.isnan(array).any():
            raise ValueError(f"{name} must be finite, got {'NaN' if np.isnan(array).any() else 'infinity'}")
        if array.size and not (low <= array.min() and array.max() <= high):
            raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {array.min():g} to {array.max():g}")
        return array

    def finish(self) -> None:
        """Nothing is left."""
        for what, names in (("tensor", self._left), ("field", self.fields)):
            if names:
                raise ValueError(f"it has a {what} {short(min(names))} that its kind has not")


def _encoder(contents: _Contents) -> None:
    contents.field("hidden", hidden_unit)
    n_visible = _layer(contents, "W1", "b1", None)[1]
    contents.optional("feature_names", names_of(n_visible))


def _stack_encoder(contents: _Contents) -> None:
    sizes, _ = _layers(contents, "encoder", contents.field("units", units_of(HIDDEN)), None, None)
    contents.optional("feature_names", names_of(sizes[0]))


def _ksparse_encoder(contents: _Contents) -> None:
    activation = contents.field("activation", one_of(tuple(KSPARSE_TENSORS)))
    n_latents, n_features, dtype = _layer(contents, "W_enc", "b_enc", None)
    n_outputs = contents.tensor("W_dec", (n_latents, None), (dtype,)).shape[1]
    if n_outputs == 0:
        raise ValueError("W_dec must have a column")
    contents.tensor("b_dec", (n_outputs,), (dtype,))
    for name in KSPARSE_TENSORS[activation]:
        one = activation == "batchtopk"
        contents.tensor(name, (1 if one else n_latents,), (np.float64 if one else dtype,), low=0 if one else -math.inf)
    contents.field("k", in_range(1, n_latents) if activation == "topk" else one_of((None,)))
    contents.field("apply_b_dec_to_input", one_of((True, False) if n_outputs == n_features else (False,)))
    contents.optional("normalize", one_of(KSPARSE_NORMALIZATIONS))
    contents.field("feature_names", names_of(n_features))


def _ksparse_autoencoder(contents: _Contents) -> None:
    _ksparse_encoder(contents)
    (n_iter,) = contents.tensor("history.loss", (None,)).shape
    if n_iter == 0:
        raise ValueError("history.loss must have a number for each epoch, at least one, got none")
    for name in ("fvu", "l0", "dead", "aux_loss", "learning_rate", "k"):
        contents.tensor(
            f"history.{name}", (n_iter,), low=0, high=1 if name == "dead" else math.inf, finite=name != "fvu"
        )
    contents.field("fitted", numbers(n_iter=check_integer, unit=check_unit))
    contents.field("hyper_parameters", check_ksparse_parameters)


def _single_layer(contents: _Contents, check_parameters: Check) -> None:
    contents.field("hidden", hidden_unit)
    contents.field("output", output_unit)
    n_hidden, n_visible, dtype = _layer(contents, "W1", "b1", None)
    contents.tensor("W2", (n_visible, n_hidden), (dtype,))
    contents.tensor("b2", (n_visible,), (dtype,))
    _loss(contents, contents.about["output"])
    _means(contents, "rho_hat", n_hidden, contents.about["hidden"])
    least, most = _reach(contents.about["hidden"])
    low, high = (contents.tensor(f"unit_{end}", (n_hidden,), low=least, high=most) for end in ("lowest", "highest"))
    if not np.all(low <= high):
        raise ValueError("unit_lowest must be <= unit_highest")
    (n_iter,) = contents.tensor("loss_curve", (None,), finite=False).shape
    contents.tensor("loss_parts", (n_iter, 3), finite=False)
    contents.field("fitted", numbers(n_iter=check_integer, cost=check_cost, rho=lambda _, value: check_rho(value)))
    contents.field("feature_names", names_of(n_visible))
    if "scale" in contents.about:
        _scale(contents, n_visible, dtype)
    contents.field("hyper_parameters", check_parameters)


def _detector(contents: _Contents) -> None:
    _single_layer(contents, check_detector_parameters)
    n_visible = contents.tensor("W1", (None, None), (np.float32, np.float64)).shape[1]
    contents.tensor("feature_scale", (n_visible,), low=0)
    contents.tensor("feature_mean", (n_visible,))
    scores = contents.tensor("calibration_scores", (None,), high=0, finite=False)
    if len(scores) == 0 or np.any(np.diff(scores) < 0):
        raise ValueError(f"calibration_scores must be sorted scores, at least one, got {len(scores)}")
    contents.field("offset", check_score)


def _monitor(contents: _Contents) -> None:
    if "units" in contents.about:
        (n_visible, *_, n_hidden) = _stack(contents, STACKS[0])
    else:
        _single_layer(contents, check_hyper_parameters)
        n_hidden, n_visible = contents.tensor("W1", (None, None), (np.float32, np.float64)).shape
    for name in ("mean", "low", "high"):
        contents.tensor(f"reference.{name}", (n_visible,))
    contents.tensor("reference.sd", (n_visible,), low=0)
    (n_edges, _) = contents.tensor("reference.edges", (None, n_visible)).shape
    contents.tensor("reference.shares", (n_edges + 1, n_visible), low=0, high=1)
    contents.tensor("reference.areas", (n_edges + 1, n_visible), low=0)
    contents.tensor("reference.rho_hat", (n_hidden,))
    contents.tensor("reference.unit_sd", (n_hidden,), low=0)
    (n_metrics,) = contents.tensor("reference.lower", (N_METRICS,)).shape
    contents.tensor("reference.upper", (n_metrics,))
    contents.tensor("reference.usual", (n_metrics,))
    (n_chunks, _) = contents.tensor("found.metrics", (None, n_metrics), low=-1, finite=False).shape
    contents.tensor("found.rho_hat", (n_chunks, n_hidden), low=-1, finite=False)
    contents.tensor("found.sizes", (n_chunks,), low=1, high=_MOST)
    contents.tensor("found.counts", (n_edges + 1, n_visible), low=0, high=_MOST)
    contents.tensor("found.areas", (n_edges + 1, n_visible), low=0, finite=False)
    contents.tensor("found.alerts", (n_metrics + 1,), low=0, high=_MOST)
    totals = contents.tensor("found.totals", (2,), low=0, high=_MOST)
    for name in ("chunk_size", "every", "history"):
        check_count(name, contents.field(name, check_integer))
    contents.optional("summed", one_of((16, 8, 4)))
    if not n_chunks <= min(totals[1], contents.about["history"]):
        raise ValueError(f"found.metrics must be of at most history and found.totals[1] chunks, got {n_chunks}")


def _loss(contents: _Contents, output: str) -> None:
    """What the reconstructions were judged by, where the format tells it."""
    if contents.about.get("format") not in (1, 2):
        check_loss(contents.field("loss", text), RECONSTRUCTION)
        if not serves(contents.about["loss"], output):
            raise ValueError(f"loss must be one that can be taken of {output} units, got {contents.about['loss']!r}")


def _scale(contents: _Contents, n_visible: int, dtype: np.dtype[Any]) -> None:
    scale = contents.field("scale", check_scale)
    if scale["kind"] == "minmax":
        contents.tensor("scale_minimum", (n_visible,))
        contents.tensor("scale_span", (n_visible,), low=0)
    elif scale["limit"] > float(np.finfo(dtype).max):
        raise ValueError(f"scale.limit must be a number that {dtype} holds, got {scale['limit']}")


def _stack(contents: _Contents, kind: str) -> list[int]:
    """Sizes of its layers, from the features up."""
    units = contents.field("units", units_of(HIDDEN))
    (n_visible, *sizes), dtype = _layers(contents, "encoder", units, None, None)
    if kind == "StackedAutoencoder":
        up = contents.field("output_units", units_of(OUTPUT, len(units)))
        _layers(contents, "decoder", up, [*reversed(sizes), n_visible], dtype)
        _loss(contents, up[-1])
    else:
        n_classes = len(labels(contents.field("classes", check_labels)))
        contents.tensor("head.W", (n_classes, sizes[-1]), (dtype,))
        contents.tensor("head.b", (n_classes,), (dtype,))
        contents.tensor("head_loss_curve", (None,), finite=False)
        if contents.has("validation_curve"):
            contents.tensor("validation_curve", (None,), finite=False)
    for k, size in enumerate(sizes):
        _means(contents, f"rho_hat.{k}", size, units[k])
        contents.tensor(f"loss_curve.{k}", (None,), finite=False)
    contents.tensor("fine_tune_loss_curve", (None,), finite=False)
    contents.field("fitted", numbers(n_iter=check_integer, cost=check_cost))
    contents.field("feature_names", names_of(n_visible))
    contents.field("hyper_parameters", check_stack_parameters(n_more=0 if kind == "StackedAutoencoder" else 1))
    return [n_visible, *sizes]


def _reach(unit: str) -> tuple[float, float]:
    """Between what the activations of a unit are, mapped to [0, 1] where they have bounds."""
    facts = UNITS[unit]
    return (0.0, 1.0) if facts.bounded else (facts.low, facts.high)


def _means(contents: _Contents, name: str, size: int, unit: str) -> None:
    low, high = _reach(unit)
    contents.tensor(name, (size,), low=low - _ROUNDING, high=high + _ROUNDING)


def _layer(
    contents: _Contents, W: str, b: str, n_in: int | None, n_out: int | None = None, dtype: Any = None
) -> tuple[int, int, np.dtype[Any]]:
    """Numbers of outputs and inputs of a layer, and its type."""
    found = contents.tensor(W, (n_out, n_in), (np.float32, np.float64) if dtype is None else (dtype,))
    if 0 in found.shape:
        raise ValueError(f"{W} must have no size of 0, got shape {found.shape}")
    contents.tensor(b, found.shape[:1], (found.dtype,))
    return found.shape[0], found.shape[1], found.dtype


def _layers(
    contents: _Contents, name: str, units: list[str], sizes: Sequence[int] | None, dtype: Any
) -> tuple[list[int], Any]:
    """Sizes of a chain of layers, of its input first, and their type."""
    found: list[int] = []
    for k in range(len(units)):
        below = found[-1] if found else None
        n_in, n_out = (below, None) if sizes is None else (sizes[k], sizes[k + 1])
        n_out, n_in, dtype = _layer(contents, f"{name}.{k}.W", f"{name}.{k}.b", n_in, n_out, dtype)
        found += [n_out] if found else [n_in, n_out]
    return found, dtype
