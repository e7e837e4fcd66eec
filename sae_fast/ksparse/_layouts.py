"""Checkpoints of other packages as the arguments of a KSparseEncoder: what each holds, and what of it can be mapped.

A layout names every tensor and every setting that has a meaning for codes. What it does not know, or knows to have no
counterpart, is an error: a code that is nearly right is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._checkpoint import Arguments, Checkpoint, plain
from ._dictionary_learning import dictionary_learning
from ._llama_scope import llama_scope
from ._saelens import saelens


def openai(found: Checkpoint) -> Arguments:
    """``activation(W (x - pre_bias) + latent_bias)`` of Gao et al.; with TopK samples are layer-normalised first."""
    ignored = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
    t = found.take(("pre_bias", "latent_bias", "encoder.weight", "decoder.weight"), ignored)
    made = plain(t["encoder.weight"], t["latent_bias"], t["decoder.weight"].T, t["pre_bias"])
    activation = found.others.get("activation", "ReLU")
    if activation == "ReLU":
        return made | {"activation": "relu"}
    held = found.others.get("activation_state_dict")
    state: dict[str, Any] = held if isinstance(held, dict) else {}
    if activation != "TopK" or state.get("postact_fn") != "ReLU":
        raise found.no_counterpart(f"activation {activation!r:.60} with postact_fn {state.get('postact_fn')!r:.60}")
    k = found._replace(config=state).count("k")
    return made | {"activation": "topk", "k": k, "normalize": "layer_norm"}


def sparsify(found: Checkpoint) -> Arguments:
    """EleutherAI's ``topk(W (x - b_dec) + b)``; a transcoder does not subtract ``b_dec``."""
    found.only(
        {
            "activation": ("topk",),
            "skip_connection": (False,),
            "embed_skip": (False,),
            "gram_lookup": (False,),
            "signed": (False,),
        }
    )
    t = found.take(("encoder.weight", "encoder.bias", "W_dec", "b_dec"))
    made = plain(t["encoder.weight"], t["encoder.bias"], t["W_dec"], t["b_dec"])
    found.sizes(made, "d_in")
    subtracts = not found.flag("transcode", False)
    return made | {"activation": "topk", "k": found.count("k"), "apply_b_dec_to_input": subtracts}


def sentence_transformers(found: Checkpoint) -> Arguments:
    """``SparseAutoEncoder``: ``topk(W (x - pre_bias) + latent_bias)``, with ``W`` under one name or two."""
    t = dict(found.tensors)
    names = [name for name in ("encoder.weight", "decoder.linear.weight", "decoder.weight") if name in t]
    if names:
        W = t.pop(names[0])
        if not all(np.array_equal(t.pop(name), W) for name in names[1:]):
            raise found.wrong(f"must have one weight under the names {', '.join(names)}, got several")
        t["encoder.weight"] = W
    t = found._replace(tensors=t).take(("pre_bias", "encoder.weight", "latent_bias"), ("stats_last_nonzero",))
    made = plain(t["encoder.weight"], t["latent_bias"], t["encoder.weight"], t["pre_bias"])
    found.sizes(made, "input_dim", "hidden_dim")
    how = {"normalize": "layer_norm"} if found.flag("normalize", False) else {}
    return made | how | {"activation": "topk", "k": found.count("k")}


def gemma_scope(found: Checkpoint) -> Arguments:
    """``z (z > threshold)`` with ``z = x W_enc + b_enc``; ``params.npz``."""
    renamed = {f"W_{n[2:]}" if n.startswith("w_") else n: array for n, array in found.tensors.items()}
    t = found._replace(tensors=renamed).take(("W_enc", "b_enc", "W_dec", "b_dec", "threshold"))
    made = plain(t["W_enc"].T, t["b_enc"], t["W_dec"], t["b_dec"])
    return made | {"activation": "jumprelu", "threshold": t["threshold"], "apply_b_dec_to_input": False}


def hypothesaes(found: Checkpoint) -> Arguments:
    """HypotheSAEs: ``topk(W (x - input_bias) + neuron_bias)``, or what exceeds the threshold that it has learned."""
    t = found.take(("encoder.weight", "decoder.weight", "input_bias", "neuron_bias"), ("threshold",))
    made = plain(t["encoder.weight"], t["neuron_bias"], t["decoder.weight"].T, t["input_bias"])
    found.sizes(made, "input_dim", "m_total_neurons")
    if not found.flag("use_batch_topk", False):
        return made | {"activation": "topk", "k": found.count("k_active_neurons")}
    if "threshold" not in found.tensors:
        raise found.wrong("lacks the tensors threshold, which use_batch_topk needs")
    return made | {"activation": "batchtopk", "threshold": max(found.scalar("threshold"), 0.0)}


LAYOUTS: dict[str, Callable[[Checkpoint], Arguments]] = {
    "saelens": saelens,
    "sparsify": sparsify,
    "sentence-transformers": sentence_transformers,
    "gemma-scope": gemma_scope,
    "llama-scope": llama_scope,
    "dictionary_learning": dictionary_learning,
    "openai": openai,
    "hypothesaes": hypothesaes,
}
