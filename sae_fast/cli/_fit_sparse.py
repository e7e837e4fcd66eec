"""``sae-fast fit --k``: a k-sparse autoencoder."""

from __future__ import annotations

import argparse
from typing import Any

from .. import KSparseAutoencoder
from ._outputs import say

_ASKS = ("k", "architecture", "recipe", "matryoshka")
_SHARED = ("n_components", "max_iter", "batch_size", "learning_rate", "l1", "random_state", "n_threads")
_USUAL = {  # of options that say nothing here, what they are when nobody gives them
    "hidden_layer_sizes": None, "rho": None, "beta": None, "weight_decay": None, "loss": None, "hidden": None,
    "output": None, "scale": None, "detector": False, "contamination": None, "solver": "lbfgs", "momentum": 0.9,
    "tol": 1e-7, "n_iter_no_change": 10, "early_stopping": False, "validation_fraction": 0.1, "fine_tune": True,
    "fine_tune_solver": "lbfgs", "fine_tune_max_iter": 200, "fine_tune_learning_rate": None,
    "fine_tune_weight_decay": None,
}  # fmt: skip


def is_sparse(arguments: argparse.Namespace) -> bool:
    """Does one of the options ask for it?"""
    return any(getattr(arguments, name) is not None for name in _ASKS)


def check_sparse(arguments: argparse.Namespace) -> None:
    """End the command by the words of wrong usage where an option is not for k-sparse autoencoders."""
    for name, usual in _USUAL.items():
        if getattr(arguments, name) != usual:
            option = "no-fine-tune" if name == "fine_tune" else name.replace("_", "-")
            arguments.wrong(f"--{option} is not for k-sparse autoencoders, which --k and --architecture ask for")
    if arguments.k is not None and arguments.n_components is not None and arguments.k > arguments.n_components:
        arguments.wrong(f"--k must be at most --n-components, {arguments.n_components}, got {arguments.k}")


def sparse_estimator(arguments: argparse.Namespace) -> KSparseAutoencoder:
    """What the options ask for, unfitted."""
    given = {name: getattr(arguments, name) for name in (*_ASKS, *_SHARED)}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if arguments.dtype != "keep":
        options["dtype"] = arguments.dtype
    return KSparseAutoencoder(**options, verbose=0 if arguments.quiet else 1)


def tell(model: KSparseAutoencoder, n_samples: int, seconds: float) -> None:
    """What was learned, on stderr."""
    last = {name: float(values[-1]) for name, values in model.history_.items()}
    say(
        f"{n_samples} samples, {model.n_features_in_} -> {model.encoder_.n_latents} latents, {model.n_iter_} epochs, "
        f"{seconds:.2f} s"
    )
    say(f"FVU {last['fvu']:.4g}, L0 {last['l0']:.4g}, dead {100 * last['dead']:.3g} % in the last epoch")
