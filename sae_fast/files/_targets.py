"""What is at a path, and whether a file can be written there."""

from __future__ import annotations

import os
import stat
from os import PathLike
from pathlib import Path


def check_target(path: str | PathLike[str]) -> Path:
    """``path`` made absolute, if a file can be written there: worth knowing before long work, not after it.

    Raises
    ------
    OSError
        A folder, a name in a folder that does not exist or takes no new file, a file that is read-only and cannot be
        renamed to, a loop of symbolic links, a block device or a socket.
    """
    target = Path(path)
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = 0
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{target} is a directory, wanted a file name")
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise OSError(f"{target} is a {'block device' if stat.S_ISBLK(mode) else 'socket'}, wanted a file name")
    if is_stream(target):
        if not os.access(target, os.W_OK):
            raise PermissionError(f"{target} cannot be written to")
        return target.absolute()
    found = Path(os.path.realpath(target))
    if not found.parent.is_dir():
        raise FileNotFoundError(f"the folder of {target} does not exist")
    replaceable = os.access(found.parent, os.W_OK | os.X_OK)
    if not mode and not replaceable:
        raise PermissionError(f"the folder of {target} cannot be written to")
    if mode and not os.access(found, os.W_OK) and (not replaceable or _stays(found)):
        raise PermissionError(f"{target} cannot be written to")
    return found


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; there may be one already, but not a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{folder} is a file, wanted a folder") from None


def is_stream(target: Path) -> bool:
    """Is there a pipe or character device, or an open file by its name below ``/proc`` (``/dev/stdout``)?"""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return True
    return last_link(target).startswith("/proc/")


def last_link(target: Path) -> str:
    """Where links lead, but no further than to what the kernel shows below ``/proc``."""
    link = os.fspath(target.absolute())
    while True:
        link = os.path.join(os.path.realpath(os.path.dirname(link)), os.path.basename(link))
        if link.startswith("/proc/") or not os.path.islink(link):
            return link
        link = os.path.join(os.path.dirname(link), os.readlink(link))


def _stays(target: Path) -> bool:
    """Can no other file take the place of this one, though its folder takes new ones?

    It is another user's in a folder like ``/tmp``; or a file is mounted there, which ``os.path.ismount`` does not see
    where both are of one file system.
    """
    folder = os.stat(target.parent)
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, folder.st_uid, os.stat(target).st_uid):
        return True
    escaped = os.fspath(target).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return any(line.split(" ")[4] == escaped.replace("\n", "\\012") for line in mounts.splitlines())
