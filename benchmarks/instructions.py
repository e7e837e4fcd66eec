#!/usr/bin/env python
"""Count the instructions of four works under callgrind, on the AVX2 path, and compare them with the budget.

A guard that noise cannot fool: more than 3 % over the budget is an error. The budget holds for one compiler version;
with another one the counts are shown, and the last line says that nothing was judged. ``--update`` writes what was
counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUDGET = HERE / "instructions.json"
WORKS = {  # repetitions that are counted
    "cost_and_grad 512 x 784 -> 196 float32": 1,
    "cost_and_grad 2000 x 64 -> 25 float32": 2,
    "cost_and_grad 16 x 64 -> 25 float64": 100,
    "encode_one 1 x 784 -> 196 float32": 100,
}
ALLOWED = 1.03


def build(compiler: str) -> Path:
    """The program that callgrind runs."""
    csrc = HERE.parent / "csrc"
    subprocess.run(["make", "-s", "-C", str(csrc), "instructions", f"CXX={compiler}"], check=True)
    where = subprocess.check_output(["make", "-s", "-C", str(csrc), "where", f"CXX={compiler}"], text=True)
    return (csrc / where.strip() / "instructions").resolve()


def count(program: Path, work: str, repetitions: int) -> int:
    """Instructions of the whole process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/out",
            str(program),
            work,
            str(repetitions),
        ]
        done = subprocess.run(command, env={**os.environ, "SAE_FAST_ISA": "avx2"}, capture_output=True, text=True)
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise SystemExit(f"callgrind failed on {work}:\n{done.stderr}")
    return int(found.group(1))


def main() -> int:
    """Count and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the budget")
    arguments = parser.parse_args()
    compiler = os.environ.get("CXX", "g++")
    version = subprocess.check_output([compiler, "-dumpfullversion"], text=True).strip()
    program = build(compiler)
    budget = json.loads(BUDGET.read_text(encoding="utf-8")) if BUDGET.exists() else {}
    known = budget.get("compiler") == f"{Path(compiler).name} {version}"
    counted, over = {}, []
    for work, n in WORKS.items():
        counted[work] = (count(program, work, 1 + n) - count(program, work, 1)) // n
        allowed = budget.get("instructions", {}).get(work)
        ratio = f"{counted[work] / allowed:.3f} x the budget" if known and allowed else "no budget for this compiler"
        print(f"{work:40} {counted[work]:>12,} instructions: {ratio}")
        if known and allowed and counted[work] > ALLOWED * allowed:
            over.append(work)
    if arguments.update:
        made = {"compiler": f"{Path(compiler).name} {version}", "instructions": counted}
        BUDGET.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    elif not known:
        print(f"JUDGED NOTHING: the budget is for {budget.get('compiler')}, this is {Path(compiler).name} {version}")
    for work in over:
        print(f"OVER the budget by more than 3 %: {work}")
    return int(bool(over) and not arguments.update)


if __name__ == "__main__":
    sys.exit(main())
