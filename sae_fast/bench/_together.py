"""Ours beside others: in turn with packages whose threads still spin, and with one processor that is kept busy.

Not how fast we are, but what is lost in company: the time with others over the time that it should take.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ._works import SETTINGS

ROUNDS = 20
_REST = 0.3  # seconds in which the threads of others go to sleep

_SPIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
print(flush=True)
while os.getppid() == int(sys.argv[2]):
    for _ in range(100_000):
        pass
"""


class Together(NamedTuple):
    """One thing to do in company; ``partners`` are of ``product``, ``kmeans``, ``ours`` and ``busy``."""

    name: str
    partners: tuple[str, ...]
    package: str = "numpy"
    """Needed besides."""

    @property
    def is_ours(self) -> bool:
        """Do we take part?"""
        return bool({"ours", "busy"} & set(self.partners))

    def left_out(self) -> str | None:
        """Why it cannot be done here; None if it can."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if "busy" in self.partners and (not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2):
            return "it takes two processors, and a system that pins processes to them"
        return None


TOGETHER = (
    Together("cost_and_grad 256 x 784 -> 200 in turn with A @ A 256 x 256", ("ours", "product")),
    Together("cost_and_grad 256 x 784 -> 200 in turn with KMeans 4000 x 16", ("ours", "kmeans"), "sklearn"),
    Together("without us: A @ A in turn with KMeans", ("product", "kmeans"), "sklearn"),
    Together("cost_and_grad 10000 x 784 -> 196, one of two processors kept busy", ("busy",)),
)


class Company(NamedTuple):
    """Multiples of the time that it should take: the sum of both alone, or the time with no one else there."""

    work: Together
    isa: str
    best: float
    median: float
    ideal: float


def _ours(m: int, h: int, n_threads: int | None = None) -> Callable[[], object]:
    import sae_fast as sf

    X = np.random.default_rng(0).random((m, 784), dtype=np.float32)
    params = sf.init_params(784, h, random_state=0, dtype=np.float32)
    grad = sf.Params(*(np.empty_like(p) for p in params))
    return lambda: sf.cost_and_grad(params, X, **SETTINGS, out=grad, n_threads=n_threads)


def _product() -> Callable[[], object]:
    A = np.random.default_rng(0).random((256, 256))
    return lambda: A @ A


def _kmeans() -> Callable[[], object]:
    from sklearn.cluster import KMeans

    points = np.random.default_rng(0).random((4000, 16))
    return lambda: KMeans(8, n_init=1, max_iter=10, random_state=0).fit(points)


def _times(f: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each run, after a rest and one that does not count."""
    time.sleep(_REST)
    f()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        f()
        times.append(time.perf_counter() - began)
    return times


def measure(partners: tuple[str, ...], rounds: int = ROUNDS) -> tuple[float, float]:
    """Best and median ratio of a :class:`Together`, in this process, which should have done nothing else yet."""
    if partners == ("busy",):
        return _beside_busy(rounds)
    makers = {"ours": lambda: _ours(256, 200), "product": _product, "kmeans": _kmeans}
    first, second = (makers[name]() for name in partners)
    alone = [_times(f, rounds) for f in (first, second)]
    both = _times(lambda: (first(), second()), rounds)
    return min(both) / sum(map(min, alone)), statistics.median(both) / sum(map(statistics.median, alone))


@contextmanager
def _busy(cpu: int) -> Iterator[None]:
    """A process that does nothing but turn on one processor, until this one ends it or ends."""
    command = [sys.executable, "-c", _SPIN, str(cpu), str(os.getpid())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def _beside_busy(rounds: int) -> tuple[float, float]:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cpus)  # before there are other threads, which inherit it
    f = _ours(10_000, 196, 2)
    quiet = _times(f, rounds)
    with _busy(cpus[1]):
        busy = _times(f, rounds)
    return min(busy) / min(quiet), statistics.median(busy) / statistics.median(quiet)


def ideal(work: Together) -> float:
    """The ratio of perfect company: two processors do the work of one and a half where one of them is shared."""
    return 2 / 1.5 if "busy" in work.partners else 1.0
