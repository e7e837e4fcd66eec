#!/usr/bin/env python
"""Training of sparse codes: a step against the limit of its one dense product, and with --fit a whole fit.

A step is topk with unit-norm decoder rows and Adam, without AuxK and with it, a third of the latents being dead, beside
PyTorch in eager mode and compiled. A fit is that of 3072 latents, 32 of them active, to the 50,000 glosses of the
shared set of sentence embeddings, beside a loop in PyTorch of the same recipe: the same kind of start, minibatches,
learning rate, epochs and seeds. Contenders take turns, each in a process of its own.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

from _contest import embeddings, installed, run

SHAPE = (2048, 384, 3072, 32)  # samples, features, latents, k
AUX = {"AuxK off": 0, "AuxK on": 192}
BARS = {"AuxK off": 2.0, "AuxK on": 3.0}  # times the limit
TIMES = {"torch": 4.0, "torch compiled": 2.5}  # as fast
FIT_TIMES, FVU_MARGIN = 5.0, 0.01


def race_steps(name: str, contenders: list[str], given: argparse.Namespace) -> bool:
    """Print the times of a step; whether all bars are reached, by the same losses."""
    best: dict[str, dict[str, Any]] = {}
    for _ in range(given.rounds):
        for contender in contenders:
            found = run("_ksparse_steps.py", given.threads, contender, *SHAPE, AUX[name], given.seconds)
            first = best.get(contender, found)
            best[contender] = found | {key: min(found[key], first[key]) for key in ("seconds", "limit")}
    limit, ours = min(found["limit"] for found in best.values()), best["ours"]
    misses = [] if ours["seconds"] <= BARS[name] * limit else [f"at most {BARS[name]} x limit"]
    for contender, found in best.items():
        ratio = found["seconds"] / ours["seconds"]
        times = f"{1e3 * found['seconds']:9.3f} ms {found['seconds'] / limit:6.2f} x limit {ratio:6.2f} x ours"
        print(f"{name:10} {contender:15} {times}", flush=True)
        if ratio < TIMES.get(contender, 0):
            misses.append(f"{TIMES[contender]} x as fast as {contender}")
        if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(found["losses"], ours["losses"], strict=True)):
            misses.append(f"the losses of {contender}: {found['losses']}, ours {ours['losses']}")
    return _told(name, misses)


def race_fits(contenders: list[str], given: argparse.Namespace) -> bool:
    """Print time, FVU and dead share of whole fits; whether the bars are reached by their means over the seeds."""
    embeddings()
    sums: dict[str, dict[str, float]] = {}
    for seed in range(given.seeds):
        for contender in contenders:
            found = run("_ksparse_fits.py", given.threads, contender, given.epochs, seed)
            print(f"seed {seed:5} {_fit(contender, found)}", flush=True)
            before = sums.get(contender, dict.fromkeys(found, 0.0))
            sums[contender] = {key: before[key] + value / given.seeds for key, value in found.items()}
    for contender, found in sums.items():
        print(f"{'mean':10} {_fit(contender, found)}", flush=True)
    if "torch" not in sums:
        return True
    ours, torch = sums["ours"], sums["torch"]
    ratio = torch["seconds"] / ours["seconds"]
    print(f"{'fit':10} {ratio:.2f} x as fast as torch, FVU {100 * (ours['fvu'] / torch['fvu'] - 1):+.2f} %", flush=True)
    misses = [] if ratio >= FIT_TIMES else [f"{FIT_TIMES} x as fast as torch"]
    if ours["fvu"] > (1 + FVU_MARGIN) * torch["fvu"]:
        misses.append(f"torch's FVU within {FVU_MARGIN:.0%}")
    if ours["dead"] > torch["dead"]:
        misses.append("a dead share that is no larger")
    return _told("fit", misses)


def _fit(contender: str, found: dict[str, float]) -> str:
    return f"{contender:15} {found['seconds']:8.2f} s, FVU {found['fvu']:.4f}, dead {100 * found['dead']:.2f} %"


def _told(name: str, misses: list[str]) -> bool:
    for miss in misses:
        print(f"{name:10} MISSED: {miss}", flush=True)
    return not misses


def main() -> int:
    """Print times and limits; 1 if a bar is missed, or if contenders' losses differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each contender in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help="whole fits instead of steps; some minutes")
    parser.add_argument("--epochs", type=int, default=6, help="of a fit")
    parser.add_argument("--seeds", type=int, default=2, help="fits of each contender")
    given = parser.parse_args()
    if given.fit:
        return int(not race_fits(installed(("ours", "torch")), given))
    contenders = installed(("ours", "torch", "torch compiled"))
    return int(not all([race_steps(name, contenders, given) for name in AUX]))


if __name__ == "__main__":
    sys.exit(main())
