"""SAELens' layout: a folder with ``cfg.json`` and ``sae_weights.safetensors``, of version 6 and before."""

from __future__ import annotations

import json
import os
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._atomic import replacing
from ..files._model_file import import_safetensors
from ._checkpoint import Arguments, Checkpoint, lengths, plain, scaled, to_unit_rows
from ._golden import write_golden

WEIGHTS, SETTINGS = "sae_weights.safetensors", "cfg.json"
_NORMALIZATIONS = {"layer_norm": "layer_norm", "constant_norm_rescale": "length"}
_BATCH = ("batchtopk", "matryoshka_batchtopk")
_TRANSCODERS = {"transcoder": "standard", "jumprelu_transcoder": "jumprelu"}
_SCALED = ("expected_average_only_in", True)  # samples are multiplied by a number that no file has


def saelens(found: Checkpoint, factor: float | None = None) -> Arguments:
    """Its ``encode`` and ``decode``; ``factor`` is what samples are multiplied by, where the settings tell of one."""
    config = found.config
    if not config:
        raise found.wrong(f"needs the settings of {SETTINGS} beside it, which tell the architecture, and has none")
    told = config.get("architecture", "standard")
    if told in ("skip_transcoder", "jumprelu_skip_transcoder"):
        raise found.no_counterpart(f"architecture {told!r}, whose outputs contain W_skip x")
    found.only(
        {
            "architecture": ("standard", "topk", "jumprelu", "gated", *_BATCH, *_TRANSCODERS),
            "normalize_activations": ("none", None, False, *_NORMALIZATIONS, *_SCALED),
            "reshape_activations": ("none", "hook_z", None),  # rows of heads one after another, as here
            "activation_fn": ("relu", "topk"),
            "activation_fn_str": ("relu", "topk"),
        }
    )
    kind = _TRANSCODERS.get(told, told)
    if "topk" in (config.get("activation_fn"), config.get("activation_fn_str")):
        if kind not in ("standard", "topk"):
            raise found.no_counterpart(f"architecture {told!r} with activation_fn 'topk'")
        kind = "topk"
    found, made = _weights(found, kind)
    if told in _TRANSCODERS:
        made["apply_b_dec_to_input"] = False
        if made["b_dec"].shape != (config.get("d_out", len(made["b_dec"])),):
            raise found.wrong(f"must have b_dec for d_out {config['d_out']!r:.60}, got shape {made['b_dec'].shape}")
    else:
        made["apply_b_dec_to_input"] = found.flag("apply_b_dec_to_input", True)
    found.sizes(made, "d_in", "d_sae")
    _normalise(found, made, factor)
    _rescale(found, kind, made)
    return made


def _weights(found: Checkpoint, kind: str) -> tuple[Checkpoint, Arguments]:
    """Arguments of the kind, with the factors of codes in the decoder."""
    needs = {"jumprelu": ("b_enc", "threshold"), "gated": ("b_gate", "b_mag", "r_mag")}.get(kind, ("b_enc",))
    if kind == "jumprelu" and "log_threshold" in found.tensors:  # while it is trained, by older versions
        tensors = dict(found.tensors)
        tensors["threshold"] = np.exp(tensors.pop("log_threshold"))
        found = found._replace(tensors=tensors)
    if kind in _BATCH:
        needs = "b_enc", "topk_threshold" if "topk_threshold" in found.tensors else "threshold"
    found, factor = _without_factor(found)
    t = found.take(("W_enc", "W_dec", "b_dec", *needs))
    made = plain(t["W_enc"].T, t["b_mag" if kind == "gated" else "b_enc"], t["W_dec"], t["b_dec"])
    if factor is not None:
        made["W_dec"] = scaled(made["W_dec"], np.asarray(factor)[:, None])
        found.folded.append("a factor on the codes of each latent, into the decoder")
    if kind in _BATCH and t[needs[1]].size == 1:
        return found, made | {"activation": "batchtopk", "threshold": max(found.scalar(needs[1]), 0.0)}
    if kind in ("jumprelu", *_BATCH):
        return found, made | {"activation": "jumprelu", "threshold": t[needs[1]]}
    if kind == "gated":
        return found, made | {"activation": "gated", "b_gate": t["b_gate"], "r_mag": t["r_mag"]}
    if kind == "standard":
        return found, made | {"activation": "relu"}
    kwargs = found.config.get("activation_fn_kwargs")
    settings = found.config if "k" in found.config or not isinstance(kwargs, dict) else kwargs
    return found, made | {"activation": "topk", "k": found._replace(config=settings).count("k")}


