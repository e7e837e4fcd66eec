"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path``; it takes the place of ``path`` if the block ends without an error.

    What was at ``path`` stays untouched otherwise, and the temporary file goes. The suffix is that of ``path``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> target = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    target = check_target(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise type(error)(error.errno, f"cannot be written: {error.strerror}", str(path)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def check_target(path: str | PathLike[str]) -> Path:
    """``path`` made absolute, if a file can be written there: worth knowing before long work, not after it."""
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a directory, wanted a file name")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder of {target} does not exist")
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"the folder of {target} cannot be written to")
    return target.resolve()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; there may be one already, but not a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{folder} is a file, wanted a folder") from None


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
