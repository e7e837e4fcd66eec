"""Progress of a fit: a live bar on a terminal, a few plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ..network._types import EpochInfo


def describe(info: EpochInfo) -> str:
    """J, its parts and the mean activation in one line."""
    total, error, decay, sparsity = info.cost
    text = f"J {total:.6g} = {error:.4g} error + {decay:.4g} decay"
    # A head on its own has no hidden units.
    hidden = not math.isnan(info.mean_activation)
    return text + (f" + {sparsity:.4g} sparsity, mean activation {info.mean_activation:.4g}" if hidden else "")


def _several(unit: str) -> str:
    return f"{unit}{'es' if unit.endswith('ch') else 's'}"


def say(text: str) -> None:
    """A line on stderr; nothing where there is none (``pythonw``), or where nobody reads it any more."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def _is_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False


class Progress:
    """Shows :class:`EpochInfo` after :class:`EpochInfo`; a context manager.

    Parameters
    ----------
    n_steps : int
        Iterations or epochs at most.
    unit : str
        What a step is called.
    stage : str
        Name of the part of the fit, where there are several.
    describe : callable
        What is told of a step.
    """

    def __init__(
        self,
        n_steps: int,
        unit: str = "iteration",
        stage: str = "",
        describe: Callable[[Any], str] = describe,
    ) -> None:
        self._n = n_steps
        self._describe = describe
        self._unit = unit
        self._stage = f"{stage}, " if stage else ""
        self._bar: Any = None
        self._every = max(1, n_steps // 10)

    def __enter__(self) -> Progress:
        if _is_terminal():
            try:
                from rich.console import Console
                from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
                from rich.progress import Progress as Bar
            except ImportError:
                return self
            columns = (
                TextColumn(f"{self._stage}{{task.completed}}/{self._n} {_several(self._unit)}"),
                BarColumn(bar_width=20),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=self._n)
        return self

    def show(self, info: Any) -> None:
        """One step is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=info.epoch, description=self._describe(info))
        elif info.epoch == 1 or info.epoch % self._every == 0 or info.epoch == self._n:
            left = info.seconds / info.epoch * (self._n - info.epoch)
            step = f"{self._stage}{self._unit} {info.epoch}/{self._n}"
            say(f"{step}: {self._describe(info)}, {info.seconds:.1f} s, {left:.1f} s left")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
