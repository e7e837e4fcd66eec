"""What ends a command from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ..files._atomic import clean_up

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = b"\x1b[?25h"  # progress hides it


class CtrlC:
    """Raises KeyboardInterrupt as Python does, and remembers it: what is interrupted may make another error of it."""

    came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.came = True
        raise KeyboardInterrupt


@contextlib.contextmanager
def ending_cleanly() -> Iterator[CtrlC]:
    """SIGTERM and SIGHUP remove temporary files, and then end the process as they would have done.

    A shell sees 143 and 129. Signals that are ignored (``nohup``), or handled by whoever called, stay so.
    """
    ctrl_c = CtrlC()
    if threading.current_thread() is not threading.main_thread():
        yield ctrl_c
        return
    ours: dict[signal.Signals, Any] = dict.fromkeys(_ENDING, _end)
    ours[signal.SIGINT] = ctrl_c
    before = {number: signal.getsignal(number) for number in ours}
    ours = {n: f for n, f in ours.items() if before[n] in (signal.SIG_DFL, signal.default_int_handler)}
    for number, handler in ours.items():
        signal.signal(number, handler)
    try:
        yield ctrl_c
    finally:
        for number in ours:
            signal.signal(number, before[number])


def _end(number: int, frame: FrameType | None) -> None:
    # Not by an exception: it could be lost in what it interrupts, a destructor or a callback.
    clean_up()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
