"""Files that can be read from any place, as often as wanted: a pipe is copied into a temporary file first."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref


class File:
    """A path that can be opened again and again.

    Attributes
    ----------
    path : str
        What to open: the file itself, or the copy of what a pipe has brought.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if os.path.isfile(path) or not os.path.exists(path):
            return
        copy = tempfile.NamedTemporaryFile(prefix="sae_fast-")  # noqa: SIM115 - it lives as long as this does
        weakref.finalize(self, copy.close)  # in a cycle of references, too, nobody has to close it
        with open(path, "rb") as pipe:
            shutil.copyfileobj(pipe, copy, 1 << 20)
        copy.flush()
        self.path = copy.name

    def mark(self) -> tuple[int, ...]:
        """Tells the file from itself after a change."""
        found = os.stat(self.path)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
