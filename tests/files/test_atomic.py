"""Files are whole or not at all, whatever is at the target: files, links, pipes, devices, mount points, full disks."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.files import _temporary
from sae_fast.files._arrays_write import writing
from sae_fast.files._atomic import replacing
from sae_fast.files._targets import check_target

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only the superuser mounts file systems and gives files away")
CONTENT = b"new" * 50_000


def write(path, content=CONTENT):
    with replacing(path) as file:
        file.write(content)


@pytest.fixture(params=["anonymous", "named", "linkless"], name="way")
def _way(request, monkeypatch):
    """File systems with files that have no name, without them, and with some that cannot be given one."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")
    if request.param == "linkless":

        def refuse(*_, **__):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return request.param


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path):
    """A file system of 256 KiB; where there may be none, a limit of the same size on files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if ROOT and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder]).returncode == 0:
        yield folder
        subprocess.run(["umount", folder], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_new_file_and_one_that_is_replaced(tmp_path, way):
    """Both are whole, and nothing is beside them."""
    path = tmp_path / ("x" * 250 + ".bin")
    for content in (CONTENT, b"shorter"):
        write(path, content)
        assert path.read_bytes() == content
        assert names(tmp_path) == [path.name]
    assert not _temporary._names


def test_an_error_leaves_what_was_there(tmp_path, way):
    """Neither the old file nor the folder is changed by a block that fails."""
    for old in ([], ["x"]):
        for name in old:
            (tmp_path / name).write_bytes(b"old")
        with pytest.raises(TypeError), replacing(tmp_path / "x") as file:
            file.writelines([CONTENT, "no bytes"])
        assert names(tmp_path) == old
        assert all((tmp_path / name).read_bytes() == b"old" for name in old)
    assert not _temporary._names


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_permissions_of_what_is_replaced_are_kept(tmp_path, way, mode):
    """An old file keeps its own permissions; a new one has those that the umask leaves."""
    path = tmp_path / "x"
    write(path)
    (tmp_path / "ordinary").touch()
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    path.chmod(mode)
    write(path, b"again")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"again"


@as_root
def test_the_owner_of_what_is_replaced_is_kept(tmp_path, way):
    """The superuser who writes a user's file does not take it away."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_symbolic_links_are_written_through(tmp_path, way):
    """The link stays, and what it points at is written, whether it was there or not."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    for content in (b"first", b"second"):
        write(tmp_path / "link", content)
        assert (tmp_path / "real" / "file").read_bytes() == content
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["file"]


def test_what_cannot_be_a_target_is_named(tmp_path):
    """Loops of links, folders, missing folders, files as folders and sockets are errors that name it."""
    import socket

    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "socket"))
        for name, message in {
            "loop": "Too many levels of symbolic links",
            ".": "is a directory",
            "no/x": "the folder of .* does not exist",
            "file/x": "Not a directory",
            "socket": "is a socket",
            "x" * 300: "File name too long",
        }.items():
            with pytest.raises(OSError, match=message) as caught:
                check_target(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)


def test_a_pipe_is_written_into(tmp_path):
    """The reader of a named pipe gets the bytes, and the pipe is still one."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write(path)
    reader.join(60)
    assert got == [CONTENT]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def _outputs():
    X = np.random.default_rng(0).uniform(0.1, 0.9, (2000, 8))
    image = np.random.default_rng(0).normal(size=(600, 600))
    encoder = sf.Encoder(sf.init_params(8, 5000, random_state=0))
    params = sf.init_params(8, 5000, random_state=0)

    def table(path):
        with writing(str(path), (20000, 8), X.dtype, list("abcdefgh")) as put:
            for _ in range(10):
                put(X)

    def picture(path):
        with sf.plot.style():
            ax = sf.plot.new_figure(4, 4).add_subplot()
            ax.imshow(image, cmap="viridis", interpolation="none")
        sf.plot.save(ax, path, dpi=300)

    return {
        "codes.npy": table,
        "codes.npz": table,
        "codes.csv": table,
        "codes.parquet": table,
        "model.safetensors": encoder.save,
        "weights.mat": lambda path: sf.conventions.write_mat(path, params),
        "picture.png": picture,
        "picture.pdf": picture,
    }


OUTPUTS = _outputs()


@pytest.mark.parametrize("name", OUTPUTS)
def test_pipes_and_devices_take_every_format(tmp_path, name):
    """What comes through a pipe is what a file would hold; /dev/null stays a device, /dev/full says that it is full."""
    OUTPUTS[name](tmp_path / name)
    (tmp_path / "pipes").mkdir()
    pipe = tmp_path / "pipes" / name
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    OUTPUTS[name](pipe)
    reader.join(60)
    if name != "codes.npz":  # its entries have sizes before or after their bytes
        start = 116 if name == "weights.mat" else 0  # the time is in its head
        assert got[0][start:] == (tmp_path / name).read_bytes()[start:]
    else:
        pipe.unlink()
        pipe.write_bytes(got[0])
        np.testing.assert_array_equal(np.load(pipe)["codes"], np.load(tmp_path / name)["codes"])
    for device in ("/dev/null", "/dev/full"):
        link = tmp_path / "pipes" / f"{device[5:]}.{name.split('.')[1]}"
        link.symlink_to(device)
        full = pytest.raises(OSError, match="No space left on device") if "full" in device else contextlib.nullcontext()
        with full as caught:
            OUTPUTS[name](link)
        assert caught is None or caught.value.filename == str(link)
        assert stat.S_ISCHR(link.stat().st_mode)


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_is_an_error_and_nothing_is_left(small_disk, name, old):
    """Every format says that there is no space, names the file, leaves the old one whole and nothing beside it."""
    path = small_disk / name
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(OSError, match=r"No space left on device|File too large") as caught:
        OUTPUTS[name](path)
    assert caught.value.filename == str(path)
    assert names(small_disk) == ([] if old is None else [name])
    assert old is None or path.read_bytes() == old


