"""load_sae: sparse autoencoders that other packages trained."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._public import public_in
from ..files._model_file import ModelFileError
from ._checkpoint import Checkpoint
from ._encoder import KSparseEncoder
from ._golden import NAME, check_golden
from ._layouts import LAYOUTS
from ._saelens import saelens
from ._torch_file import read_torch
from ._weight_files import Tensors, parse_list, read_json, read_npz, read_safetensors, read_sharded

FORMATS = ("auto", "sae_fast", *LAYOUTS)
_HYPER = "hyperparams.json"
_CONFIGS = ("cfg.json", "config.json", _HYPER)
# In a folder, the first of them that is there.
_WEIGHTS = {
    "sae_weights.safetensors": "saelens",
    "sae.safetensors": "sparsify",
    "params.npz": "gemma-scope",
    "ae.pt": "dictionary_learning",
    "checkpoints/final.safetensors": "llama-scope",
    "model.safetensors": "sentence-transformers",
    "model.safetensors.index.json": "sentence-transformers",
    "pytorch_model.bin": "sentence-transformers",
}


class Loaded(NamedTuple):
    """An encoder, file and format of its weights, what was folded into them, and samples whose codes were compared."""

    encoder: KSparseEncoder
    weights: Path
    format: str
    folded: list[str]
    n_golden: int


@public_in("sae_fast")
def load_sae(
    path: str | PathLike[str], format: str = "auto", *, norm_scaling_factor: float | None = None
) -> KSparseEncoder:
    """Read a sparse autoencoder that another package trained, without that package and without torch.

    Parameters
    ----------
    path : path-like
        A folder as the package leaves it, or the file of weights in it, whose settings are read from ``cfg.json`` or
        ``config.json`` beside it.
    format : str
        Whose it is; by default told by names of files and tensors.

        ``"saelens"``
            SAELens, 6 and before: standard, topk, batchtopk, jumprelu, gated, transcoders without skip connection.
        ``"sparsify"``
            EleutherAI's sparsify: topk, also without ``b_dec`` at the input (transcoders).
        ``"sentence-transformers"``
            ``SparseAutoEncoder``, with the tied weight under either name.
        ``"gemma-scope"``
            ``params.npz`` of Gemma Scope.
        ``"llama-scope"``
            ``hyperparams.json`` and ``checkpoints/final.safetensors`` of Llama Scope, 2024.
        ``"dictionary_learning"``
            ``ae.pt`` of the classes AutoEncoder, AutoEncoderNew, AutoEncoderTopK, BatchTopKSAE, MatryoshkaBatchTopKSAE,
            GatedAutoEncoder and JumpReluAutoEncoder.
        ``"openai"``
            The ``.pt`` files of Gao et al., with ReLU or TopK.
        ``"hypothesaes"``
            The ``.pt`` files of HypotheSAEs.
        ``"sae_fast"``
            What :meth:`KSparseEncoder.save` wrote.
    norm_scaling_factor : float, optional
        Of SAELens' files with ``normalize_activations`` of ``"expected_average_only_in"``, which lack it: what samples
        are multiplied by, ``sqrt(n_features)`` over their mean length.

    Returns
    -------
    KSparseEncoder
        In float32, or float64 if the weights are; half precision is widened, which loses nothing. Factors (decoder
        norms, scaling factors) are folded into the weights; ``sae-fast info`` tells which.

    Raises
    ------
    ModelFileError
        A ``ValueError``: damaged, of an unknown layout, with missing or spare tensors, with objects that only running
        code could load, or with something that has no counterpart here, such as a skip connection; or its codes are not
        those of ``golden.npz`` beside it, where there is one. Nothing is loaded half.
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
    return read_sae(path, format, norm_scaling_factor).encoder


