"""Mutation testing: put small faults into the code, one at a time, and see whether the tests of its concept fail.

    python tests/mutants/run.py                  # all of them: about an hour on two cores
    python tests/mutants/run.py --only NAME      # one; several --only are allowed
    python tests/mutants/run.py --file csrc/network/layer.cpp
    python tests/mutants/run.py --list

The faults stand in the ``.toml`` files beside this one. Each has a name, the file, the text that is there (``was``,
which occurs once), the text that takes its place (``now``), and the tests that must fail (``killed_by``: arguments of
pytest, or ``csrc`` for ``make -C csrc test``), tried in this order. ``origin`` is ``found`` for faults that the tests
once let through.

The files that git knows are copied to a folder of their own, with the kernels of this machine's best instruction set
alone; tests must pass there before they judge a mutant. A mutant is killed by a failing test, a crash or a
time limit. The exit code is 0 if all are killed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORE = "csrc"
COMPILED = ("csrc/", "src/")
BUILD_LIMIT = 1200  # seconds
KILLED = ("killed", "crashed", "timed out")


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    name: str
    file: str
    was: str
    now: str
    killed_by: list[str]
    origin: str

    def fault_of_table(self, root: Path) -> str | None:
        """Why this mutant cannot be made; None if it can."""
        path = root / self.file
        n = path.read_text().count(self.was) if path.is_file() else -1
        if n != 1:
            return f"{self.file} does not exist" if n < 0 else f"its text occurs {n} times in {self.file}, not once"
        if self.origin not in ("found", "own") or not self.killed_by or self.was == self.now:
            return "it needs an origin (found, own), a test that kills it, and a change"
        missing = [t for t in self.killed_by if t != CORE and not (root / t.split()[0].split("::")[0]).is_file()]
        return f"there is no {missing[0]}" if missing else None


def read_table() -> list[Mutant]:
    """All mutants, in the order of the files."""
    tables = [tomllib.loads(path.read_text()) for path in sorted(HERE.glob("*.toml"))]
    mutants = [Mutant(**entry) for table in tables for entry in table["mutant"]]
    twice = [name for name, n in Counter(m.name for m in mutants).items() if n > 1]
    if twice:
        raise SystemExit(f"names must differ, but there are several of {', '.join(twice)}")
    return mutants


def copy_tree(target: Path) -> None:
    """The files that git knows, or would add, as they are; what is the same already stays untouched."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in sorted(names):
        new = target / name
        if not new.exists() or new.read_bytes() != (ROOT / name).read_bytes():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, new)
    for folder in ("csrc", "src", "sae_fast", "tests"):
        for old in (target / folder).rglob("*"):
            name = str(old.relative_to(target))
            if old.suffix in (".py", ".cpp", ".hpp") and name not in names:
                old.unlink()


class Tree:
    """A copy of the sources in which mutants are built and tested."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder = folder
        copy_tree(folder)
        sys.path.insert(0, str(ROOT))
        from sae_fast import _core

        self.isa = os.environ.get("SAE_FAST_ISA") or _core.available_isas()[-1]
        compiler = os.environ.get("CXX", "g++")
        if shutil.which("ccache") and "ccache" not in compiler:
            compiler = f"ccache {compiler}"
        self._environment = os.environ | {
            "CXX": f"{compiler} -w",  # a fault may well leave a variable unused
            "CCACHE_BASEDIR": str(folder),
            "CCACHE_NOHASHDIR": "1",
            "SAE_FAST_ISAS": self.isa,
            "SAE_FAST_JOBS": str(jobs),
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._jobs = jobs
        self._limits: dict[str, float] = {}
        self._stale = True  # is the extension older than the sources?

    def run(self, command: list[str], limit: float) -> tuple[int | None, str]:
        """Exit code, None after the limit, and what was printed."""
        # In a session of its own, so that nothing that it has started outlives the limit.
        with subprocess.Popen(
            command, cwd=self.folder, env=self._environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
        ) as process:  # fmt: skip
            try:
                out, _ = process.communicate(timeout=limit)
                return process.returncode, out
            except subprocess.TimeoutExpired:
                return None, ""
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def build(self) -> str | None:
        """Compile what changed, if anything did; what the compiler said if it fails."""
        if not self._stale:
            return None
        code, out = self.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], BUILD_LIMIT)
        self._stale = code != 0
        return out if self._stale else None

    def test(self, tests: str, limit: float) -> tuple[int | None, str]:
        """Exit code of pytest or of the core's own tests."""
        if tests != CORE:
            return self.run([sys.executable, "-m", "pytest", "-x", "-q", *shlex.split(tests)], limit)
        make = ["make", "-s", "-j", str(self._jobs), "-C", CORE, f"ISAS={self.isa}", "BUILD=../build/core"]
        code, out = self.run([*make, "all"], BUILD_LIMIT)
        return self.run([*make, "test"], limit) if code == 0 else (2, out)

    def prove(self, tests: str) -> float | None:
        """The tests must pass on the unchanged code; for a mutant they get five times as long, and a minute.

        Returns the seconds that they took, None if they had passed before.
        """
        if tests in self._limits:
            return None
        self.build()
        began = time.monotonic()
        code, out = self.test(tests, BUILD_LIMIT)
        if code != 0:
            raise SystemExit(f"{out}\n{tests} fails without any mutant")
        seconds = time.monotonic() - began
        self._limits[tests] = 60 + 5 * seconds
        return seconds

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """The mutant in place of the original."""
        path = self.folder / mutant.file
        original = path.read_text()
        compiled = mutant.file.startswith(COMPILED)
        path.write_text(original.replace(mutant.was, mutant.now))
        self._stale |= compiled
        try:
            yield
        finally:
            path.write_text(original)
            self._stale |= compiled

    def judge(self, mutant: Mutant) -> tuple[str, str]:
        """What became of the mutant, and by which tests or why."""
        with self.changed(mutant):
            if (said := self.build()) is not None:
                return "not built", said.strip().splitlines()[-1] if said.strip() else ""
            for tests in mutant.killed_by:
                code, out = self.test(tests, self._limits[tests])
                if code == 0:
                    continue
                if code is None:
                    return "timed out", tests
                if tests != CORE and code in (4, 5):
                    raise SystemExit(f"{out}\n{mutant.name}: pytest finds no test for {tests}")
                return ("crashed" if code < 0 else "killed"), _first_failure(out) or tests
        return "survived", " ".join(mutant.killed_by)


