#!/usr/bin/env python
"""``sae-fast transform`` of large files, 784 -> 196 in float32: peak memory, and time beside that of reading.

Wanted: at most 300 MiB beyond the interpreter's for every kind; of ``.npy`` 0.85 of the speed of the same work on an
array in memory, its file in the cache of the system; of Parquet and CSV 0.9 of what pyarrow alone needs to read them.
By default 4 GiB of .npy, 2 GB of Parquet and 1 GB of CSV; ``--share 0.1`` takes a tenth of each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

V, H = 784, 196
ALLOWED = 300 << 20
BLOCK = 4096
MAKE_MODEL = f"""
import sys, numpy as np, sae_fast as sf
sf.Encoder(sf.init_params({V}, {H}, random_state=0, dtype=np.float32)).save(sys.argv[1])
"""
FROM_MEMORY = """
import sys, time, numpy as np, sae_fast as sf
from sae_fast.files._arrays_write import writing
from sae_fast.streams._source import default_rows
encoder, X = sf.load(sys.argv[1]), np.load(sys.argv[2])
rows, names = default_rows(X.shape[1]), [str(j) for j in range(encoder.n_hidden)]
begin = time.perf_counter()
with writing(sys.argv[3], (len(X), len(names)), X.dtype, names) as write:
    for i in range(0, len(X), rows):
        write(encoder(X[i : i + rows]))
print(time.perf_counter() - begin)
"""
FROM_FILE = """
import sys, time
from sae_fast.cli import main
begin = time.perf_counter()
code = main(["transform", *sys.argv[1:3], "-o", sys.argv[3]])
print(time.perf_counter() - begin)
assert code == 0
"""
BY_ARROW = {
    ".parquet": """
import sys, time, pyarrow.parquet
begin = time.perf_counter()
for batch in pyarrow.parquet.ParquetFile(sys.argv[2]).iter_batches(4096):
    pass
print(time.perf_counter() - begin)
""",
    ".csv": """
import sys, time, pyarrow.csv
begin = time.perf_counter()
for batch in pyarrow.csv.open_csv(sys.argv[2]):
    pass
print(time.perf_counter() - begin)
""",
}


def make_npy(path: Path, size: float) -> None:
    """An array of so many bytes."""
    n = int(size) // (4 * V)
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, V))
    for i in range(0, n, BLOCK):
        X[i : i + BLOCK] = rng.random((min(BLOCK, n - i), V), np.float32)


def make_parquet(path: Path, size: float, columns: bool) -> None:
    """Embeddings in one column of lists, or a column for each feature, in row groups of some megabytes."""
    import pyarrow as pa
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    kind = pa.list_(pa.float32(), V)
    schema = pa.schema([(f"x{j}", pa.float32()) for j in range(V)] if columns else [("x", kind)])
    with pa.parquet.ParquetWriter(path, schema) as file:
        for _ in range(max(1, int(size) // (4 * V * 2 * BLOCK))):
            X = rng.random((2 * BLOCK, V), np.float32)
            arrays = list(X.T.copy()) if columns else [pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), V)]
            file.write_table(pa.table(arrays, schema=schema))


def make_csv(path: Path, size: float) -> None:
    """Numbers of six digits, as text."""
    import pyarrow as pa
    import pyarrow.csv

    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        head = True
        while file.tell() < size:
            X = np.round(rng.random((BLOCK, V)), 6)
            table = pa.table({f"x{j}": X[:, j] for j in range(V)})
            pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=head))
            head = False


PEAK = """
import re, pathlib  # not by getrusage, which begins with the peak of the process that started this one
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) * 1024)
"""


def run(code: str, *words: Path) -> tuple[float, int]:
    """Seconds that the program prints, and the peak of its memory in bytes."""
    command = [sys.executable, "-c", code + PEAK, *map(str, words)]
    *seconds, peak = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(seconds[0]) if seconds else 0.0, int(peak)


def judge(name: str, rounds: int, whose: str, other: str, words: list[Path], least: float, base: int) -> bool:
    """Both programs in turn; prints the best of each, and says whether speed and memory are as wanted."""
    best, theirs, peak = np.inf, np.inf, 0
    for _ in range(rounds):
        seconds, memory = run(FROM_FILE, *words)
        best, peak = min(best, seconds), max(peak, memory)
        theirs = min(theirs, run(other, *words)[0])
        words[2].unlink()
    share, beyond = theirs / best, peak - base
    good = share >= least and beyond <= ALLOWED
    size = words[1].stat().st_size / 1e9
    print(
        f"{name:22} {size:6.2f} GB {best:7.2f} s, {whose} {theirs:7.2f} s: {share:5.2f} of its speed (>= {least}); "
        f"{beyond / 2**20:6.1f} MiB beyond the interpreter (<= 300) {'' if good else '  MISSED'}",
        flush=True,
    )
    return good


def main() -> int:
    """Make the files, measure, print; 1 if something is not as wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts (default: 3)")
    parser.add_argument("--folder", help="where the files are made (default: a temporary one)")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    arguments = parser.parse_args()
    base = run("")[1]
    good = True
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        model, out = folder / "model.safetensors", folder / "codes.npy"
        run(MAKE_MODEL, model)
        kinds = {
            ".npy": (make_npy, 4 * 2**30, FROM_MEMORY, "from memory", 0.85),
            ".parquet, lists": (lambda p, s: make_parquet(p, s, False), 2e9, BY_ARROW[".parquet"], "pyarrow", 0.9),
            ".parquet, 784 columns": (lambda p, s: make_parquet(p, s, True), 2e9, BY_ARROW[".parquet"], "pyarrow", 0.9),
            ".csv": (make_csv, 1e9, BY_ARROW[".csv"], "pyarrow", 0.9),
        }
        for kind, (make, size, other, whose, least) in kinds.items():
            if arguments.only in kind:
                data = folder / f"X{kind.split(',')[0]}"
                begin = time.perf_counter()
                make(data, size * arguments.share)
                print(f"made {kind} in {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
                good &= judge(kind, arguments.rounds, whose, other, [model, data, out], least, base)
                data.unlink()
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
