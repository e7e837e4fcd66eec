#!/usr/bin/env python
"""Sparse codes against the limit of their one dense product, at the peak probed beside it; and the memory they take.

Contenders take turns, each in a process of its own; the best of all rounds counts. PyTorch (product and topk) and ONNX
Runtime (Gemm and TopK) join where they are installed, ONNX Runtime with onnx, which makes its model.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any, NamedTuple

from _contest import installed, run


class Work(NamedTuple):
    """What is encoded, and what is wanted of it."""

    n_samples: int
    n_features: int
    n_latents: int
    k: int
    activation: str
    bar: float = math.inf  # times the limit
    by_torch: float = 0.0  # times as fast
    by_onnx: float = 0.0
    mebibytes: float = math.inf  # more than data and weights

    def misses(self, seconds: dict[str, float], limit: float, extra: float) -> list[str]:
        """Bars that these times and this memory do not reach."""
        ours = seconds["ours"]
        found = [f"{ours / limit:.2f} x limit, wanted {self.bar}"] if ours > self.bar * limit else []
        for name, wanted in {"torch": self.by_torch, "ONNX Runtime": self.by_onnx}.items():
            if name in seconds and seconds[name] < wanted * ours:
                found.append(f"{seconds[name] / ours:.2f} x as fast as {name}, wanted {wanted}")
        return found + ([f"{extra:.0f} MiB, wanted {self.mebibytes:.0f}"] if extra > self.mebibytes else [])


WORKS = {
    "topk 384 -> 6144, k 32": Work(10_000, 384, 6144, 32, "topk", 1.20, 1.7, 1.7),
    "topk 768 -> 24576, k 64": Work(10_000, 768, 24576, 64, "topk", 1.15, 1.35, mebibytes=100),
    "jumprelu 768 -> 16384, L0 60": Work(10_000, 768, 16384, 60, "jumprelu", 1.15),
    "one row 384 -> 6144, k 32": Work(1, 384, 6144, 32, "topk", by_torch=3),
}


def race(name: str, work: Work, contenders: list[str], given: argparse.Namespace) -> bool:
    """Print the times of all; whether all bars are reached, by codes that are the same."""
    best: dict[str, dict[str, Any]] = {}
    for _ in range(given.rounds):
        for contender in contenders:
            found = run("_ksparse_encoding.py", given.threads, contender, *work[:5], given.seconds)
            first = best.get(contender, found)
            best[contender] = {key: min(value, first[key]) for key, value in found.items()}
    limit, ours = min(found["limit"] for found in best.values()), best["ours"]
    for contender, found in best.items():
        times = f"{1e3 * found['seconds']:9.3f} ms {found['seconds'] / limit:6.2f} x limit"
        print(f"{name:30} {contender:12} {times} {found['seconds'] / ours['seconds']:6.2f} x ours", end=" ")
        print(f"{found['extra']:6.0f} MiB more", flush=True)
    misses = work.misses({contender: found["seconds"] for contender, found in best.items()}, limit, ours["extra"])
    for contender, found in best.items():
        if not math.isclose(found["total"], ours["total"], rel_tol=1e-5):
            misses.append(f"codes of {contender} are others")
    for miss in misses:
        print(f"{name:30} MISSED: {miss}", flush=True)
    return not misses


def main() -> int:
    """Print times, limits and memory; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each contender in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="works with this in their name")
    given = parser.parse_args()
    contenders = installed(("ours", "torch", "ONNX Runtime"))
    reached = [
        race(name, work, contenders if work.activation == "topk" else ["ours"], given)
        for name, work in WORKS.items()
        if given.only in name
    ]
    return int(not all(reached))


if __name__ == "__main__":
    sys.exit(main())
