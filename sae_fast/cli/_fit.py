"""``sae-fast fit``."""

from __future__ import annotations

import argparse
import os
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import SparseAutoencoder, SparseAutoencoderOutlierDetector, StackedAutoencoder
from ..estimators._fit import FitInterruptedWarning
from ..files._arrays_io import expand
from ..files._model_file import import_safetensors
from ..streams._source import Source, check_finite
from ._fit_sparse import check_sparse, is_sparse, sparse_estimator, tell
from ._inputs import open_inputs, read_inputs, title
from ._network import check_network
from ._outputs import check_out, say

_OPTIONS = [
    "n_components",
    "rho",
    "beta",
    "l1",
    "weight_decay",
    "loss",
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
    sparse = is_sparse(arguments)
    if sparse:
        check_sparse(arguments)
    else:
        complete(arguments)
        check_network(arguments)
    check_out(arguments.out, expand(arguments.data))
    import_safetensors()
    checkpoints = _checkpoints(arguments)
    X, names = _samples(arguments)
    model: Any = sparse_estimator(arguments) if sparse else _estimator(arguments)
    began = time.perf_counter()
    interrupted = fit(model, X, **checkpoints)
    seconds = time.perf_counter() - began
    if names is not None:
        for named in (model, model.autoencoder_) if arguments.detector else (model,):
            named.feature_names_in_ = np.array(names, dtype=object)
    model.set_params(verbose=0)
    model.save(arguments.out)
    if sparse:
        tell(model, len(X), seconds)
        say(f"wrote {arguments.out}")
        return 1 if interrupted else 0
    if arguments.detector:
        model = model.autoencoder_
    total, error, decay, sparsity = model.cost_
    stack = isinstance(model, StackedAutoencoder)
    sizes = [len(layer.b) for layer in model.encoder_] if stack else [len(model.rho_hat_)]
    means = model.rho_hat_ if stack else [model.rho_hat_]
    say(
        f"{len(X)} samples, {' -> '.join(map(str, (model.n_features_in_, *sizes)))} units, {model.n_iter_} "
        f"iterations, {seconds:.2f} s"
    )
    say(
        f"J {total:.6g} = {error:.6g} error + {decay:.4g} decay + "
        f"{sparsity:.4g} sparsity; mean activation {', '.join(f'{mean.mean():.4g}' for mean in means)}"
        + (f" (rho {arguments.rho:g})" if arguments.beta else "")
    )
    say(f"wrote {arguments.out}")
    return 1 if interrupted else 0


def complete(arguments: argparse.Namespace) -> None:
    """What was not given is what the estimator takes by itself."""
    if arguments.contamination is not None and not arguments.detector:
        arguments.wrong("--contamination is for outlier detectors: give --detector too")
    if arguments.detector and arguments.hidden_layer_sizes is not None:
        arguments.wrong("--detector is of a single layer: give --n-components instead of --hidden-layer-sizes")
    kind = SparseAutoencoderOutlierDetector if arguments.detector else SparseAutoencoder
    for name, value in kind().get_params().items():
        if name in arguments and getattr(arguments, name) is None:
            setattr(arguments, name, value)


def _samples(arguments: argparse.Namespace) -> tuple[NDArray[Any] | Source, list[str] | None]:
    """The samples, in memory or to be read again and again, and the names of their columns."""
    dtype = None if arguments.dtype == "keep" else np.dtype(arguments.dtype)
    if arguments.stream:
        reader = open_inputs(arguments)
        if reader.once:
            raise ValueError(f"--stream needs files that can be read again, and {title(arguments)} is a pipe")
        return Source(reader, dtype=dtype), reader.names
    table = read_inputs(arguments)
    check_finite(table.values, table.names, title(arguments))
    return table.values if dtype is None else table.values.astype(dtype, copy=False), table.names


def _checkpoints(arguments: argparse.Namespace) -> dict[str, Any]:
    """What ``fit`` is told of checkpoints."""
    path = arguments.checkpoint
    if path is None:
        if arguments.resume:
            arguments.wrong("--resume needs --checkpoint FILE, to go on from")
        if arguments.checkpoint_every is not None:
            arguments.wrong("--checkpoint-every needs --checkpoint FILE, to write")
        return {}
    if arguments.detector:
        arguments.wrong("--checkpoint is for autoencoders, not for outlier detectors")
    if os.path.realpath(path) == os.path.realpath(arguments.out):
        arguments.wrong("--checkpoint and --out must be two files")
    check_out(path, expand(arguments.data))
    resume = arguments.resume and os.path.exists(path)
    if arguments.resume and not resume:
        say(f"there is no {path} yet: the fit begins anew")
    return {"checkpoint": path, "checkpoint_every": arguments.checkpoint_every, "resume_from": path if resume else None}


def fit(model: Any, X: NDArray[Any] | Source, **checkpoints: Any) -> bool:
    """Train, with warnings as lines on stderr; was it interrupted?"""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, **checkpoints)
    for warning in caught:
        say(f"warning: {warning.message}")
    return any(issubclass(warning.category, FitInterruptedWarning) for warning in caught)


def _estimator(arguments: argparse.Namespace) -> Any:
    """What the options ask for, unfitted; an option that the estimator does not have is an error."""
    given, verbose = vars(arguments), 0 if arguments.quiet else 1
    single, stack = SparseAutoencoder().get_params(), StackedAutoencoder().get_params()
    if arguments.hidden_layer_sizes is None:
        _refuse(given, stack | {"hidden_layer_sizes": None}, single, "a stack of layers: give --hidden-layer-sizes too")
        options = {name: given[name] for name in _OPTIONS}
        if arguments.detector:
            return SparseAutoencoderOutlierDetector(**options, contamination=given["contamination"], verbose=verbose)
        return SparseAutoencoder(**options, verbose=verbose)
    _refuse(given, single, stack, "a single layer, not for a stack of layers")
    return StackedAutoencoder(**{name: given[name] for name in stack if name in given}, verbose=verbose)


def _refuse(given: dict[str, Any], others: dict[str, Any], own: dict[str, Any], whose: str) -> None:
    for name, default in others.items():
        if name not in own and name in given and given[name] != default:
            option = "no-fine-tune" if name == "fine_tune" else name.replace("_", "-")
            raise ValueError(f"--{option} is for {whose}")
