"""What ends a command from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ..files._temporary import clean_up

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = b"\x1b[?25h"  # progress hides it


class CtrlC:
    """Raises KeyboardInterrupt as Python does, and remembers it: what is interrupted may make another error of it.

    What is interrupted may also drop it, as destructors, callbacks of other libraries and some imports do. So where
    nothing is to be kept, the process ends here.

    Parameters
    ----------
    last_words : callable, optional
        What is left to do before the process ends with code 1; None where the command handles KeyboardInterrupt.
    """

    came = False

    def __init__(self, last_words: Callable[[], object] | None = None) -> None:
        self._last_words = last_words

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.came = True
        if self._last_words is None:
            raise KeyboardInterrupt
        clean_up()
        _show_cursor()
        with contextlib.suppress(Exception):  # of a message that another one was just being written beside
            self._last_words()
        os._exit(1)


@contextlib.contextmanager
def ending_cleanly(last_words: Callable[[], object] | None = None) -> Iterator[CtrlC]:
    """SIGTERM and SIGHUP remove temporary files, and then end the process as they would have done.

    A shell sees 143 and 129. Signals that are ignored (``nohup``), or handled by whoever called, stay so. For
    ``last_words`` see :class:`CtrlC`.
    """
    ctrl_c = CtrlC(last_words)
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
    _show_cursor()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _show_cursor() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)
