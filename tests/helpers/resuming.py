"""Runs of ``sae-fast transform --resume`` that are killed at random moments, and go on.

After each kill the target is not there, or whole; the run that ends gives the bytes of one that was never killed.
``tests/cli/test_resume.py`` does it a few times; for more, in a checkout::

    python -m tests.helpers.resuming 50         # so many kills, over all kinds of files
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import sae_fast as sf

# What is saved every two seconds of work, and in blocks of megabytes, is here saved after each small block.
RUN = """
import sys
from sae_fast.files import _unfinished
from sae_fast.streams import _source
_unfinished.SAVE_SECONDS, _source._BLOCK_BYTES = 0, 1 << 15
from sae_fast.cli import main
sys.exit(main(sys.argv[1:]))
"""
SUFFIXES = (".npy", ".npz", ".csv", ".parquet")


class Resuming:
    """A model and samples, whose codes are written over several runs."""

    def __init__(self, folder, n=20_000):
        self.folder = Path(folder)
        X = np.random.default_rng(0).uniform(0.1, 0.9, (n, 16))
        np.save(self.folder / "X.npy", X)
        sf.SparseAutoencoder(5, max_iter=3, random_state=0).fit(X[:500]).save(self.folder / "model.safetensors")
        self._whole = {}

    def whole(self, suffix):
        """What a run gives that nobody disturbs."""
        if suffix not in self._whole:
            path = self.folder / f"whole{suffix}"
            subprocess.run(self.command(path)[:-1], check=True)
            self._whole[suffix] = path.read_bytes()
        return self._whole[suffix]

    def command(self, target):
        """The words of a run that can go on."""
        names = [str(self.folder / name) for name in ("model.safetensors", "X.npy")]
        return [sys.executable, "-c", RUN, "transform", *names, "-o", str(target), "--resume"]

    def kill(self, suffix, delay):
        """Kill a run after its part file has been there for ``delay`` seconds; how many rows it had saved."""
        target = self.folder / f"codes{suffix}"
        part, state = (self.folder / f".codes{suffix}.part{end}" for end in ("", ".json"))
        process = subprocess.Popen(self.command(target), stderr=subprocess.DEVNULL)
        while process.poll() is None and not part.exists():
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
        process.wait()
        assert not target.exists() or target.read_bytes() == self.whole(suffix), "half a file"
        saved = state.exists()
        again = subprocess.run(self.command(target), capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert target.read_bytes() == self.whole(suffix), "other bytes"
        assert not part.exists()
        assert not state.exists()
        target.unlink()
        return "going on from row" in again.stderr if saved else process.returncode == -signal.SIGKILL


def main(n):
    """Kill ``n`` runs."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Resuming(folder)
        for i in range(n):
            place.kill(SUFFIXES[i % 4], rng.uniform(0, 0.3))
            print(f"{i + 1} of {n} killed and resumed: identical bytes", end="\r" if os.isatty(1) else "\n", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
