"""Files that are written whole or not at all.

Pipes and character devices are written into. How a file takes the place of another one, and where it cannot, is in
``_temporary.py``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

from ._targets import check_target, is_stream, last_link
from ._temporary import forget, install, like, new_file


@contextlib.contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to; it takes the place of ``path`` if the block ends without an error.

    What was at ``path`` stays untouched otherwise, and nothing is left beside it. Permissions of a file that is
    replaced are kept, and its owner where this process may. A symbolic link is written through. Pipes and character
    devices are written into, and so are files that cannot be renamed to.

    Raises
    ------
    OSError
        It cannot be written; names ``path``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> target = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> with replacing(target) as file:
    ...     _ = file.write(b"whole")
    >>> target.read_text()
    'whole'
    """
    target, asked = check_target(path), os.fspath(path)
    if is_stream(target):
        with naming(asked):
            descriptor = _open_stream(target)
        with writing_to(descriptor, asked) as file:
            yield file
        return
    with naming(asked):
        old = os.stat(target) if target.exists() else None
        descriptor, name = new_file(target, old)
    try:
        with writing_to(descriptor, asked) as file:
            if old is not None and name is not None:
                like(descriptor, old)
            yield file
            file.flush()
            with naming(asked):
                os.fsync(descriptor)
                install(descriptor, name, target)
    finally:
        if name:
            forget(name)


def _open_stream(target: Path) -> int:
    """A descriptor; of this process's own streams a copy, which writes where they are."""
    own = re.fullmatch(rf"/proc/{os.getpid()}/fd/(\d+)", last_link(target))
    return os.dup(int(own[1])) if own else os.open(target, os.O_WRONLY)


class _Raw(io.FileIO):
    """A file whose errors name what was asked for."""

    def __init__(self, descriptor: int, asked: str) -> None:
        super().__init__(descriptor, "wb")
        self.asked = asked

    def write(self, data: Any, /) -> int:
        with naming(self.asked):
            return super().write(data)


@contextlib.contextmanager
def naming(asked: str) -> Iterator[None]:
    """Errors of the system name ``asked``."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, asked) from None


@contextlib.contextmanager
def writing_to(descriptor: int, asked: str) -> Iterator[BinaryIO]:
    """A buffered file on the descriptor; after an error what is still in the buffer is dropped."""
    raw = _Raw(descriptor, asked)
    try:
        file = io.BufferedWriter(raw, 1 << 16)
        yield cast(BinaryIO, file)
        file.flush()
    finally:
        raw.close()
