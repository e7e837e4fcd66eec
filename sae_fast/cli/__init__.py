"""The command line ``sae-fast``: messages on stderr, data on stdout or in files.

Exit codes: 0 done; 1 failed, or interrupted by Ctrl-C; 2 wrong usage; 3 ``watch`` has an alert. SIGTERM and SIGHUP end
it as signals do (a shell shows 143 and 129), and leave no temporary file.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import NoReturn, TextIO

from ..files._arrays_io import STREAM
from ._outputs import say
from ._parser import make_parser
from ._signals import ending_cleanly

__all__ = ["main", "script"]

_WHOLE = ("export", "fit", "plot", "score", "transform")  # they write files, whole or not at all
_GO_ON = ("bench", "demo", "fit")  # after Ctrl-C: they keep what they have, and end processes of their own
_OF_STDOUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        0 done, 1 failed or interrupted. Wrong usage raises ``SystemExit(2)``.
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return 1


def script() -> NoReturn:
    """What the installed command and ``python -m sae_fast`` run."""
    try:
        code = _run(None, alone=True)
    except KeyboardInterrupt:
        # A Ctrl-C that has gone through some of CPython's own frames ends the process by SIGINT however it is handled.
        _check(sys.stdout)
        os._exit(1)
    finally:
        _check(sys.stderr)
    sys.exit(code)


def _run(argv: Sequence[str] | None, *, alone: bool = False) -> int:
    """As :func:`main`; KeyboardInterrupt when all is said. ``alone``: the process is there for this command."""
    arguments = make_parser().parse_args(argv)
    last_words = partial(_say_interrupted, arguments) if alone and arguments.command not in _GO_ON else None
    with ending_cleanly(last_words) as ctrl_c, warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: say(f"warning: {message}")
        try:
            command = importlib.import_module(f"._{arguments.command}", __name__)
            code: int = command.run(arguments)
            if sys.stdout is not None:  # it may be closed: `>&-`
                sys.stdout.flush()
            return code
        except (KeyboardInterrupt, Exception) as error:
            known = isinstance(error, (OSError, ValueError, MemoryError))
            if isinstance(error, KeyboardInterrupt) or (ctrl_c.came and not known):
                _say_interrupted(arguments)
                raise KeyboardInterrupt from None
            if not known and not isinstance(error, ImportError):
                raise
            _tell(error, getattr(arguments, "data", None))
            return 1


def _say_interrupted(arguments: argparse.Namespace) -> None:
    out = arguments.out if arguments.command in _WHOLE else None
    on = "; the same command goes on" if arguments.command == "transform" and arguments.resume else ""
    say("interrupted" if out in (None, STREAM) else f"interrupted; nothing was written to {out}{on}")


def _tell(error: BaseException, data: Sequence[str] | None) -> None:
    """One line on stderr; none when the reader of stdout has gone, as in ``| head``."""
    if isinstance(error, OSError) and not error.filename and error.errno in _OF_STDOUT:
        error = OSError(error.errno, error.strerror, "stdout")  # all files are named
    _check(sys.stdout)
    if not isinstance(error, BrokenPipeError) or error.filename != "stdout":
        say(f"error: {_words(error, data)}")


def _words(error: BaseException, data: Sequence[str] | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    # scikit-learn adds paragraphs of advice on its own estimators, and does not know the file.
    first = str(error).split("\n", 1)[0]
    if not data:
        return first
    name = "stdin" if data[0] == STREAM else data[0]
    return f"{name}{first[1:]}" if first.startswith("X must ") else first.replace("Input X", name)


def _check(stream: TextIO | None) -> None:
    """If it takes no more, the interpreter's last flush shall not complain of it, nor give 120."""
    if stream is not None:
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
