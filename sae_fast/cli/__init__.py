"""The command line ``sae-fast``: messages on stderr, data on stdout or in files, exit codes 0, 1 and 2."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from ._parser import make_parser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        0 done, 1 failed. Wrong usage raises ``SystemExit(2)``.
    """
    arguments = make_parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
        try:
            command = importlib.import_module(f"._{arguments.command}", __name__)
            code: int = command.run(arguments)
            if sys.stdout is not None:  # it may be closed: `>&-`
                sys.stdout.flush()
            return code
        except BrokenPipeError:
            # The reader has gone (`| head`): end quietly, and keep the interpreter's last flush quiet too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except KeyboardInterrupt:
            _say("interrupted; nothing was written")
            return 1
        except (OSError, ValueError, ImportError, MemoryError) as error:
            _say(f"error: {_words(error, getattr(arguments, 'data', None))}")
            return 1


def _words(error: BaseException, data: Sequence[str] | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    # scikit-learn adds paragraphs of advice on its own estimators, and does not know the file.
    first = str(error).split("\n", 1)[0]
    return first.replace("Input X", "stdin" if data[0] == "-" else data[0]) if data else first


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"sae-fast: {text}", file=sys.stderr)
