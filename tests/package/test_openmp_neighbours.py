"""Beside others with an OpenMP of their own, whoever comes first: the same bits, with threads, and after a fork."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sae_fast as sf
from sae_fast import _core

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libgomp is looked for as Linux shows it")

PROGRAM = """
import hashlib, importlib, json, os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np

names = sys.argv[1:]
for name in names:
    importlib.import_module(name)
X = np.random.default_rng(0).random((4000, 64))

def sae_fast():
    import sae_fast as sf
    params = sf.init_params(64, 25, random_state=0)
    J, grad = sf.cost_and_grad(params, X, rho=0.05, beta=3.0, weight_decay=1e-4, n_threads=4)
    parts = [sf.encode(params, X, n_threads=4), np.array(J), *grad]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()

def sklearn():
    from sklearn.cluster import KMeans
    return KMeans(4, n_init=1, random_state=0).fit(X).inertia_

def pyarrow():
    import pyarrow.compute
    return pyarrow.compute.sum(pyarrow.array(X.ravel())).as_py()

def torch():
    import torch
    torch.set_num_threads(2)
    return float((torch.from_numpy(X) @ torch.from_numpy(X.T)).sum())

work = [globals()[name] for name in names]
found = [run() for run in work]
again = [run() for run in reversed(work)]
with ThreadPoolExecutor(4) as pool:
    at_once = list(pool.map(lambda _: sae_fast(), range(8)))
readable, writable = os.pipe()
child = os.fork()
if child == 0:
    os.write(writable, sae_fast().encode())
    os._exit(0)
os.close(writable)
forked = os.read(readable, 100).decode()
status = os.waitpid(child, 0)[1]
after = sae_fast()
maps = {line.split()[-1] for line in open("/proc/self/maps") if "libgomp" in line or "libomp" in line}
digests = [d for d in (*found, *again, *at_once, forked, after) if isinstance(d, str)]
print(json.dumps({"digests": sorted(set(digests)), "n": len(digests), "status": status, "maps": sorted(maps)}))
"""


def run(*names):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def alone():
    return run("sae_fast")


def own_folder():
    """Where a repaired wheel has its libraries; None where OpenMP is the system's."""
    folder = Path(sf.__file__).parent.parent / "sae_fast.libs"
    return folder if folder.is_dir() else None


@pytest.mark.parametrize("first", [True, False], ids=["after it", "before it"])
@pytest.mark.parametrize("other", ["sklearn", "pyarrow", "torch"])
def test_neighbours(alone, other, first):
    """Digests of codes, cost and gradient, from all threads, from a forked child and after it, are those alone."""
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    found = run(*([other, "sae_fast"] if first else ["sae_fast", other]))
    assert found["status"] == 0
    assert found["n"] == alone["n"]
    assert found["digests"] == alone["digests"]
    assert len(found["digests"]) == 1


def test_which_openmp_is_loaded(alone):
    """A repaired wheel brings its own, and loads no other; a build from source takes the system's."""
    if not _core.has_openmp():
        pytest.skip("built without OpenMP")
    [library] = alone["maps"]
    folder = own_folder()
    print("OpenMP:", library)
    if folder is None:
        assert "sae_fast" not in Path(library).name
        assert Path(library).name.startswith(("libgomp.so", "libomp"))
    else:
        assert Path(library).parent == folder.resolve()
        assert Path(library).name.startswith("libgomp-")
