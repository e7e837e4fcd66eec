"""Contenders of a race: each in a process of its own, beside the limit of a dense product.

A contender is a file of this folder that is run with its arguments as JSON, and ends with ``answer``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEEDS = {"torch": ("torch",), "torch compiled": ("torch",), "ONNX Runtime": ("onnx", "onnxruntime")}
EMBEDDINGS = "data/embeddings/wordnet_minilm.npz"


def installed(contenders: tuple[str, ...]) -> list[str]:
    """Those whose packages are here; of the others, what is missing is told."""
    found = []
    for name in contenders:
        missing = [package for package in NEEDS.get(name, ()) if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{name} is left out: {' and '.join(missing)} not installed", flush=True)
        else:
            found.append(name)
    return found


def run(file: str, n_threads: int, *arguments: Any) -> Any:
    """What a contender answers; SystemExit if it fails."""
    script = Path(__file__).with_name(file)
    environment = os.environ | {"OMP_NUM_THREADS": str(n_threads)}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps([n_threads, *arguments])], stdout=subprocess.PIPE, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{file} failed with {arguments}")
    return json.loads(done.stdout.splitlines()[-1])


def answer(contend: Callable[..., Any]) -> None:
    """In the process of a contender: print what it finds."""
    print(json.dumps(contend(*json.loads(sys.argv[1]))))


def multiply_add_rate(n_threads: int) -> float:
    """The arithmetic peak of float32 at this moment, per second."""
    from sae_fast import _core

    return max(_core.multiply_add_rate(True, n_threads, 0.3) for _ in range(3))


def least_seconds(work: Callable[[], object], seconds: float, before: Callable[[], object] | None = None) -> float:
    """The least time of a call, of all that end before the seconds are over, and of three at least."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        if before is not None:
            before()
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def embeddings() -> Path:
    """The file of glosses and queries; SystemExit, with what is wanted, where it is not."""
    shared = Path(os.environ.get("SAE_FAST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    path = shared / EMBEDDINGS
    if not path.is_file():
        raise SystemExit(f"{EMBEDDINGS} is not in {shared}: set SAE_FAST_SHARED to the folder of the real data sets")
    return path
