"""load_sae: sparse autoencoders that other packages trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .._public import public_in
from ..files._model_file import ModelFileError
from . import _layouts
from ._encoder import KSparseEncoder
from ._layouts import Checkpoint
from ._torch_file import read_torch
from ._weight_files import Tensors, read_json, read_npz, read_safetensors, read_sharded

_LAYOUTS: dict[str, Callable[[Checkpoint], dict[str, Any]]] = {
    "saelens": _layouts.saelens,
    "sparsify": _layouts.sparsify,
    "sentence-transformers": _layouts.sentence_transformers,
    "gemma-scope": _layouts.gemma_scope,
    "dictionary_learning": _layouts.dictionary_learning,
    "openai": _layouts.openai,
}
FORMATS = ("auto", "sae_fast", *_LAYOUTS)
_CONFIGS = ("cfg.json", "config.json")
# In a folder, the first of them that is there.
_WEIGHTS = {
    "sae_weights.safetensors": "saelens",
    "sae.safetensors": "sparsify",
    "params.npz": "gemma-scope",
    "ae.pt": "dictionary_learning",
    "model.safetensors": "sentence-transformers",
    "model.safetensors.index.json": "sentence-transformers",
    "pytorch_model.bin": "sentence-transformers",
}


@public_in("sae_fast")
def load_sae(path: str | PathLike[str], format: str = "auto") -> KSparseEncoder:
    """Read a sparse autoencoder that another package trained, without that package and without torch.

    Parameters
    ----------
    path : path-like
        A folder as the package leaves it, or the file of weights in it, whose settings are read from ``cfg.json`` or
        ``config.json`` beside it.
    format : str
        Whose it is; by default told by names of files and tensors.

        ``"saelens"``
            SAELens, 6 and before: standard, topk, jumprelu and gated.
        ``"sparsify"``
            EleutherAI's sparsify: topk, also without ``b_dec`` at the input (transcoders).
        ``"sentence-transformers"``
            ``SparseAutoEncoder``, with the tied weight under either name.
        ``"gemma-scope"``
            ``params.npz`` of Gemma Scope.
        ``"dictionary_learning"``
            ``ae.pt`` of the classes AutoEncoder, AutoEncoderNew, AutoEncoderTopK, BatchTopKSAE, GatedAutoEncoder and
            JumpReluAutoEncoder.
        ``"openai"``
            The ``.pt`` files of Gao et al. with ReLU.
        ``"sae_fast"``
            What :meth:`KSparseEncoder.save` wrote.

    Returns
    -------
    KSparseEncoder
        In float32, or float64 if the weights are; half precision is widened, which loses nothing. Factors that codes
        are multiplied by (decoder norms, scaling factors) are folded into the weights.

    Raises
    ------
    ModelFileError
        A ``ValueError``: damaged, of an unknown layout, with missing or spare tensors, with objects that only running
        code could load, or with something that has no counterpart here, such as the normalisation of samples. Nothing
        is loaded half.
    ValueError
        No such ``format``.
    OSError
        A file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, sae_fast as sf
    >>> rng, path = np.random.default_rng(0), pathlib.Path(tempfile.mkdtemp(), "params.npz")
    >>> W = rng.normal(size=(8, 32)).astype(np.float32)
    >>> bias, threshold = np.zeros(32, np.float32), np.full(32, 3, np.float32)
    >>> np.savez(path, W_enc=W, W_dec=W.T, b_enc=bias, b_dec=bias[:8], threshold=threshold)
    >>> encoder = sf.load_sae(path)
    >>> encoder.activation, encoder.n_latents
    ('jumprelu', 32)
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    place = Path(os.fsdecode(path))
    weights = _weights(place)
    if format == "sae_fast":
        return KSparseEncoder.load(weights)
    found = _read(weights)
    kind = _recognised(weights, found) if format == "auto" else format
    if kind == "sae_fast":
        return KSparseEncoder.load(weights)
    made = _LAYOUTS[kind](found)
    arrays = [name for name, value in made.items() if isinstance(value, np.ndarray)]
    dtype = np.result_type(np.float32, *(made[name].dtype for name in arrays if made[name].dtype.kind == "f"))
    made |= {name: np.ascontiguousarray(made[name], dtype) for name in arrays}
    try:
        return KSparseEncoder(**made)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{weights} does not hold a whole {kind} model: {str(error)[:300]}") from error


def _weights(place: Path) -> Path:
    if not place.is_dir():
        return place
    held = next((name for name in _WEIGHTS if (place / name).exists()), None)
    if held is None:
        raise ModelFileError(
            f"{place} must hold one of {', '.join(_WEIGHTS)}; it has {', '.join(_some(place)) or 'nothing'}"
        )
    return place / held


def _some(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))[:10]


def _read(weights: Path) -> Checkpoint:
    config: dict[str, Any] = {}
    for name in _CONFIGS:
        if (weights.parent / name).exists():
            config = read_json(weights.parent / name)
            break
    others: dict[str, Any] = {}
    tensors: Tensors
    if weights.name.endswith(".index.json"):
        tensors = read_sharded(weights)
    elif weights.suffix == ".safetensors":
        tensors = read_safetensors(weights)
    elif weights.suffix == ".npz":
        tensors = read_npz(weights)
    elif weights.suffix in (".pt", ".pth", ".bin"):
        state = read_torch(weights)
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise ModelFileError(f"{weights} must hold a state dict, got {type(state).__name__}")
        tensors = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        others = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    else:
        raise ModelFileError(f"{weights} must end in .safetensors, .npz, .pt, .pth or .bin, or be a folder")
    return Checkpoint(str(weights), config, tensors, others)


def _recognised(weights: Path, found: Checkpoint) -> str:
    names = set(found.tensors)
    if "pre_bias" in names:
        return "openai" if weights.suffix == ".pt" else "sentence-transformers"
    if weights.name in _WEIGHTS and _WEIGHTS[weights.name] != "sentence-transformers":
        return _WEIGHTS[weights.name]
    if weights.suffix == ".npz":
        return "gemma-scope"
    if weights.suffix in (".pt", ".pth"):
        return "dictionary_learning"
    if {"W_enc", "b_enc", "W_dec", "b_dec"} <= names and not found.config:
        return "sae_fast"
    raise ModelFileError(
        f"{weights} has a layout that is not known: tensors {', '.join(sorted(names)):.300}; say whose it is by format="
    )
