"""Checkpoints of other packages as the arguments of a KSparseEncoder: what each holds, and what of it can be mapped.

A layout names every tensor and every setting that has a meaning for codes. What it does not know, or knows to have no
counterpart, is an error: a code that is nearly right is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files._model_file import ModelFileError
from ._weight_files import Tensors


class Checkpoint(NamedTuple):
    """What was read: a name for errors, settings, tensors, and what else a state dict held."""

    name: str
    config: Mapping[str, Any]
    tensors: Tensors
    others: Mapping[str, Any]


def openai(found: Checkpoint) -> dict[str, Any]:
    """``activation(W (x - pre_bias) + latent_bias)`` of Gao et al.; with TopK the samples were layer-normalised."""
    ignored = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
    t = _tensors(found, ("pre_bias", "latent_bias", "encoder.weight", "decoder.weight"), ignored)
    activation = found.others.get("activation", "ReLU")
    if activation != "ReLU":
        raise _no_counterpart(
            found, f"activation {activation!r}, which normalises each sample to mean 0 and variance 1"
        )
    return _plain(t["encoder.weight"], t["latent_bias"], t["decoder.weight"].T, t["pre_bias"]) | {"activation": "relu"}


def sparsify(found: Checkpoint) -> dict[str, Any]:
    """EleutherAI's ``topk(W (x - b_dec) + b)``; a transcoder does not subtract ``b_dec``."""
    t = _tensors(found, ("encoder.weight", "encoder.bias", "W_dec", "b_dec"))
    _only(found, {"activation": ("topk",), "skip_connection": (False,), "signed": (False,)})
    made = _plain(t["encoder.weight"], t["encoder.bias"], t["W_dec"], t["b_dec"])
    subtracts = not found.config.get("transcode", False)
    return made | {"activation": "topk", "k": _count(found, "k"), "apply_b_dec_to_input": subtracts}


def sentence_transformers(found: Checkpoint) -> dict[str, Any]:
    """``SparseAutoEncoder``: ``topk(W (x - pre_bias) + latent_bias)``, with ``W`` under one name or two."""
    t = dict(found.tensors)
    names = [name for name in ("encoder.weight", "decoder.linear.weight", "decoder.weight") if name in t]
    if names:
        W = t.pop(names[0])
        if not all(np.array_equal(t.pop(name), W) for name in names[1:]):
            raise ModelFileError(f"{found.name} must have one weight under the names {', '.join(names)}, got several")
        t["encoder.weight"] = W
    t = _tensors(found._replace(tensors=t), ("pre_bias", "encoder.weight", "latent_bias"), ("stats_last_nonzero",))
    _only(found, {"normalize": (False,)})
    made = _plain(t["encoder.weight"], t["latent_bias"], t["encoder.weight"], t["pre_bias"])
    return made | {"activation": "topk", "k": _count(found, "k")}


