"""``sae-fast plot``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import plot
from ..files._arrays_io import expand
from ..files._model_file import load
from ..streams._source import Source, check_finite
from ._inputs import check_columns, check_labels_usage, labels_of, open_inputs, read_inputs, title
from ._models import for_arrays, is_foreign, is_sparse, load_k_sparse, load_model, network_of
from ._outputs import check_out, say
from ._parser import K_SPARSE_PICTURES

# What each kind does with samples.
_NEED_SAMPLES = ("reconstructions", "activations", "latent", "densities")
_NO_SAMPLES = ("filters", "loss", "kl-penalty", "dead-latents")
_LABELLED = ("latent", "summary")
_SHAPED = ("filters", "reconstructions", "summary")


def run(arguments: argparse.Namespace) -> int:
    """Draw one picture and write it, whole or not at all."""
    _check_usage(arguments)
    kind = arguments.kind
    out = Path(arguments.out or f"{Path(arguments.model).stem}-{kind}.png")
    check_out(out, [arguments.model, *expand(arguments.data or []), arguments.labels])
    picture = _of_k_sparse(arguments) if kind in K_SPARSE_PICTURES else _of_network(arguments)
    plot.save(picture, out, dpi=arguments.dpi)
    say(f"wrote {out}")
    return 0


def _of_k_sparse(arguments: argparse.Namespace) -> Any:
    if arguments.kind == "densities":
        return plot.densities(load_k_sparse(arguments.model), Source(open_inputs(arguments)))
    if is_foreign(arguments.model) or not is_sparse(model := load(arguments.model)):
        raise ValueError(f"{arguments.model} must hold a k-sparse autoencoder, as sae-fast fit --k writes it")
    return plot.dead_latents(model)


def _of_network(arguments: argparse.Namespace) -> Any:
    kind = arguments.kind
    model = network_of(load_model(arguments.model, f"of which --kind {' or '.join(K_SPARSE_PICTURES)} is drawn"))
    options: dict[str, Any] = {"shape": arguments.shape} if kind in _SHAPED else {}
    samples: list[Any] = []
    if arguments.data:
        table = read_inputs(arguments)
        check_columns(model, table, title(arguments))
        check_finite(table.values, table.names, title(arguments))
        model = for_arrays(model)
        labels = labels_of(arguments, table)
        samples = [table.values] if labels is None or kind not in _LABELLED else [table.values, labels]
    return getattr(plot, kind.replace("-", "_"))(model, *samples, **options)


def _check_usage(arguments: argparse.Namespace) -> None:
    kind = arguments.kind
    check_labels_usage(arguments)
    if not arguments.data and kind in _NEED_SAMPLES:
        arguments.wrong(f"--kind {kind} needs samples: give X after MODEL")
    if arguments.data and kind in _NO_SAMPLES:
        arguments.wrong(f"--kind {kind} takes no samples, got {title(arguments)}")
    if arguments.labels is not None and (kind not in _LABELLED or not arguments.data):
        arguments.wrong(f"--labels needs samples X and --kind {' or '.join(_LABELLED)}")
    if arguments.shape is not None and kind not in _SHAPED:
        arguments.wrong(f"--shape is for --kind {', '.join(_SHAPED)}, got {kind}")
