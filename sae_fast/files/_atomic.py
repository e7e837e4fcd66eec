"""Files that are written whole or not at all.

A new file has no name until it is whole (``O_TMPFILE``), so that nothing of it is left whatever ends the process. It
then gets its name, or takes the place of the old one by renaming, which needs a name of its own for an instant. Where
the file system has no files without names, it has one beside the target from the start.

Pipes and character devices are written into. So, as a last resort, are files that cannot be renamed to: mount points
(``docker run -v model:/app/model``), and files in folders that take no new ones. That alone is not whole or not at all:
the space is had beforehand, but a process that is killed then leaves a part.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RENAMING = (errno.EBUSY, errno.EXDEV, errno.ETXTBSY, errno.EACCES, errno.EPERM, errno.EROFS)
_NO_NEW_FILE = (errno.EACCES, errno.EPERM, errno.EROFS)
_names: set[str] = set()  # of temporary files that exist now


@contextlib.contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to; it takes the place of ``path`` if the block ends without an error.

    What was at ``path`` stays untouched otherwise, and nothing is left beside it. Permissions of a file that is
    replaced are kept, and its owner where this process may. A symbolic link is written through. For pipes, devices and
    mount points see the top of this module.

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
    if _is_stream(target):
        with _naming(asked):
            descriptor = _open_stream(target)
        with _writing(descriptor, asked) as file:
            yield file
        return
    with _naming(asked):
        old = os.stat(target) if target.exists() else None
        descriptor, name = _new_file(target, old)
    try:
        with _writing(descriptor, asked) as file:
            if old is not None and name is not None:
                _like(descriptor, old)
            yield file
            file.flush()
            with _naming(asked):
                os.fsync(descriptor)
                _install(descriptor, name, target)
    finally:
        if name:
            _forget(name)


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
    if _is_stream(target):
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


def clean_up() -> None:
    """Remove temporary files that have names: for a process that is about to be ended by a signal."""
    for name in list(_names):
        _forget(name)


def _is_stream(target: Path) -> bool:
    """Is there a pipe or character device, or an open file by its name below ``/proc`` (``/dev/stdout``)?"""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return True
    return _last_link(target).startswith("/proc/")


def _last_link(target: Path) -> str:
    """Where links lead, but no further than to what the kernel shows below ``/proc``."""
    link = os.fspath(target.absolute())
    while True:
        link = os.path.join(os.path.realpath(os.path.dirname(link)), os.path.basename(link))
        if link.startswith("/proc/") or not os.path.islink(link):
            return link
        link = os.path.join(os.path.dirname(link), os.readlink(link))


def _open_stream(target: Path) -> int:
    """A descriptor; of this process's own streams a copy, which writes where they are."""
    own = re.fullmatch(rf"/proc/{os.getpid()}/fd/(\d+)", _last_link(target))
    return os.dup(int(own[1])) if own else os.open(target, os.O_WRONLY)


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


class _Raw(io.FileIO):
    """A file whose errors name what was asked for."""

    def __init__(self, descriptor: int, asked: str) -> None:
        super().__init__(descriptor, "wb")
        self.asked = asked

    def write(self, data: Any, /) -> int:
        with _naming(self.asked):
            return super().write(data)


@contextlib.contextmanager
def _naming(asked: str) -> Iterator[None]:
    """Errors of the system name ``asked``."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, asked) from None


@contextlib.contextmanager
def _writing(descriptor: int, asked: str) -> Iterator[BinaryIO]:
    """A buffered file on the descriptor; after an error what is still in the buffer is dropped."""
    raw = _Raw(descriptor, asked)
    try:
        file = io.BufferedWriter(raw, 1 << 16)
        yield cast(BinaryIO, file)
        file.flush()
    finally:
        raw.close()


def _new_file(target: Path, old: os.stat_result | None) -> tuple[int, str | None]:
    """A descriptor, and the name: "" for a file without one in the folder of the target, None for one elsewhere."""
    flag = getattr(os, "O_TMPFILE", None)
    try:
        if flag is not None and os.path.isdir("/proc/self/fd"):
            try:
                return os.open(target.parent, flag | os.O_RDWR, 0o666), ""
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                    raise
        return _new_named_file(target, 0o666 if old is None else 0o600)
    except OSError as error:
        if old is None or error.errno not in _NO_NEW_FILE:
            raise
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno()), None


def _new_name(target: Path) -> str:
    return os.fspath(target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}"))


def _new_named_file(target: Path, mode: int) -> tuple[int, str]:
    name = _new_name(target)
    _names.add(name)
    try:
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), name
    except BaseException:
        _forget(name)
        raise


def _install(descriptor: int, name: str | None, target: Path) -> None:
    """Put the whole file in the place of the target."""
    if name is None:
        _write_in_place(descriptor, target)
        return
    if not name:
        if not os.path.lexists(target):
            with contextlib.suppress(OSError):
                _link(descriptor, os.fspath(target))
                return
        name = _new_name(target)
        _names.add(name)
    try:
        if not os.path.lexists(name):
            try:
                _link(descriptor, name)
            except OSError:  # the folder takes files without names, and names none
                _forget(name)
                name = _copied(descriptor, target)
        os.replace(name, target)
    except OSError as error:
        if error.errno not in _NO_RENAMING or not target.is_file():
            raise
        _write_in_place(descriptor, target)
    finally:
        _forget(name)


def _link(descriptor: int, name: str) -> None:
    # A descriptor of the folder makes Python call linkat, which follows the link in /proc; link would not.
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)


def _copied(descriptor: int, target: Path) -> str:
    """The name of a copy beside the target, with the same permissions."""
    copy, name = _new_named_file(target, 0o600)
    try:
        _like(copy, os.fstat(descriptor))
        _copy(descriptor, copy)
        os.fsync(copy)
    except BaseException:
        _forget(name)
        raise
    finally:
        os.close(copy)
    return name


def _like(descriptor: int, other: os.stat_result) -> None:
    """Give the file the permissions of the other one, and its owner if this process may."""
    with contextlib.suppress(OSError):
        os.fchown(descriptor, other.st_uid, other.st_gid)
    os.fchmod(descriptor, other.st_mode & 0o777)


def _write_in_place(descriptor: int, target: Path) -> None:
    """Write into the file that is there, if there is room for all of it."""
    there = os.open(target, os.O_WRONLY)
    try:
        size, before = os.fstat(descriptor).st_size, os.fstat(there).st_size
        try:
            os.posix_fallocate(there, 0, size)
        except OSError as error:
            if error.errno in _NO_PLACE:
                os.ftruncate(there, before)
                raise
        _copy(descriptor, there)
        os.ftruncate(there, size)
        os.fsync(there)
    finally:
        os.close(there)


def _copy(source: int, to: int) -> None:
    offset = 0
    while block := os.pread(source, 1 << 20, offset):
        offset += len(block)
        while block:
            block = block[os.write(to, block) :]


def _forget(name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name)
    _names.discard(name)
