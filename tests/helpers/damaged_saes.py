"""Damaged files of other packages' sparse autoencoders: each is refused, or is what it says.

``tests/ksparse/test_load_sae.py`` tries some; for many run, in a checkout::

    python -m tests.helpers.damaged_saes 10000           # over all layouts, a minute or two
    python -m tests.helpers.damaged_saes 10000 1 openai  # another seed, and layouts with such a name
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import safetensors

import sae_fast as sf

NASTY = [0, -1, 1.5, 2**40, True, None, "", "topk", "layer_norm", [], {}, [1, 2], {"k": 1}, "\x1b[2J"]


def _bytes(rng, whole, header):
    """Bits turned, bytes put in or taken out, the end cut off; half of it near the beginning, where headers are."""
    damaged = bytearray(whole)
    where = int(rng.integers(header if rng.integers(2) else len(whole)))
    do = rng.integers(5)
    if do == 0:
        return bytes(damaged[:where])
    if do == 1:
        damaged[where] ^= 1 << int(rng.integers(8))
    elif do == 2:
        damaged[where:where] = rng.bytes(int(rng.integers(1, 9)))
    elif do == 3:
        del damaged[where : where + int(rng.integers(1, 30))]
    else:
        damaged[where : where + 4] = rng.bytes(4)
    return bytes(damaged)


def _settings(rng, text):
    """A setting that is missing, or has a value that it cannot have; or text that is no JSON."""
    about = json.loads(text)
    name = sorted(about)[rng.integers(len(about))]
    do = rng.integers(4)
    if do == 0:
        return text[: int(rng.integers(len(text)))]
    if do == 1:
        del about[name]
    else:
        about[name] = NASTY[rng.integers(len(NASTY))]
    return json.dumps(about)


class Damage:
    """A model of one layout in a folder, and damaged ones in its place.

    Parameters
    ----------
    write : callable
        Writes the model into a folder.
    folder : path
    seed : int
    """

    def __init__(self, write, folder, seed):
        write(folder)
        self._folder = folder
        files = [p for p in folder.rglob("*") if p.is_file()]
        self.weights = next(p for p in files if p.suffix != ".json")
        self.settings = next((p for p in files if p.suffix == ".json"), None)
        self._rng = np.random.default_rng(seed)
        self._whole = self.weights.read_bytes()
        self._told = None if self.settings is None else self.settings.read_text()
        encoder = sf.load_sae(self.weights)
        self._X = np.random.default_rng(0).normal(size=(5, encoder.n_features)).astype(np.float32)
        self._codes = encoder(self._X).toarray()

    def verdict(self):
        """Damage it once: "refused", "whole" (the same codes) or "another"; AssertionError for what must not be."""
        rng = self._rng
        of_settings = self.settings is not None and rng.integers(5) == 0
        if of_settings:
            self.settings.write_text(_settings(rng, self._told))
        else:
            self.weights.write_bytes(_bytes(rng, self._whole, min(len(self._whole), 800)))
        try:
            encoder = sf.load_sae(self.weights)
        except OSError:
            return "refused"
        except sf.ModelFileError as error:
            words = str(error)
            assert self._folder.name in words, f"no file is named: {words}"
            assert len(words) < 1200, words
            return "refused"
        else:
            same = self._gives_the_same(encoder)
            if not of_settings:
                data = self.weights.read_bytes()
                if self.weights.suffix == ".safetensors":
                    safetensors.deserialize(data)  # what its own library refuses is refused
                else:
                    assert same, "a file whose records have checksums gives other codes"
            return "whole" if same else "another"
        finally:
            self.weights.write_bytes(self._whole)
            if of_settings:
                self.settings.write_text(self._told)

    def _gives_the_same(self, encoder):
        if encoder.n_features != self._X.shape[1]:
            return False
        try:
            return np.array_equal(encoder(self._X).toarray(), self._codes)
        except ValueError:  # a weight that is finite, and so large that sums are not
            return False


def main(n, seed=0, only=""):
    """Damage files of all layouts, ``n`` in all; a huge allocation is an error."""
    from tests.ksparse.test_load_sae import LAYOUTS, llama_scope

    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    warnings.simplefilter("error")
    writers = {name: write for name, (write, _, _) in LAYOUTS.items()} | {"llama scope": llama_scope}
    writers = {name: write for name, write in writers.items() if only in name}
    totals = {"refused": 0, "whole": 0, "another": 0}
    began = time.perf_counter()
    for name, write in writers.items():
        damage = Damage(write, Path(tempfile.mkdtemp()), seed)
        counts = dict.fromkeys(totals, 0)
        for i in range(-(-n // len(writers))):
            try:
                counts[damage.verdict()] += 1
            except BaseException as error:
                raise AssertionError(f"{name}, seed {seed}, file {i}: {error!r}") from error
        totals = {what: totals[what] + count for what, count in counts.items()}
        print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in counts.items()), flush=True)
    words = ", ".join(f"{count} {what}" for what, count in totals.items())
    print(f"in all: {words}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
