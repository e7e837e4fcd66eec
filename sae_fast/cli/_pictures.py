"""Pictures that a command draws beside its work."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..plot._style import import_matplotlib
from ._outputs import check_out


def check_picture(path: str, inputs: Sequence[str | None], out: str | None) -> None:
    """``--plot`` can be drawn and written, and is neither an input nor the other output: worth knowing before work.

    Raises
    ------
    ImportError
        matplotlib is not there.
    OSError, ValueError
        It cannot be written, or is another file of the command.
    """
    import_matplotlib()
    check_out(path, inputs)
    if out is not None and os.path.realpath(out) == os.path.realpath(path):
        raise ValueError(f"--plot {path} is the file of --out too: give another name")
