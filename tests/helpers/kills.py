"""Fits that are killed at random moments, and resumed: the model is that of a fit that nobody killed, to the byte.

``tests/cli/test_checkpoints.py`` tries two ways of fitting; for more, in a checkout::

    python -m tests.helpers.kills 50              # of them, in turns: ten minutes
    python -m tests.helpers.kills 50 1 source     # another seed, and the ways that have "source" in their name
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sae_fast.files._checkpoint_file import read_checkpoint

SOURCE = """
import sys, pathlib, sae_fast as sf
from sae_fast.network import _window_solver
data, out, checkpoint, solver, iterations = sys.argv[1:]
_window_solver._WINDOW_BYTES = 1 << 17
model = sf.SparseAutoencoder(12, solver=solver, max_iter=int(iterations), random_state=0, tol=0.0)
resume = checkpoint if pathlib.Path(checkpoint).exists() else None
source = sf.open_source(data, batch_size=777)
model.fit(source, checkpoint=checkpoint, checkpoint_every=0.0, resume_from=resume).save(out)
"""
WAYS = ("lbfgs", "adam", "sgd, judged", "stack", "lbfgs of a source", "adam of a source")


class Place:
    """A folder with data, and what a fit that is let gives, and takes."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data = self.folder / "X.npy"
        self.room = self.folder / "room"
        self.room.mkdir()
        self.out, self.checkpoint = self.room / "model.safetensors", self.room / "run.ckpt"
        np.save(self.data, np.random.default_rng(0).uniform(0.1, 0.9, (3000, 24)))
        self._whole = {}

    def words(self, way):
        """The command of a way of fitting."""
        if way.endswith("source"):
            iterations = "40" if way.startswith("lbfgs") else "10"
            paths = [str(self.data), str(self.out), str(self.checkpoint)]
            return [sys.executable, "-W", "ignore", "-c", SOURCE, *paths, way.split()[0], iterations]
        words = [sys.executable, "-m", "sae_fast", "fit", str(self.data), "-o", str(self.out), "--quiet"]
        words += ["--checkpoint", str(self.checkpoint), "--checkpoint-every", "0", "--resume", "--tol", "0"]
        words += ["--random-state", "0"]
        if way == "stack":
            return [*words, "--hidden-layer-sizes", "12,6", "--max-iter", "20", "--fine-tune-max-iter", "20"]
        solver = way.split(",")[0]
        words += ["--n-components", "12", "--solver", solver, "--max-iter", "60" if solver == "lbfgs" else "30"]
        return words + (["--early-stopping"] if "judged" in way else [])

    def clear(self):
        """Nothing of an earlier fit."""
        for path in self.room.iterdir():
            path.unlink()

    def whole(self, way):
        """The model's bytes where nobody kills the fit, and the seconds that it takes."""
        if way not in self._whole:
            self.clear()
            began = time.perf_counter()
            subprocess.run(self.words(way), check=True, stderr=subprocess.PIPE)
            self._whole[way] = self.out.read_bytes(), time.perf_counter() - began
        return self._whole[way]


def kill_and_resume(place, way, rng):
    """A fit that is killed at a random moment, and resumed; did the kill come before its end?"""
    wanted, seconds = place.whole(way)
    place.clear()
    process = subprocess.Popen(place.words(way), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(rng.uniform(0.2, 1) * seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = {path.name for path in place.room.iterdir()}
    assert left <= {place.out.name, place.checkpoint.name}, left
    if place.checkpoint.exists():
        read_checkpoint(place.checkpoint)  # whole, or an error
    if place.out.exists():
        assert place.out.read_bytes() == wanted
    done = subprocess.run(place.words(way), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert place.out.read_bytes() == wanted, way
    return process.returncode == -signal.SIGKILL


def main(n, seed=0, only=""):
    """Kill and resume ``n`` fits, of all ways with ``only`` in their names in turn."""
    rng = np.random.default_rng(seed)
    ways = [way for way in WAYS if only in way]
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        kills = []
        for i in range(n):
            kills.append(kill_and_resume(place, way := ways[i % len(ways)], rng))
            print(f"{i + 1}: {way}, {'killed, resumed' if kills[-1] else 'done before'}: the same bytes", flush=True)
    print(f"{n} of {n} fits gave the same bytes; {sum(kills)} kills came before the end")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
