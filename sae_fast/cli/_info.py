"""``sae-fast info``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from numpy.typing import NDArray

from .._model_file import read_tensors, single_layer
from .._model_schema import KIND
from .._stack_encoder import StackEncoder
from .._stack_file import stack
from ._transform import ENCODERS


def run(arguments: argparse.Namespace) -> int:
    """Print what a model file holds."""
    tensors, contents = read_tensors(arguments.model)
    kind = contents.get("kind", KIND)
    about: dict[str, Any] = {"file": arguments.model, "kind": kind}
    if kind in ENCODERS:
        return _show(about | _encoder(arguments.model, kind), arguments.json)
    about |= _layer(tensors, contents) if kind == KIND else _stack(arguments.model, tensors, contents)
    about |= {k: contents[k] for k in ("fitted", "hyper_parameters", "feature_names", "versions")}
    if arguments.json:
        return _show(about, as_json=True)
    fitted, hyper = about.pop("fitted"), about.pop("hyper_parameters")
    names = about.pop("feature_names")
    about["versions"] = ", ".join(f"{k} {v}" for k, v in contents["versions"].items())
    total, *parts = fitted["cost"]
    about["iterations"] = fitted["n_iter"]
    about["J"] = "{:.6g} = {:.6g} error + {:.4g} decay + {:.4g} sparsity".format(total, *parts)
    if names is not None:
        shown = names if len(names) <= 8 else [*names[:8], f"... ({len(names)} in all)"]
        about["feature names"] = ", ".join(shown)
    about["hyper-parameters"] = ", ".join(f"{k}={v}" for k, v in hyper.items())
    return _show(about)


def _show(about: dict[str, Any], as_json: bool = False) -> int:
    if as_json:
        print(json.dumps(about, indent=2))
        return 0
    for name, value in about.items():
        text = ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
        print(f"{name.replace('_', ' '):<18} {text}")
    return 0


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _encoder(path: str, kind: str) -> dict[str, Any]:
    encoder = ENCODERS[kind].load(path)
    layers = encoder.layers if isinstance(encoder, StackEncoder) else (encoder,)
    return {
        "n_features": encoder.n_visible,
        "hidden_layer_sizes": [layer.n_hidden for layer in layers],
        "dtype": str(encoder.dtype),
        "hidden": [layer.hidden for layer in layers],
    }


def _layer(tensors: dict[str, NDArray[Any]], contents: dict[str, Any]) -> dict[str, Any]:
    found = single_layer(tensors, contents)
    n_hidden, n_visible = found.params.W1.shape
    rho_hat = found.arrays.get("rho_hat")
    return {
        "n_features": n_visible,
        "n_components": n_hidden,
        "dtype": str(found.params.W1.dtype),
        "hidden": found.hidden,
        "output": found.output,
        "mean_activation": None if rho_hat is None else float(rho_hat.mean()),
    }


def _stack(path: str, tensors: dict[str, NDArray[Any]], contents: dict[str, Any]) -> dict[str, Any]:
    model = stack(path, tensors, contents)
    about: dict[str, Any] = {
        "n_features": model.n_features_in_,
        "hidden_layer_sizes": [len(layer.b) for layer in model.encoder_],
        "dtype": str(model.components_.dtype),
        "hidden": list(model.units_),
        "mean_activation": [float(means.mean()) for means in model.rho_hat_],
    }
    if "classes" in contents:
        return about | {"classes": contents["classes"]["values"]}
    return about | {"output": list(reversed(contents["output_units"]))}
