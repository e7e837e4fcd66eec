"""Fuzz the C++ reader of model files, its JSON, and exported C, under AddressSanitizer and UndefinedBehaviorSanitizer.

In a checkout, with clang's libFuzzer (Debian: clang-14 and libclang-rt-14-dev)::

    python -m tests.fuzz                          # 10 seconds a target
    python -m tests.fuzz --seconds 600            # what is run before a release
    python -m tests.fuzz --seconds 600 json       # one target
    python -m tests.fuzz --corpus FOLDER          # go on from what an earlier run has found

Seeds are generated: model files of every kind, and JSON and weights out of them. An input that crashes, hangs for 10
seconds, leaks or takes 2 GB ends the run with exit code 1, and is kept in the folder that is named.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sae_fast as sf
from tests.helpers.cpp_reader import CSRC, FLAGS, READER
from tests.helpers.hostile_files import KINDS, stored

HERE = Path(__file__).parent
SANITIZE = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1")
UNSIGNED = "-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"  # a checksum would let nothing through to what is behind it
TARGETS = ("model_file", "json", "exported")


def main(argv=None):
    """Exit code: 0, or 1 if a target found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads bytes in C and C++.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--corpus", help="folder of inputs, which grows; a temporary one by default")
    parser.add_argument("--clang", default="clang-14", help="compiler with libFuzzer")
    arguments = parser.parse_args(argv)
    for name in arguments.targets:
        if name not in TARGETS:
            parser.error(f"TARGET must be one of {', '.join(TARGETS)}, got {name}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = _models(folder)
        corpus = Path(arguments.corpus) if arguments.corpus else folder / "corpus"
        good = True
        for name in arguments.targets or TARGETS:
            program = _compile(name, folder, arguments.clang)
            (corpus / name).mkdir(parents=True, exist_ok=True)
            for seed, data in _seeds(name, folder, models):
                (corpus / name / seed).write_bytes(data)
            good &= _run(name, program, corpus / name, _words(models), arguments.seconds)
    return 0 if good else 1


def _models(folder):
    """Bytes of a model file of each kind."""
    found = {}
    path = folder / "model.safetensors"
    for kind, make in KINDS.items():
        make().save(path)
        found[kind.replace(" ", "-")] = (path.read_bytes(), stored(path))
    return found


def _compile(name, folder, clang):
    """The target as a program, its files compiled side by side."""
    if name == "exported":
        layers = [sf.Encoder(sf.init_params(n, m, random_state=0), hidden="tanh") for n, m in ((9, 5), (5, 3))]
        sf.export_c(sf.StackEncoder(layers), folder / "inside.c", dtype="float")
        sf.export_c(sf.StackEncoder(layers), folder / "outside.c", weights=folder / "weights.bin")
        sources = [HERE / "exported.cpp", folder / "inside.c", folder / "outside.c"]
        flags, compiler = [f"-I{folder}"], clang
    else:
        sources = [
            HERE / f"{name}.cpp",
            *(READER if name == "model_file" else sorted((CSRC / "files").glob("json_*.cpp"))),
        ]
        flags, compiler = [*FLAGS, UNSIGNED], re.sub("clang", "clang++", clang)
    objects = [folder / f"{name}.{source.parent.name}.{source.stem}.o" for source in sources]
    cache = [shutil.which("ccache")] if shutil.which("ccache") else []
    running = [
        subprocess.Popen([*cache, compiler, *SANITIZE, *flags, "-c", str(source), "-o", str(target)])
        for source, target in zip(sources, objects, strict=True)
    ]
    if any([process.wait() for process in running]):
        raise SystemExit(f"{name} does not compile")
    program = folder / name
    subprocess.run([compiler, *SANITIZE, *map(str, objects), "-o", str(program)], check=True)
    return program


def _seeds(name, folder, models):
    """Names and bytes of inputs that are right."""
    for kind, (data, _) in models.items():
        length = int.from_bytes(data[:8], "little")
        if name == "model_file":
            yield kind, data
        elif name == "json":
            yield kind, data[8 : 8 + length]
    if name == "exported":
        yield "weights", (folder / "weights.bin").read_bytes()


def _words(models):
    """Names in the files, and numbers and texts that break parsers: a dictionary for libFuzzer."""
    words = {"NaN", "-Infinity", "1e400", "-0", "4.9e-324", "\\ud800", "\\u0000", "F32", "F64", "I8", "null", "true"}
    for _, (tensors, about) in models.values():
        words |= {*tensors, *about, *about.get("hyper_parameters", ()), *about.get("fitted", ())}
    return words


def _run(name, program, corpus, words, seconds):
    dictionary = corpus.parent / f"{name}.dict"
    quoted = ('"' + word.replace("\\", "\\\\") + '"\n' for word in sorted(words))
    dictionary.write_text("".join(quoted))
    kept = Path(tempfile.gettempdir(), f"fuzz-{name}-{os.getpid()}-")
    command = [
        str(program), str(corpus), f"-max_total_time={seconds}", f"-dict={dictionary}", "-max_len=20000", "-timeout=10",
        "-rss_limit_mb=2048", f"-artifact_prefix={kept}", "-print_final_stats=1", "-verbosity=0",
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    n = runs[1] if runs else "?"
    verdict = "nothing found" if done.returncode == 0 else "FAILED"
    print(f"{name}: {n} inputs in {time.perf_counter() - began:.0f} s, {verdict}", flush=True)
    if done.returncode:
        print(done.stderr[-6000:], f"\nthe input is kept: {kept}*", file=sys.stderr)
    return done.returncode == 0 and runs is not None and int(n) > 100


if __name__ == "__main__":
    raise SystemExit(main())
