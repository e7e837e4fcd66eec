"""``sae-fast plot``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import plot
from ..files._arrays_io import expand
from ..streams._source import check_finite
from ._inputs import check_columns, check_labels_usage, labels_of, read_inputs, title
from ._models import for_arrays, load_model, network_of
from ._outputs import check_out, say

# What each kind does with samples.
_NEED_SAMPLES = ("reconstructions", "activations", "latent")
_NO_SAMPLES = ("filters", "loss", "kl-penalty")
_LABELLED = ("latent", "summary")
_SHAPED = ("filters", "reconstructions", "summary")


def run(arguments: argparse.Namespace) -> int:
    """Draw one picture and write it, whole or not at all."""
    _check_usage(arguments)
    kind = arguments.kind
    out = Path(arguments.out or f"{Path(arguments.model).stem}-{kind}.png")
    check_out(out, [arguments.model, *expand(arguments.data or []), arguments.labels])
    model = network_of(load_model(arguments.model))
    options: dict[str, Any] = {"shape": arguments.shape} if kind in _SHAPED else {}
    samples: list[Any] = []
    if arguments.data:
        table = read_inputs(arguments)
        check_columns(model, table, title(arguments))
        check_finite(table.values, table.names, title(arguments))
        model = for_arrays(model)
        labels = labels_of(arguments, table)
        samples = [table.values] if labels is None or kind not in _LABELLED else [table.values, labels]
    draw = getattr(plot, kind.replace("-", "_"))
    plot.save(draw(model, *samples, **options), out, dpi=arguments.dpi)
    say(f"wrote {out}")
    return 0


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
