"""Files without names, or with ones of their own, until they take the place of another one.

A new file has no name until it is whole (``O_TMPFILE``), so that nothing of it is left whatever ends the process. It
then gets its name, or takes the place of the old one by renaming, which needs a name of its own for an instant: signals
that would end the process wait for that. Where the file system has no files without names, it has one beside the target
from the start.

As a last resort a file is written in place: at mount points (``docker run -v model:/app/model``), and in folders that
take no new files. That alone is not whole or not at all: the space is had beforehand, but a process that is killed then
leaves a part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RENAMING = (errno.EBUSY, errno.EXDEV, errno.ETXTBSY, errno.EACCES, errno.EPERM, errno.EROFS)
_NO_NEW_FILE = (errno.EACCES, errno.EPERM, errno.EROFS)
_names: set[str] = set()  # of temporary files that exist now


def clean_up() -> None:
    """Remove temporary files that have names: for a process that is about to be ended by a signal."""
    for name in list(_names):
        forget(name)


def new_file(target: Path, old: os.stat_result | None) -> tuple[int, str | None]:
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
        forget(name)
        raise


def install(descriptor: int, name: str | None, target: Path) -> None:
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
        with _endings_wait():
            if not os.path.lexists(name):
                try:
                    _link(descriptor, name)
                except OSError:  # the folder takes files without names, and names none
                    forget(name)
                    name = _copied(descriptor, target)
            os.replace(name, target)
    except OSError as error:
        if error.errno not in _NO_RENAMING or not target.is_file():
            raise
        _write_in_place(descriptor, target)
    finally:
        forget(name)


@contextlib.contextmanager
def _endings_wait() -> Iterator[None]:
    """SIGTERM and SIGHUP that nobody handles end the process at the end of the block, if this is the main thread."""
    came: list[int] = []
    waiting: list[int] = []
    if threading.current_thread() is threading.main_thread():
        waiting = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    with contextlib.suppress(ValueError):  # an interpreter beside the main one, which handles no signals
        for number in waiting:
            signal.signal(number, lambda which, _: came.append(which))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number in waiting:
                signal.signal(number, signal.SIG_DFL)
        if came:
            os.kill(os.getpid(), came[0])


def _link(descriptor: int, name: str) -> None:
    # A descriptor of the folder makes Python call linkat, which follows the link in /proc; link would not.
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)


def _copied(descriptor: int, target: Path) -> str:
    """The name of a copy beside the target, with the same permissions."""
    copy, name = _new_named_file(target, 0o600)
    try:
        like(copy, os.fstat(descriptor))
        _copy(descriptor, copy)
        os.fsync(copy)
    except BaseException:
        forget(name)
        raise
    finally:
        os.close(copy)
    return name


def like(descriptor: int, other: os.stat_result) -> None:
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


def forget(name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name)
    _names.discard(name)