def read_sae(path: str | PathLike[str], format: str = "auto", norm_scaling_factor: float | None = None) -> Loaded:
    """What :func:`load_sae` loads, and what there is to tell of it."""
    if not isinstance(format, str) or format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    place = Path(os.fsdecode(path))
    weights = _weights(place)
    found = None if format == "sae_fast" else _read(weights)
    kind = _recognised(weights, found) if found is not None and format == "auto" else format
    if norm_scaling_factor is not None and kind != "saelens":
        raise ValueError(f"norm_scaling_factor is for files of SAELens, and {weights} is {kind}")
    if kind == "sae_fast" or found is None:
        encoder = KSparseEncoder.load(weights)
    else:
        encoder = _encoder(found, kind, norm_scaling_factor)
    return Loaded(
        encoder, weights, kind, [] if found is None else found.folded, check_golden(encoder, _golden(weights))
    )


def _encoder(found: Checkpoint, kind: str, factor: float | None) -> KSparseEncoder:
    """What the layout makes of it; tensors of other shapes than it has are found on the way, or at the end."""
    try:
        with np.errstate(all="ignore"):  # what becomes infinite is found below
            made = saelens(found, factor) if kind == "saelens" else LAYOUTS[kind](found)
            arrays = [name for name, value in made.items() if isinstance(value, np.ndarray)]
            dtype = np.result_type(np.float32, *(made[name].dtype for name in arrays if made[name].dtype.kind == "f"))
            made |= {name: np.ascontiguousarray(made[name], dtype) for name in arrays}
        return KSparseEncoder(**made)
    except ModelFileError:
        raise
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise found.wrong(f"does not hold a whole {kind} model: {str(error)[:300]}") from error


def _weights(place: Path) -> Path:
    if not place.is_dir():
        return place
    place = _module(place)
    held = next((name for name in _WEIGHTS if (place / name).exists()), None)
    if held is None:
        raise ModelFileError(
            f"{place} must hold one of {', '.join(_WEIGHTS)}; it has {', '.join(_some(place)) or 'nothing'}"
        )
    return place / held


def _module(place: Path) -> Path:
    """Where a whole model of sentence-transformers keeps its SparseAutoEncoder; else the folder itself."""
    if not (place / "modules.json").exists():
        return place
    modules = parse_list((place / "modules.json").read_bytes(), place / "modules.json")
    kinds = [str(module.get("type")) if isinstance(module, dict) else "" for module in modules]
    named = [m.get("path") for m, kind in zip(modules, kinds, strict=True) if kind.endswith("SparseAutoEncoder")]
    if len(named) != 1 or not isinstance(named[0], str) or os.path.basename(named[0]) != named[0]:
        raise ModelFileError(f"{place / 'modules.json'} must name one SparseAutoEncoder, got {', '.join(kinds):.300}")
    return place / named[0]


def _golden(weights: Path) -> Path:
    """Where known codes would be: layouts have a folder for each model, other files may lie side by side."""
    return weights.parent / NAME if weights.name in _WEIGHTS else weights.with_suffix(f".{NAME}")


def _some(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))[:10]


def _read(weights: Path) -> Checkpoint:
    config = _settings(weights)
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
        if isinstance(state, dict) and set(state) == {"config", "state_dict"} and isinstance(state["config"], dict):
            config, state = state["config"], state["state_dict"]
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise ModelFileError(f"{weights} must hold a state dict, got {type(state).__name__}")
        tensors = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        others = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    else:
        raise ModelFileError(f"{weights} must end in .safetensors, .npz, .pt, .pth or .bin, or be a folder")
    return Checkpoint(str(weights), config, tensors, others, [])


def _settings(weights: Path) -> dict[str, Any]:
    """The first of the files of settings beside the weights; Llama Scope's are a folder higher."""
    places = [weights.parent / name for name in _CONFIGS] + [weights.parent.parent / _HYPER]
    found = next((place for place in places if place.exists()), None)
    return {} if found is None else read_json(found)


def _recognised(weights: Path, found: Checkpoint) -> str:
    names = set(found.tensors)
    if "pre_bias" in names:
        return "openai" if weights.suffix == ".pt" else "sentence-transformers"
    if {"input_bias", "neuron_bias"} <= names:
        return "hypothesaes"
    if "norm_activation" in found.config and "encoder.weight" in names:
        return "llama-scope"
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