def gemma_scope(found: Checkpoint) -> dict[str, Any]:
    """``z (z > threshold)`` with ``z = x W_enc + b_enc``; ``params.npz``."""
    renamed = {f"W_{n[2:]}" if n.startswith("w_") else n: array for n, array in found.tensors.items()}
    t = _tensors(found._replace(tensors=renamed), ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"))
    made = _plain(t["W_enc"].T, t["b_enc"], t["W_dec"], t["b_dec"])
    return made | {"activation": "jumprelu", "threshold": t["threshold"], "apply_b_dec_to_input": False}


def saelens(found: Checkpoint) -> dict[str, Any]:
    """SAELens 6 and before: standard, topk, jumprelu (batchtopk is saved as that) and gated."""
    config = found.config
    kind = config.get("architecture", "standard")
    _only(
        found,
        {
            "architecture": ("standard", "topk", "jumprelu", "gated"),
            "normalize_activations": ("none", None, False),
            "reshape_activations": ("none",),
            "activation_fn": ("relu", "topk"),
            "activation_fn_str": ("relu", "topk"),
            "rescale_acts_by_decoder_norm": (False,),
        },
    )
    words = {config.get("activation_fn"), config.get("activation_fn_str")}
    if "topk" in words and kind == "standard":
        kind = "topk"
    needs = {"jumprelu": ("b_enc", "threshold"), "gated": ("b_gate", "b_mag", "r_mag")}.get(kind, ("b_enc",))
    tensors, factor = _without_factor(found)
    t = _tensors(found._replace(tensors=tensors), ("W_enc", "W_dec", "b_dec", *needs))
    b_enc = t["b_mag"] if kind == "gated" else t["b_enc"]
    made = _plain(t["W_enc"].T, b_enc, t["W_dec"] if factor is None else t["W_dec"] * factor[:, None], t["b_dec"])
    made["apply_b_dec_to_input"] = _flag(found, "apply_b_dec_to_input", True)
    if kind == "topk":
        kwargs = config.get("activation_fn_kwargs")
        settings = config if "k" in config or not isinstance(kwargs, dict) else kwargs
        return made | {"activation": "topk", "k": _count(found._replace(config=settings), "k")}
    if kind == "jumprelu":
        return made | {"activation": "jumprelu", "threshold": t["threshold"]}
    if kind == "gated":
        return made | {"activation": "gated", "b_gate": t["b_gate"], "r_mag": t["r_mag"]}
    return made | {"activation": "relu"}


def _without_factor(found: Checkpoint) -> tuple[Tensors, NDArray[Any] | None]:
    """SAELens' factors that codes are multiplied by before they are decoded; the decoder takes them up."""
    tensors = dict(found.tensors)
    given = [tensors.pop(name) for name in ("scaling_factor", "finetuning_scaling_factor") if name in tensors]
    if not given or all(np.allclose(factor, 1) for factor in given):
        return tensors, None
    if len(given) > 1 or not found.config.get("finetuning_scaling_factor"):
        raise ModelFileError(f"{found.name} has a scaling_factor, of which its settings say nothing")
    return tensors, given[0]


def dictionary_learning(found: Checkpoint) -> dict[str, Any]:
    """``ae.pt``: the class is told by ``config.json`` beside it, or by its tensors where only one has these."""
    trainer = found.config.get("trainer", found.config)
    told = trainer.get("dict_class") if isinstance(trainer, dict) else None
    names = set(found.tensors)
    fitting = [kind for kind, (needs, _) in _DICTIONARIES.items() if set(needs) == names]
    if told is None and len(fitting) == 1:
        told = fitting[0]
    if told not in _DICTIONARIES:
        got = (
            f"dict_class {told!r:.60}" if told is not None else f"no dict_class, and tensors {', '.join(sorted(names))}"
        )
        raise ModelFileError(f"{found.name} must be of a class among {', '.join(_DICTIONARIES)}, got {got:.400}")
    needs, make = _DICTIONARIES[told]
    return make(found, _tensors(found, needs))


def _relu(found: Checkpoint, t: Tensors) -> dict[str, Any]:
    """Its ``from_pretrained`` gives decoder rows length 1, and codes what the rows lose, unless all are near it."""
    W_dec = t["decoder.weight"].T
    norm = lengths(W_dec)
    if np.allclose(norm, 1):
        norm = np.ones_like(norm)
    elif not (norm > 0).all():
        raise ModelFileError(f"{found.name} has a decoder row of length 0, which is to get length 1")
    scaled = t["encoder.weight"] * norm[:, None], t["encoder.bias"] * norm, W_dec / norm[:, None]
    return _plain(*scaled, t["bias"]) | {"activation": "relu"}


def _relu_new(found: Checkpoint, t: Tensors) -> dict[str, Any]:
    made = _plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["decoder.bias"])
    return made | {"activation": "relu", "apply_b_dec_to_input": False}


def _top(found: Checkpoint, t: Tensors) -> dict[str, Any]:
    made = _plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["b_dec"])
    k = _scalar(found, t, "k")
    return made | {"activation": "topk", "k": _count(found._replace(config={"k": int(k) if k == int(k) else k}), "k")}