def test_what_is_open_by_its_name_is_written_into(tmp_path):
    """/dev/stdout is the stream, whatever it has been redirected to."""
    code = "import sae_fast.files._atomic as a\nwith a.replacing('/dev/stdout') as file: file.write(b'new')"
    path = tmp_path / "log"
    path.write_bytes(b"old ")
    with path.open("ab") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert path.read_bytes() == b"old new"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("heeded", [True, False])
def test_a_signal_waits_until_the_file_has_its_name(tmp_path, number, heeded):
    """What comes between the file's own name and that of the old one ends the process, or not, as ever: just later."""
    (tmp_path / "note").write_bytes(b"old")
    code = (
        "import os, signal, sae_fast.files._atomic as a\n"
        "replace = os.replace\n"
        "def between(*names):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    replace(*names)\n"
        "os.replace = between\n"
        f"signal.signal({int(number)}, signal.{'SIG_DFL' if heeded else 'SIG_IGN'})\n"
        "with a.replacing('note') as file: file.write(b'new')\n"
        "print('went on')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == ((-number, "") if heeded else (0, "went on\n")), done.stderr
    assert names(tmp_path) == ["note"]
    assert (tmp_path / "note").read_bytes() == b"new"


needs_mounts = pytest.mark.skipif(
    not ROOT or shutil.which("unshare") is None, reason="only the superuser mounts files on files"
)


def mounted(tmp_path, code, options=""):
    """Run Python where ``host`` is mounted on ``mounted``."""
    (tmp_path / "host").write_bytes(b"old " * 10)
    (tmp_path / "mounted").touch()
    script = f'cd "{tmp_path}" && mount --bind host mounted {options} && "{sys.executable}" -c "{code}"'
    return subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)


@needs_mounts
@pytest.mark.parametrize("content", ["b'longer ' * 100", "b'short'", "b''"])
def test_a_mount_point_is_written_in_place(tmp_path, content):
    """What is mounted from elsewhere, as containers do, cannot be renamed to; it gets the new content all the same."""
    code = f"import sae_fast.files._atomic as a\nwith a.replacing('mounted') as file: file.write({content})"
    done = mounted(tmp_path, code)
    assert done.stderr == ""
    assert (tmp_path / "host").read_bytes() == eval(content)
    assert names(tmp_path) == ["host", "mounted"]


@needs_mounts
def test_a_mount_point_that_is_read_only_is_known_before_the_work(tmp_path):
    """It can be neither renamed to nor written, which check_target sees."""
    code = "import sae_fast.files._targets as a\na.check_target('mounted')"
    done = mounted(tmp_path, code, "&& mount -o remount,bind,ro mounted")
    assert "PermissionError: mounted cannot be written to" in done.stderr


@as_root
def test_a_mount_point_on_a_full_disk_keeps_what_it_held(tmp_path, small_disk, monkeypatch):
    """Space is had before the first byte is written in place."""
    target = small_disk / "x"
    target.write_bytes(b"old")

    def busy(*_):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(OSError, match="No space left on device"):
        write(target, b"x" * (150 << 10))  # twice of it are more than there is
    assert target.read_bytes() == b"old"
    assert names(small_disk) == ["x"]
    write(target, b"new")
    assert target.read_bytes() == b"new"


FOREIGN = """
import os, sys, sae_fast.files._atomic as a
os.setgid(12345); os.setuid(12345)
with a.replacing(sys.argv[1]) as file: file.write(b"new")
"""


@as_root
@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o666), (0o1777, 0o666)])
def test_files_in_folders_of_others_are_written_in_place(tmp_path, folder, file):
    """A file that a user may write, in a folder where they may make or replace none, is written."""
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o055)
    there = tmp_path / "there"
    there.mkdir()
    (there / "x").write_bytes(b"old old old")
    (there / "x").chmod(file)
    there.chmod(folder)
    done = subprocess.run([sys.executable, "-c", FOREIGN, there / "x"], capture_output=True, text=True)
    assert done.stderr == ""
    assert (there / "x").read_bytes() == b"new"
    assert names(there) == ["x"]
    assert (there / "x").stat().st_uid == 0


@as_root
@pytest.mark.parametrize(("folder", "name"), [(0o755, "new"), (0o755, "x"), (0o1777, "x")])
def test_what_others_may_not_write_is_known_before_the_work(tmp_path, folder, name):
    """Neither the file nor its folder can be written: an error, and at once."""
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o055)
    there = tmp_path / "there"
    there.mkdir()
    (there / "x").touch()
    there.chmod(folder)
    code = FOREIGN.replace("with a.replacing", "a.check_target(sys.argv[1])\nwith a.replacing")
    done = subprocess.run([sys.executable, "-c", code, there / name], capture_output=True, text=True)
    assert "line 4, in <module>" in done.stderr
    assert f"{there / name} cannot be written to" in done.stderr


@pytest.mark.parametrize("target", ["new", "old"])
def test_a_killed_process_leaves_nothing(tmp_path, target):
    """Even SIGKILL half-way leaves no temporary file, where the file system has files without names."""
    (tmp_path / "old").write_bytes(b"old")
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_RDWR))
    except OSError:
        pytest.skip("this file system has no files without names")
    code = (
        "import os, signal, sae_fast.files._atomic as a\n"
        f"with a.replacing(r'{tmp_path / target}') as file:\n"
        "    file.write(b'new' * 100000); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"