def _without_factor(found: Checkpoint) -> tuple[Checkpoint, Any]:
    """SAELens' factors that codes are multiplied by before they are decoded; the decoder takes them up."""
    tensors = dict(found.tensors)
    given = [tensors.pop(name) for name in ("scaling_factor", "finetuning_scaling_factor") if name in tensors]
    rest = found._replace(tensors=tensors)
    if not given or all(np.allclose(factor, 1) for factor in given):
        return rest, None
    if len(given) > 1 or not found.config.get("finetuning_scaling_factor"):
        raise found.wrong("has a scaling_factor, of which its settings say nothing")
    if given[0].shape != tensors["W_dec"].shape[:1]:
        raise found.wrong(f"must have a scaling_factor for each latent, got shape {given[0].shape}")
    return rest, given[0]


def _normalise(found: Checkpoint, made: Arguments, factor: float | None) -> None:
    how = found.config.get("normalize_activations")
    if how in _SCALED:
        if factor is None:
            raise found.wrong(
                f"has normalize_activations {how!r}: samples are multiplied by a factor, sqrt(d_in) over their mean "
                "length, which is in none of its files; give it as norm_scaling_factor"
            )
        number = found.number("norm_scaling_factor", factor)
        made["W_enc"] = scaled(made["W_enc"], number)
        made["W_dec"], made["b_dec"] = scaled(made["W_dec"], 1 / number), scaled(made["b_dec"], 1 / number)
        found.folded.append(f"the factor {number:g} on samples, into the weights and b_dec")
    elif factor is not None:
        raise found.wrong(f"needs no norm_scaling_factor: it has normalize_activations {how!r}")
    elif how in _NORMALIZATIONS:
        made["normalize"] = _NORMALIZATIONS[how]


def _rescale(found: Checkpoint, kind: str, made: Arguments) -> None:
    """Codes times the lengths of the decoder rows, among which the largest are sought."""
    name = "rescale_acts_by_decoder_norm"
    if kind in _BATCH and name not in found.config and not np.allclose(lengths(made["W_dec"]), 1):
        raise found.wrong(f"must have {name}: without it, and with these decoder rows, codes are not known")
    if found.flag(name, False):
        if kind not in ("topk", *_BATCH):
            raise found.no_counterpart(f"{name} with architecture {found.config.get('architecture')!r}")
        to_unit_rows(found, made)


def write_saelens(encoder: Any, path: str | PathLike[str], golden: NDArray[Any] | None) -> None:
    """A folder that :meth:`SAE.load_from_disk` of SAELens reads; with samples and their codes, where they are given."""
    settings = settings_of(encoder)
    data = import_safetensors().save({name: np.ascontiguousarray(a) for name, a in tensors_of(encoder).items()})
    folder = Path(os.fsdecode(path))
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"path must be a folder for format='saelens', and {folder} is a file")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as weights, replacing(folder / SETTINGS) as about:
        weights.write(data)
        about.write(json.dumps(settings, indent=2).encode())
    if golden is not None:
        write_golden(encoder, folder, golden)


def settings_of(encoder: Any) -> dict[str, Any]:
    """``cfg.json``, in the words of version 6."""
    transcodes = encoder.n_outputs != encoder.n_features
    kinds = {"topk": "topk", "batchtopk": "jumprelu", "jumprelu": "jumprelu", "relu": "standard", "gated": "gated"}
    kind = kinds[encoder.activation]
    if transcodes:
        names = {base: name for name, base in _TRANSCODERS.items()}
        if kind not in names:
            raise ValueError(
                f"the encoder must be relu, batchtopk or jumprelu to be a transcoder of SAELens, got "
                f"{encoder.activation}"
            )
        kind = names[kind]
    told = {ours: theirs for theirs, ours in _NORMALIZATIONS.items()} | {None: "none"}
    about: dict[str, Any] = {
        "d_in": encoder.n_features,
        "d_sae": encoder.n_latents,
        "dtype": str(encoder.dtype),
        "device": "cpu",
        "apply_b_dec_to_input": encoder.apply_b_dec_to_input,
        "normalize_activations": told[encoder.normalize],
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.0.0", "sae_lens_training_version": None},
        "architecture": kind,
    }
    if transcodes:
        about["d_out"] = encoder.n_outputs
    if kind == "topk":
        about |= {"k": encoder.k, "rescale_acts_by_decoder_norm": False}
    return about


def tensors_of(encoder: Any) -> dict[str, Any]:
    """``sae_weights.safetensors``."""
    found = {"W_enc": encoder.W_enc.T, "W_dec": encoder.W_dec, "b_dec": encoder.b_dec}
    if encoder.activation == "gated":
        return found | {"b_mag": encoder.b_enc, "b_gate": encoder.b_gate, "r_mag": encoder.r_mag}
    if encoder.threshold is not None:
        found["threshold"] = np.broadcast_to(np.asarray(encoder.threshold, encoder.dtype), (encoder.n_latents,))
    return found | {"b_enc": encoder.b_enc}
