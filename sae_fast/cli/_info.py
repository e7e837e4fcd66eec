"""``sae-fast info``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .._model_file import read


def run(arguments: argparse.Namespace) -> int:
    """Print what a model file holds."""
    found = read(arguments.model)
    n_hidden, n_visible = found.params.W1.shape
    rho_hat = found.arrays.get("rho_hat")
    about: dict[str, Any] = {
        "file": arguments.model,
        "n_features": n_visible,
        "n_components": n_hidden,
        "dtype": str(found.params.W1.dtype),
        "hidden": found.hidden,
        "output": found.output,
        "mean_activation": None if rho_hat is None else float(rho_hat.mean()),
        "fitted": found.fitted,
        "hyper_parameters": found.hyper_parameters,
        "feature_names": found.feature_names,
        "versions": found.versions,
    }
    if arguments.json:
        print(json.dumps(about, indent=2))
        return 0
    fitted, hyper = about.pop("fitted"), about.pop("hyper_parameters")
    names = about.pop("feature_names")
    about["versions"] = ", ".join(f"{k} {v}" for k, v in found.versions.items())
    total, *parts = fitted["cost"]
    about["iterations"] = fitted["n_iter"]
    about["J"] = "{:.6g} = {:.6g} error + {:.4g} decay + {:.4g} sparsity".format(total, *parts)
    if names is not None:
        shown = names if len(names) <= 8 else [*names[:8], f"... ({len(names)} in all)"]
        about["feature names"] = ", ".join(shown)
    about["hyper-parameters"] = ", ".join(f"{k}={v}" for k, v in hyper.items())
    for name, value in about.items():
        print(
            f"{name.replace('_', ' '):<17} {value:.4g}"
            if isinstance(value, float)
            else f"{name.replace('_', ' '):<17} {value}"
        )
    return 0