def _batch_top(found: Checkpoint, t: Tensors) -> dict[str, Any]:
    made = _plain(t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["b_dec"])
    threshold = _scalar(found, t, "threshold")  # -1 if training was too short to learn one: all that is positive fires
    return made | {"activation": "batchtopk", "threshold": max(threshold, 0.0)}


def _jumprelu(found: Checkpoint, t: Tensors) -> dict[str, Any]:
    made = _plain(t["W_enc"].T, t["b_enc"], t["W_dec"], t["b_dec"])
    return made | {"activation": "jumprelu", "threshold": t["threshold"], "apply_b_dec_to_input": False}


def _gated(found: Checkpoint, t: Tensors) -> dict[str, Any]:
    made = _plain(t["encoder.weight"], t["mag_bias"], t["decoder.weight"].T, t["decoder_bias"])
    return made | {"activation": "gated", "b_gate": t["gate_bias"], "r_mag": t["r_mag"]}


_LINEAR = ("encoder.weight", "encoder.bias", "decoder.weight")
_DICTIONARIES: dict[str, tuple[tuple[str, ...], Callable[[Checkpoint, Tensors], dict[str, Any]]]] = {
    "AutoEncoder": ((*_LINEAR, "bias"), _relu),
    "AutoEncoderNew": ((*_LINEAR, "decoder.bias"), _relu_new),
    "AutoEncoderTopK": ((*_LINEAR, "b_dec", "k", "threshold"), _top),
    "BatchTopKSAE": ((*_LINEAR, "b_dec", "k", "threshold"), _batch_top),
    "GatedAutoEncoder": (
        ("encoder.weight", "decoder.weight", "decoder_bias", "gate_bias", "mag_bias", "r_mag"),
        _gated,
    ),
    "JumpReluAutoEncoder": (("W_enc", "b_enc", "W_dec", "b_dec", "threshold"), _jumprelu),
}


def _tensors(found: Checkpoint, needs: Iterable[str], ignored: Iterable[str] = ()) -> Tensors:
    """These and no others."""
    wanted, names = set(needs), set(found.tensors)
    for words, wrong in (("lacks", wanted - names), ("has, beyond what is understood,", names - wanted - set(ignored))):
        if wrong:
            raise ModelFileError(f"{found.name} {words} the tensors {', '.join(sorted(wrong)):.300}")
    return {name: found.tensors[name] for name in wanted}


def _plain(W_enc: NDArray[Any], b_enc: NDArray[Any], W_dec: NDArray[Any], b_dec: NDArray[Any]) -> dict[str, Any]:
    return {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}


def _only(found: Checkpoint, allowed: Mapping[str, tuple[Any, ...]]) -> None:
    """Settings that have a counterpart."""
    for name, values in allowed.items():
        value = found.config.get(name, values[0])
        if not any(value is v or (type(value) is type(v) and value == v) for v in values):
            raise _no_counterpart(found, f"{name} {value!r:.60}")


def _no_counterpart(found: Checkpoint, what: str) -> ModelFileError:
    return ModelFileError(f"{found.name} has {what}: there is no encoder of this package that computes the same")


def _flag(found: Checkpoint, name: str, default: bool) -> bool:
    value = found.config.get(name, default)
    if not isinstance(value, bool):
        raise ModelFileError(f"{found.name}: {name} must be true or false, got {value!r:.60}")
    return value


def _count(found: Checkpoint, name: str) -> int:
    value = found.config.get(name)
    if type(value) is not int or value < 1:
        raise ModelFileError(f"{found.name}: {name} must be an integer >= 1, got {value!r:.60}")
    return value


def _scalar(found: Checkpoint, tensors: Tensors, name: str) -> float:
    array = tensors[name]
    if array.size != 1 or not np.isfinite(array).all():
        raise ModelFileError(f"{found.name}: {name} must be one finite number, got shape {array.shape}")
    return float(array.reshape(()))


def lengths(rows: NDArray[Any]) -> NDArray[Any]:
    """Of rows, in their type."""
    found: NDArray[Any] = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=-1)).astype(rows.dtype)
    return found
