"""Options that say what network is trained, and those that do not go together."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from ..network._losses import LOSSES, RECONSTRUCTION, serves
from ..network._units import HIDDEN, OUTPUT, UNITS
from ._values import real

_UNBOUNDED = [name for name in HIDDEN if not UNITS[name].bounded]
_BETWEEN = {name: LOSSES[name].targets for name in RECONSTRUCTION}


def add_network(group: argparse.ArgumentParser | argparse._ArgumentGroup, *, defaults: bool) -> None:
    """The options of an autoencoder's cost and units; without ``defaults`` those that are not given are None."""
    numbers = (
        ("rho", "R", 0.05, "wanted mean activation, in (0, 1)"),
        ("beta", "B", 3.0, f"weight of the penalty on mean activations{_listed('; 0 with --hidden ', _UNBOUNDED)}"),
        ("l1", "L", 0.0, "weight of the penalty on the size of single activations"),
        ("weight_decay", "L", 1e-4, "weight of the L2 penalty on the weights"),
    )
    for name, sign, value, purpose in numbers:
        option, words = f"--{name.replace('_', '-')}", f"{purpose} (default: {value:g})"
        group.add_argument(option, metavar=sign, type=real(name), default=value if defaults else None, help=words)
    choices = (
        ("loss", RECONSTRUCTION, "squared", f"what reconstructions are judged by{_listed('; ', _targets())}"),
        ("hidden", HIDDEN, "sigmoid", "activation of the hidden units"),
        ("output", OUTPUT, "sigmoid", f"activation of the output units; they reach {', '.join(_reach())}"),
    )
    for name, known, usual, purpose in choices:
        words = f"{purpose} (default: {usual})"
        group.add_argument(f"--{name}", choices=known, default=usual if defaults else None, help=words)


def check_network(arguments: argparse.Namespace) -> None:
    """End the command by the words of wrong usage where options do not go together: before any data are read."""
    hidden, output, loss = arguments.hidden or "sigmoid", arguments.output or "sigmoid", arguments.loss or "squared"
    if hidden in _UNBOUNDED and arguments.beta != 0:
        arguments.wrong(
            f"--hidden {hidden} needs --beta 0, as its mean activation has no upper bound: codes become sparse by "
            "--l1, as in --beta 0 --l1 0.001"
        )
    if not serves(loss, output):
        arguments.wrong(f"--loss {loss} needs --output {' or '.join(LOSSES[loss].outputs)}, got {output}")


def _listed(words: str, names: Sequence[str]) -> str:
    return f"{words}{', '.join(names)}" if names else ""


def _targets() -> list[str]:
    return [f"{name} takes data in {ends[0]:g}..{ends[1]:g}" for name, ends in _BETWEEN.items() if ends is not None]


def _reach() -> list[str]:
    """What the output units reach, in words."""
    names: dict[str, list[str]] = {}
    for name in OUTPUT:
        low, high = UNITS[name].low, UNITS[name].high
        words = f"{low:g}..{high:g}" if high < math.inf else "all" if low == -math.inf else f">= {low:g}"
        names.setdefault(words, []).append(name)
    return [f"{words} ({', '.join(units)})" for words, units in names.items()]
