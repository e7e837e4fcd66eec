"""``sae-fast info``."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from ..files._kinds import DETECTOR, ENCODERS, KIND, KSPARSE, MONITOR, SPARSE
from ..files._model_file import read_tensors
from ..ksparse._load_sae import read_sae
from ._models import is_foreign

_NAMES = 8  # of features and classes that are shown
_MARGIN = 21


def run(arguments: argparse.Namespace) -> int:
    """Print what a model file holds, or what is understood of another package's."""
    if is_foreign(arguments.model):
        _print(_foreign(arguments.model), arguments.json)
        return 0
    kind, tensors, contents = read_tensors(arguments.model)
    about: dict[str, Any] = {"file": arguments.model, "kind": kind}
    describe = _sparse if kind in SPARSE else _layers if "units" in contents else _layer
    about |= describe(tensors, contents)
    if kind == MONITOR:
        about |= _watching(tensors, contents)
    if kind not in ENCODERS:
        about |= {k: contents[k] for k in ("fitted", "hyper_parameters", "feature_names", "versions")}
    if kind not in ENCODERS and not arguments.json:
        fitted, names = about.pop("fitted"), about.pop("feature_names")
        about["iterations"] = fitted["n_iter"]
        if "cost" in fitted:
            total, *parts = fitted["cost"]
            about["J"] = "{:.6g} = {:.6g} error + {:.4g} decay + {:.4g} sparsity".format(total, *parts)
        about["feature_names"] = [] if names is None else _first(names)
        about["hyper_parameters"] = [f"{k}={_text(v)}" for k, v in about.pop("hyper_parameters").items()]
        about["versions"] = [f"{k} {v}" for k, v in about["versions"].items()]
        about["classes"] = _first(about.get("classes", []))
    _print(about, arguments.json)
    return 0


def _print(about: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(about, indent=2))
        return
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))
    for name, value in about.items():
        if value not in (None, []):
            print(_line(name.replace("_", " "), value if isinstance(value, list) else [value], width))


def _foreign(path: str) -> dict[str, Any]:
    loaded = read_sae(path)
    encoder = loaded.encoder
    about: dict[str, Any] = {"file": str(loaded.weights), "kind": KSPARSE, "format": loaded.format}
    names = ["n_features", "n_latents", "dtype", "activation", "k", "apply_b_dec_to_input", "normalize"]
    if encoder.n_outputs != encoder.n_features:
        names.insert(2, "n_outputs")
    about |= {name: getattr(encoder, name) for name in names}
    about["dtype"] = str(encoder.dtype)
    golden = f"codes of {loaded.n_golden} samples are those beside it" if loaded.n_golden else None
    return about | {"folded": loaded.folded, "compared": golden}


def _sparse(tensors: dict[str, NDArray[Any]], contents: dict[str, Any]) -> dict[str, Any]:
    n_latents, n_features = tensors["W_enc"].shape
    about = {"n_features": n_features, "n_latents": n_latents, "dtype": str(tensors["W_enc"].dtype)}
    if tensors["W_dec"].shape[1] != n_features:
        about["n_outputs"] = tensors["W_dec"].shape[1]
    about |= {name: contents[name] for name in ("activation", "k", "apply_b_dec_to_input")}
    about["normalize"] = contents.get("normalize")
    last = {name: float(tensors[f"history.{name}"][-1]) for name in ("fvu", "l0", "dead") if contents.get("fitted")}
    return about | last


def _layer(tensors: dict[str, NDArray[Any]], contents: dict[str, Any]) -> dict[str, Any]:
    n_hidden, n_visible = tensors["W1"].shape
    about: dict[str, Any] = {"n_features": n_visible}
    if contents.get("kind", KIND) in ENCODERS:
        return about | {
            "hidden_layer_sizes": [n_hidden],
            "dtype": str(tensors["W1"].dtype),
            "hidden": [contents["hidden"]],
        }
    if contents.get("kind") == DETECTOR:
        about |= {"offset": contents["offset"], "held_out": len(tensors["calibration_scores"])}
    return about | {
        "n_components": n_hidden,
        "dtype": str(tensors["W1"].dtype),
        "hidden": contents["hidden"],
        "output": contents["output"],
        "loss": contents["loss"],
        "mean_activation": float(tensors["rho_hat"].mean()),
    }


def _layers(tensors: dict[str, NDArray[Any]], contents: dict[str, Any]) -> dict[str, Any]:
    weights = [tensors[f"encoder.{k}.W"] for k in range(len(contents["units"]))]
    about: dict[str, Any] = {
        "n_features": weights[0].shape[1],
        "hidden_layer_sizes": [len(W) for W in weights],
        "dtype": str(weights[0].dtype),
        "hidden": contents["units"],
    }
    if contents["kind"] in ENCODERS:
        return about
    about["mean_activation"] = [float(tensors[f"rho_hat.{k}"].mean()) for k in range(len(weights))]
    if "classes" in contents:
        return about | {"classes": contents["classes"]["values"]}
    return about | {"output": list(reversed(contents["output_units"])), "loss": contents["loss"]}


def _watching(tensors: dict[str, NDArray[Any]], contents: dict[str, Any]) -> dict[str, Any]:
    """How a monitor looks at rows, and what it has seen."""
    n_rows, n_chunks = map(int, tensors["found.totals"])
    about = {name: contents[name] for name in ("chunk_size", "every", "history")}
    return about | {"n_rows": n_rows, "n_chunks": n_chunks, "n_alarmed": int(tensors["found.alerts"][-1])}


def _first(names: list[Any]) -> list[Any]:
    return names if len(names) <= _NAMES else [*names[:_NAMES], f"... ({len(names)} in all)"]


def _line(name: str, values: Iterable[Any], width: int) -> str:
    """A name and its values beside it, broken between values."""
    # No value is broken: its spaces are no-break ones until the line is.
    words = ", ".join(_text(value).replace(" ", "\xa0") for value in values)
    first = f"{name:<{_MARGIN - 1}} "
    lines = textwrap.wrap(
        words, width, initial_indent=first, subsequent_indent=" " * _MARGIN, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join(lines).replace("\xa0", " ")


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_text, value))})"
    return shown(f"{value:.4g}" if isinstance(value, float) else str(value))


def shown(text: str) -> str:
    """What a file says, so that it does not steer the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
