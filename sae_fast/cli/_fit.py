"""``sae-fast fit``."""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np

from .. import SparseAutoencoder
from .._arrays_io import read_table
from .._atomic import check_target
from .._fit import FitInterruptedWarning

_OPTIONS = [
    "n_components",
    "rho",
    "beta",
    "weight_decay",
    "hidden",
    "output",
    "scale",
    "solver",
    "max_iter",
    "batch_size",
    "learning_rate",
    "momentum",
    "tol",
    "n_iter_no_change",
    "early_stopping",
    "validation_fraction",
    "random_state",
    "n_threads",
]


def run(arguments: argparse.Namespace) -> int:
    """Train and write the model; an interrupted fit is written too, and gives 1."""
    check_target(arguments.out)
    table = read_table(arguments.data, arguments.key)
    X = table.values if arguments.dtype == "keep" else table.values.astype(arguments.dtype, copy=False)
    options = {name: getattr(arguments, name) for name in _OPTIONS}
    model = SparseAutoencoder(**options, verbose=0 if arguments.quiet else 1)
    interrupted = False
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    for warning in caught:
        interrupted |= issubclass(warning.category, FitInterruptedWarning)
        print(f"sae-fast: warning: {warning.message}", file=sys.stderr)
    seconds = time.perf_counter() - began
    if table.names is not None:
        model.feature_names_in_ = np.array(table.names, dtype=object)
    model.set_params(verbose=0)
    model.save(arguments.out)
    c = model.cost_
    print(
        f"sae-fast: {len(X)} samples, {model.n_features_in_} -> {arguments.n_components} units, {model.n_iter_} "
        f"iterations, {seconds:.2f} s\nsae-fast: J {c.total:.6g} = {c.reconstruction:.6g} error + "
        f"{c.weight_decay:.4g} decay + {c.sparsity:.4g} sparsity; mean activation {model.rho_hat_.mean():.4g} "
        f"(rho {arguments.rho:g})\nsae-fast: wrote {arguments.out}",
        file=sys.stderr,
    )
    return 1 if interrupted else 0
