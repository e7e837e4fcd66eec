"""Llama Scope: ``hyperparams.json`` and ``checkpoints/final.safetensors``, as OpenMOSS' lm_saes of 2024 wrote them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._checkpoint import Arguments, Checkpoint, plain, scaled, to_unit_rows


def llama_scope(found: Checkpoint) -> Arguments:
    """What that version's ``SparseAutoEncoder.from_pretrained`` computes, which folds as is done here.

    Biases are divided by what samples would be multiplied with, so that codes and reconstructions are in the units of
    samples; thresholds are of codes in these units.
    """
    config = found.config
    for name in ("act_fn", "norm_activation"):
        if name not in config:
            raise found.wrong(
                f"must have {name} in its hyperparams.json, which tells of {', '.join(config) or 'nothing'}"
            )
    found.only(
        {
            "use_glu_encoder": (False,),
            "act_fn": ("jumprelu", "relu", "topk"),
            "norm_activation": ("none", "inference", "token-wise", "dataset-wise"),
        }
    )
    has_bias = found.flag("use_decoder_bias", True)
    t = found.take(("encoder.weight", "encoder.bias", "decoder.weight", *(["decoder.bias"] if has_bias else [])))
    W_dec = t["decoder.weight"].T
    b_dec = t["decoder.bias"] if has_bias else np.zeros(W_dec.shape[-1:], W_dec.dtype)
    made = plain(t["encoder.weight"], t["encoder.bias"], W_dec, b_dec)
    made["apply_b_dec_to_input"] = has_bias and found.flag("apply_decoder_bias_to_pre_encoder", True)
    found.sizes(made, "d_model", "d_sae")
    if config["norm_activation"] == "token-wise":
        made["normalize"] = "length"
    elif config["norm_activation"] == "dataset-wise":
        _standardise(found, made)
    if found.flag("sparsity_include_decoder_norm", True):
        to_unit_rows(found, made)
    return made | _selection(found, len(made["b_enc"]), made["W_enc"].dtype)


def _standardise(found: Checkpoint, made: Arguments) -> None:
    held = found.config.get("dataset_average_activation_norm")
    norms: dict[str, Any] = held if isinstance(held, dict) else {}
    name = "dataset_average_activation_norm"
    into, out = (
        math.sqrt(made["W_enc"].shape[1]) / found.number(f"{name}[{end!r}]", norms.get(end)) for end in ("in", "out")
    )
    made["b_enc"] = scaled(made["b_enc"], 1 / into)
    made["b_dec"] = scaled(made["b_dec"], 1 / out)
    made["W_dec"] = scaled(made["W_dec"], into / out)
    found.folded.append(
        f"the mean lengths of samples and outputs, factors {into:g} and {out:g}, into biases and decoder"
    )


def _selection(found: Checkpoint, n_latents: int, dtype: Any) -> Arguments:
    how = found.config["act_fn"]
    threshold = found.config.get("jump_relu_threshold", 0.0)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold < math.inf:
        raise found.wrong(f"must have jump_relu_threshold a number >= 0, got {threshold!r:.60}")
    if how == "jumprelu" or (how == "topk" and threshold > 0):  # its own from_pretrained takes the threshold then
        return {"activation": "jumprelu", "threshold": np.full(n_latents, threshold, dtype)}
    return {"activation": "relu"} if how == "relu" else {"activation": "topk", "k": found.count("top_k")}