def _first_failure(out: str) -> str:
    lines = [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR "))]
    return lines[0].removeprefix("FAILED").removeprefix("ERROR").split(" - ")[0].strip(" :") if lines else ""


def run(tree: Tree, mutants: list[Mutant], report: Callable[[str], None]) -> int:
    """Judge all mutants; the number that are not killed."""
    began = time.monotonic()
    if (said := tree.build()) is not None:
        raise SystemExit(f"{said}\nthe unchanged code does not build")
    report(f"unchanged code, kernels for {tree.isa}: built in {time.monotonic() - began:.0f} s")
    results: list[tuple[Mutant, str]] = []
    for mutant in mutants:
        for tests in mutant.killed_by:
            if (seconds := tree.prove(tests)) is not None:
                report(f"unchanged code passes {tests} ({seconds:.0f} s)")
        start = time.monotonic()
        what, why = tree.judge(mutant)
        results.append((mutant, what))
        report(f"{mutant.name:<44} {mutant.origin:<5} {what:<9} {time.monotonic() - start:>5.0f} s  {why}")
    tree.build()
    for origin in ("found", "own"):
        counts = Counter(what for mutant, what in results if mutant.origin == origin)
        if counts:
            killed, n = sum(counts[k] for k in KILLED), sum(counts.values())
            others = ", ".join(f"{count} {what}" for what, count in counts.items() if what not in KILLED)
            report(f"{origin}: {killed} of {n} killed ({killed / n:.1%}){', ' + others if others else ''}")
    left = [mutant.name for mutant, what in results if what not in KILLED]
    report(f"{(time.monotonic() - began) / 60:.0f} minutes" + (f"; not killed: {', '.join(left)}" if left else ""))
    return len(left)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Put small faults into the code and see whether tests fail.")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="only this mutant; may be repeated")
    parser.add_argument("--file", action="append", default=[], help="only mutants of this file; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the mutants, and run none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilers at a time")
    parser.add_argument("--folder", type=Path, help="where to build, kept for the next run (default: a temporary one)")
    arguments = parser.parse_args()
    table = read_table()
    for name in {*arguments.only} - {m.name for m in table}:
        parser.error(f"--only must be the name of a mutant, got {name!r} (--list shows them)")
    for name in {*arguments.file} - {m.file for m in table}:
        parser.error(f"--file must be a file that has mutants, got {name!r} (--list shows them)")
    mutants = [m for m in table if not arguments.only or m.name in arguments.only]
    mutants = [m for m in mutants if not arguments.file or m.file in arguments.file]
    if arguments.list:
        for m in mutants:
            print(f"{m.name:<44} {m.origin:<5} {m.file:<32} {' '.join(m.killed_by)}")
        print(f"{len(mutants)} mutants of {len({m.file for m in mutants})} files")
    stale = [(m.name, why) for m in mutants if (why := m.fault_of_table(ROOT)) is not None]
    for name, why in stale:
        print(f"{name}: {why}", file=sys.stderr)
    if stale:
        print(f"{len(stale)} mutants do not apply any more: bring the table up to date", file=sys.stderr)
        return 2
    if arguments.list:
        return 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests send it: not ignored, as in the background it is
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return 1 if run(Tree(folder, arguments.jobs), mutants, lambda line: print(line, flush=True)) else 0


if __name__ == "__main__":
    sys.exit(main())
