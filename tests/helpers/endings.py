"""How commands end: signals at random moments, and full disks.

After each the exit code is the documented one, no temporary file is left, and the target is the old file or the new
one, whole. ``tests/cli/test_endings.py`` tries each once; for more, in a checkout::

    python -m tests.helpers.endings 10              # of each signal for each command: a quarter of an hour
    python -m tests.helpers.endings 10 1 plot       # another seed, and one command
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import sae_fast as sf

SIGNALS = {"TERM": signal.SIGTERM, "HUP": signal.SIGHUP, "INT": signal.SIGINT}
COMMANDS = ("fit", "transform", "save", "compare", "plot")
SUFFIXES = {"fit": [".safetensors"], "save": [".safetensors"], "compare": [""]}
SUFFIXES |= {"transform": [".npy", ".npz", ".csv", ".parquet"], "plot": [".png", ".pdf", ".svg"]}
FORMATS = [(command, suffix) for command in ("fit", "transform", "plot") for suffix in SUFFIXES[command]]
OLD = b"what was there before"
SAVE = """
import sys, sae_fast as sf
model = sf.load(sys.argv[1])
print("ready", flush=True)
while True:
    model.save(sys.argv[2])
"""


class Place:
    """A folder with data, a model, and where the commands write."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data, self.model = self.folder / "X.npy", self.folder / "model.safetensors"
        self.out, self.temporary = self.folder / "out", self.folder / "tmp"
        self.out.mkdir()
        self.temporary.mkdir()
        X = np.random.default_rng(0).uniform(0.1, 0.9, (20_000, 64))
        np.save(self.data, X)
        self.fitted = sf.SparseAutoencoder(25, max_iter=20, random_state=0).fit(X[:1000])
        self.fitted.save(self.model)
        self.codes = self.fitted.transform(X)
        self._pictures = {}
        # Caches of matplotlib, once: they are no files of ours.
        self.environment = os.environ | {"MPLCONFIGDIR": str(self.folder / "mpl"), "TMPDIR": str(self.temporary)}
        self.picture(".png")

    def command(self, name, target):
        """The words of a command that takes its time."""
        words = [sys.executable, "-m", "sae_fast", name]
        if name == "save":
            return [sys.executable, "-c", SAVE, str(self.model), str(target)]
        if name == "fit":
            return [*words, str(self.data), "-o", str(target), "--max-iter", "1000000", "--tol", "0", "--quiet"]
        if name == "compare":
            return [*words, str(self.data), "--max-iter", "1000000", "--quiet"]
        return [*words, str(self.model), str(self.data), "-o", str(target)]

    def picture(self, suffix):
        """What the command draws when it is let."""
        if suffix not in self._pictures:
            path = self.folder / f"whole{suffix}"
            subprocess.run(self.command("plot", path), check=True, stderr=subprocess.PIPE, env=self.environment)
            self._pictures[suffix] = path.read_bytes()
        return self._pictures[suffix]

    def start(self, words, limit=None, heed=signal.SIG_DFL):
        """The command as it is started from a terminal, whatever this process ignores."""

        def prepare():
            for number in SIGNALS.values():
                signal.signal(number, heed)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(words, preexec_fn=prepare, env=self.environment, text=True, **pipes)

    def is_new(self, name, target):
        """Is the whole result there? False for the old file or none; an assertion for anything else."""
        names = [p.name for p in target.parent.iterdir()]
        assert names in ([], [target.name]), f"left behind: {names}"
        left = list(self.temporary.iterdir())
        assert not left, f"left behind: {left}"
        if not target.exists() or target.read_bytes() == OLD:
            return False
        suffix = target.suffix
        if suffix == ".safetensors":
            assert sf.load(target).transform(np.zeros((1, 64))).shape == (1, 25)
        elif name == "plot":
            assert target.read_bytes() == self.picture(suffix)
        else:
            np.testing.assert_array_equal(_table(target), self.codes)
        return True


def _table(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".npz":
        return np.load(path)["codes"]
    if path.suffix == ".csv":
        return np.loadtxt(path, delimiter=",", skiprows=1)
    import pyarrow.parquet

    return np.column_stack([column.to_numpy() for column in pyarrow.parquet.read_table(path).columns])


def _wait_until_it_runs(process, name):
    """Until the command has begun and answers signals, or is done."""
    if name == "save":
        process.stdout.readline()
        return
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.005)


def end_by_signal(place, name, which, rng, longest):
    """One command, ended at a random moment; what it came to in a word."""
    suffix = SUFFIXES[name][rng.integers(len(SUFFIXES[name]))]
    target = place.out / f"target{suffix}"
    old = bool(rng.integers(2)) and name != "compare"
    if old:
        target.write_bytes(OLD)
    process = place.start(place.command(name, target))
    _wait_until_it_runs(process, name)
    time.sleep(rng.uniform(0, longest))
    process.send_signal(SIGNALS[which])
    stdout, stderr = process.communicate(timeout=120)
    new, code = place.is_new(name, target), process.returncode
    context = f"{name}{suffix} {which}: {code}, {stderr!r}"
    if new or (name == "compare" and stdout):
        # It was done before the signal; a fit keeps the best so far; one who saves saves again.
        wanted = [0, -SIGNALS[which]] if name != "fit" or which != "INT" else [1]
        wanted += [1] if name == "plot" and which == "INT" else []  # between the file and the message
    elif which == "INT":
        wanted = [-signal.SIGINT] if name == "save" else [1]
        assert name == "save" or stderr.endswith(_interrupted(name, target)), context
    else:
        wanted = [-SIGNALS[which]]
    assert code in wanted, context
    assert "Traceback" not in stderr or name == "save", context
    assert not stdout or name != "compare" or code in (0, -SIGNALS[which]), context
    assert new or not old or target.read_bytes() == OLD, context
    target.unlink(missing_ok=True)
    return "done" if new else "ended"


def _interrupted(name, target):
    return "interrupted\n" if name == "compare" else f"interrupted; nothing was written to {target}\n"


def fill_disk(place, name, suffix, old):
    """One command whose result does not fit on the disk."""
    disk = place.folder / "disk"
    disk.mkdir(exist_ok=True)
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if mounted:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk]).returncode == 0
    try:
        target = disk / f"target{suffix}"
        if old:
            target.write_bytes(OLD)
        words = [word.replace("1000000", "2") for word in place.command(name, target)]
        process = place.start(words, None if mounted else 8 << 10)
        _, stderr = process.communicate(timeout=120)
        message = "No space left on device" if mounted else "File too large"
        assert stderr.endswith(f"sae-fast: error: {target}: {message}\n"), stderr
        assert process.returncode == 1
        assert [p.name for p in disk.iterdir()] == ([target.name] if old else [])
        assert not old or target.read_bytes() == OLD
        target.unlink(missing_ok=True)
    finally:
        if mounted:
            subprocess.run(["umount", disk], check=True)


def main(n, seed=0, only=""):
    """All signals ``n`` times, all formats on a full disk; for commands that have ``only`` in their name."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        for name in (name for name in COMMANDS if only in name):
            for which in SIGNALS:
                found = [end_by_signal(place, name, which, rng, 3.0) for _ in range(n)]
                print(f"{name} {which}: {n} times, {found.count('ended')} before its end, nothing left", flush=True)
        for name, suffix in (pair for pair in FORMATS if only in pair[0]):
            for old in (False, True):
                fill_disk(place, name, suffix, old)
            print(f"{name} {suffix} on a full disk: an error, nothing left, the old file whole", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
