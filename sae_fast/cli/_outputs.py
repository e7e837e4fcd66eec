"""Where commands write: messages, and files that are none of their inputs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..estimators._progress import say as say_line
from ..files._arrays_io import STREAM
from ..files._targets import check_target


def say(text: str) -> None:
    """A message of the command."""
    say_line(f"sae-fast: {text}")


def check_out(out: str | Path, inputs: Sequence[str | None]) -> None:
    """A file can be written at ``out``, and it is none of the inputs: worth knowing before long work, not after it.

    Raises
    ------
    OSError
        It cannot be written.
    ValueError
        It is an input, by whatever name.
    """
    target: int | Path
    if out == STREAM:
        try:
            target = sys.stdout.fileno()
        except (AttributeError, OSError, ValueError):
            return  # it is closed, or no file
    else:
        target = check_target(out)
    if not os.path.isfile(target):
        return
    for name in inputs:
        if name is not None and _is_same(name, target):
            given = {STREAM: "stdin"}.get(name, name)
            where = "stdout" if out == STREAM else out
            raise ValueError(f"{where} is the input {given} itself, which would be overwritten: give another name")


def _is_same(name: str, target: int | Path) -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = os.fstat(sys.stdin.fileno()) if name == STREAM else os.stat(name)
        return os.path.samestat(found, os.stat(target))
    return False
