"""The race: contenders take turns, and the arithmetic peak is probed in the same rounds."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ._contenders import OURS, installed, part
from ._together import ROUNDS, Company, Together, ideal
from ._works import Work

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Seconds between two turns, in which the threads of the one before go to sleep. OpenBLAS's spin for 2^26 cycles, 26 to
# 34 milliseconds: the probe that came after NumPy read a fifth too little.
_REST = 0.06
TOLERANCE = {"float32": 2e-3, "float64": 1e-8}


class Result(NamedTuple):
    """One contender at one work."""

    work: Work
    dtype: str
    contender: str
    best: float
    """Seconds of the fastest run."""
    median: float
    """Seconds of the median run of the best round."""
    limit: float
    """Seconds that the multiply-adds take at the peak probed in the same rounds: ours with the instruction set of the
    contender, the highest of them all for peers."""


class _Process:
    def __init__(self, contender: str, n_threads: int | None, environment: Mapping[str, str]) -> None:
        self.contender, self._n = contender, n_threads
        self._name, self.isa = part(contender)
        threads = {} if n_threads is None else dict.fromkeys(_THREADS, str(n_threads))
        chosen = {"SAE_FAST_ISA": self.isa} if self.isa else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}._worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **threads, **chosen, **environment},
        )

    def ask(self, **command: Any) -> Any:
        """The answer; None if it has none, or has died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            return None
        return json.loads(line) if line else None

    def prepare(self, work: Work, dtype: str) -> list[float] | None:
        """Set the work; the numbers that it gives."""
        numbers: list[float] | None = self.ask(
            do="prepare", contender=self._name, work=work, dtype=dtype, n_threads=self._n
        )
        return numbers

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def race(
    work: Work,
    dtype: str,
    *,
    n_threads: int,
    contenders: Iterable[str] | None = None,
    rounds: int = 5,
    seconds: float = 0.4,
    environments: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Result]:
    """Let the contenders do one work in turns.

    Parameters
    ----------
    work : Work
    dtype : {"float32", "float64"}
    n_threads : int
        Threads of every contender and of the probe.
    contenders : iterable of str, optional
        Some of those that are installed; all by default. ``"sae_fast avx2"`` is ours with that instruction set.
    rounds : int
        Turns of each.
    seconds : float
        Length of a turn.
    environments : mapping, optional
        Environment variables to add for a contender, by name.

    Returns
    -------
    list of Result
        The fastest first; without contenders for whom the work is not.

    Raises
    ------
    ArithmeticError
        A contender computes other numbers than this package.
    """
    names = list(installed() if contenders is None else contenders)
    extra = environments or {}
    processes = [_Process(name, n_threads, extra.get(name, {})) for name in names]
    isas = dict.fromkeys(p.isa for p in processes if part(p.contender)[0] == OURS) or {"": None}
    probes = {isa: _Process("peak", n_threads, {"SAE_FAST_ISA": isa} if isa else {}) for isa in isas}
    try:
        for probe in probes.values():
            probe.prepare(work, dtype)
        numbers = {p.contender: p.prepare(work, dtype) for p in processes}
        _compare(numbers, dtype)
        ready = [p for p in processes if numbers[p.contender] is not None]
        best = {p.contender: float("inf") for p in ready}
        median = dict(best)
        peak = dict.fromkeys(probes, 0.0)
        for _ in range(rounds):
            for isa, probe in probes.items():
                peak[isa] = max(peak[isa], probe.ask(do="run", seconds=min(0.1, seconds)))
                time.sleep(_REST)
            for process in ready:
                times = process.ask(do="run", seconds=seconds)
                best[process.contender] = min(best[process.contender], *times)
                median[process.contender] = min(median[process.contender], statistics.median(times))
                time.sleep(_REST)
    finally:
        for process in (*processes, *probes.values()):
            process.close()
    highest = max(peak.values())
    results = [
        Result(work, dtype, p.contender, best[p.contender], median[p.contender],
               work.multiply_adds / peak.get(p.isa, highest))
        for p in ready
    ]  # fmt: skip
    return sorted(results, key=lambda r: r.best)


def together(work: Together, isa: str = "", *, rounds: int = ROUNDS) -> Company:
    """What a work loses in company, in a fresh process with the environment as it is.

    Parameters
    ----------
    work : Together
    isa : str
        Our instruction set; by default the one that is used by itself.
    rounds : int
        Runs that are timed.

    Raises
    ------
    RuntimeError
        It could not be measured here.
    """
    process = _Process(f"{OURS} {isa}" if isa else OURS, None, {})
    try:
        found = process.ask(do="together", partners=work.partners, rounds=rounds)
    finally:
        process.close()
    if found is None:
        raise RuntimeError(f"{work.name!r} could not be measured")
    best, median = found
    return Company(work, isa, best, median, ideal(work))


def _compare(numbers: Mapping[str, list[float] | None], dtype: str) -> None:
    ours = [name for name, found in numbers.items() if part(name)[0] == OURS and found]
    if not ours:
        return
    wanted = numbers[ours[0]] or []
    for name, found in numbers.items():
        if not found:
            continue
        scale = max(map(abs, wanted), default=1.0)
        if any(abs(a - b) > TOLERANCE[dtype] * scale for a, b in zip(found, wanted, strict=True)):
            raise ArithmeticError(f"{name} computes {found}, {ours[0]} {wanted}")
