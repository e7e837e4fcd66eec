"""dictionary_learning's ``ae.pt``: the state dict of one of its classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._checkpoint import Arguments, Checkpoint, lengths, plain, to_unit_rows
from ._weight_files import Tensors


class _Class(NamedTuple):
    """Its tensors, those that it may have beside them, and the arguments that they are."""

    needs: tuple[str, ...]
    ignored: tuple[str, ...]
    make: Callable[[Checkpoint, Tensors], Arguments]


def dictionary_learning(found: Checkpoint) -> Arguments:
    """The class is told by ``config.json`` beside it, or by its tensors where only one has these."""
    trainer = found.config.get("trainer", found.config)
    told = trainer.get("dict_class") if isinstance(trainer, dict) else None
    names = set(found.tensors)
    fitting = [name for name, kind in _CLASSES.items() if set(kind.needs) <= names <= {*kind.needs, *kind.ignored}]
    if told is None and len(fitting) == 1:
        told = fitting[0]
    if told not in _CLASSES:
        got = (
            f"dict_class {told!r:.60}"
            if told is not None
            else f"no dict_class, which config.json beside it tells, and tensors {', '.join(sorted(names))}"
        )
        raise found.wrong(f"must be of a class among {', '.join(_CLASSES)}, got {got:.400}")
    kind = _CLASSES[told]
    made = kind.make(found, found.take(kind.needs, kind.ignored))
    if isinstance(trainer, dict):
        found._replace(config=trainer).sizes(made, "activation_dim", "dict_size")
    return made


def _relu(found: Checkpoint, t: Tensors) -> Arguments:
    """Its ``from_pretrained`` gives decoder rows length 1, unless all are near it."""
    made = plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["bias"])
    if not np.allclose(lengths(made["W_dec"]), 1):
        to_unit_rows(found, made)
    return made | {"activation": "relu"}


def _relu_new(found: Checkpoint, t: Tensors) -> Arguments:
    made = plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["decoder.bias"])
    return made | {"activation": "relu", "apply_b_dec_to_input": False}


def _top(found: Checkpoint, t: Tensors) -> Arguments:
    made = plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["b_dec"])
    k = found.scalar("k")
    return made | {"activation": "topk", "k": found._replace(config={"k": int(k) if k == int(k) else k}).count("k")}


def _batch_top(found: Checkpoint, t: Tensors) -> Arguments:
    made = plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["b_dec"])
    # -1 if training was too short to learn one: all that is positive fires
    return made | {"activation": "batchtopk", "threshold": max(found.scalar("threshold"), 0.0)}


def _matryoshka(found: Checkpoint, t: Tensors) -> Arguments:
    made = plain(t["W_enc"].T, t["b_enc"], t["W_dec"], t["b_dec"])
    if int(t["group_sizes"].sum()) != len(t["b_enc"]):
        raise found.wrong(f"must have group_sizes for {len(t['b_enc'])} latents, got {t['group_sizes'].tolist()!s:.80}")
    return made | {"activation": "batchtopk", "threshold": max(found.scalar("threshold"), 0.0)}


def _jumprelu(found: Checkpoint, t: Tensors) -> Arguments:
    made = plain(t["W_enc"].T, t["b_enc"], t["W_dec"], t["b_dec"])
    return made | {"activation": "jumprelu", "threshold": t["threshold"], "apply_b_dec_to_input": False}


def _gated(found: Checkpoint, t: Tensors) -> Arguments:
    made = plain(t["encoder.weight"], t["mag_bias"], t["decoder.weight"].T, t["decoder_bias"])
    return made | {"activation": "gated", "b_gate": t["gate_bias"], "r_mag": t["r_mag"]}


_LINEAR = ("encoder.weight", "encoder.bias", "decoder.weight")
_MATRICES = ("W_enc", "b_enc", "W_dec", "b_dec")
_GATED = ("encoder.weight", "decoder.weight", "decoder_bias", "gate_bias", "mag_bias", "r_mag")
_CLASSES = {
    "AutoEncoder": _Class((*_LINEAR, "bias"), (), _relu),
    "AutoEncoderNew": _Class((*_LINEAR, "decoder.bias"), (), _relu_new),
    "AutoEncoderTopK": _Class((*_LINEAR, "b_dec", "k"), ("threshold",), _top),  # which encode does not look at
    "BatchTopKSAE": _Class((*_LINEAR, "b_dec", "k", "threshold"), (), _batch_top),
    "MatryoshkaBatchTopKSAE": _Class((*_MATRICES, "k", "threshold", "group_sizes"), (), _matryoshka),
    "GatedAutoEncoder": _Class(_GATED, (), _gated),
    "JumpReluAutoEncoder": _Class((*_MATRICES, "threshold"), (), _jumprelu),
}
