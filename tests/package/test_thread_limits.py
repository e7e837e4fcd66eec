"""Where threads cannot be had, a call works with fewer and gives the same bits; it never ends the process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.networks import make
from tests.helpers.paths import ROOT

SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}
PROGRAM = """
import os, resource, sys, threading
import numpy as np
import sae_fast as sf
from tests.helpers.networks import make

SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}
params, X = make(4000, 64, 32)
wanted = sf.cost_and_grad(params, X, **SETTINGS, n_threads=1)

def same(n_threads):
    J, grad = sf.cost_and_grad(params, X, **SETTINGS, n_threads=n_threads)
    assert J == wanted[0] and all(np.array_equal(a, b) for a, b in zip(grad, wanted[1]))

def n_threads_of_process():
    return len(os.listdir("/proc/self/task"))

"""
needs_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits are set as on Linux")
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs a user of its own, whose threads nobody else counts"
)
needs_openmp = pytest.mark.skipif(not sf._core.has_openmp(), reason="built without OpenMP: no threads")


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_linux
@pytest.mark.parametrize("room", [10, 20, 40, 400])
def test_address_space(room):
    """With so many megabytes of address space left (a stack takes 8), a call has the threads that there are."""
    run(
        f"""
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + ({room} << 20),) * 2)
for n in (2, 8, 4):
    same(n)
"""
    )


@needs_linux
@needs_root
@pytest.mark.parametrize("most", [1, 5, 9])
def test_number_of_processes(most):
    """With so many threads allowed to the user (RLIMIT_NPROC), a call has no more, and takes what there are."""
    out = run(
        f"""
os.setuid(54321)
resource.setrlimit(resource.RLIMIT_NPROC, ({most}, {most}))
before = n_threads_of_process()
for n in (2, 8, 3, 4096, 6):
    same(n)
    print(n, n_threads_of_process())
"""
    )
    rows = [tuple(map(int, line.split())) for line in out.splitlines()]
    assert all(there <= max(most, 2) for _, there in rows)
    if sf._core.has_openmp() and most == 9:
        assert dict(rows)[8] >= 8


@needs_linux
@needs_openmp
@needs_root
def test_two_callers_do_not_count_on_the_same_threads():
    """Python threads that start their teams together, under one limit, all get their answer."""
    run(
        """
os.setuid(54322)
resource.setrlimit(resource.RLIMIT_NPROC, (24, 24))
right = []
start = threading.Barrier(8)
def work():
    start.wait()
    for n in (4, 2, 8, 3):
        same(n)
        right.append(n)
callers = [threading.Thread(target=work) for _ in range(8)]
for caller in callers: caller.start()
for caller in callers: caller.join()
assert len(right) == 32
"""
    )


@needs_openmp
@pytest.mark.parametrize("stack", ["64M", "200000B"])
def test_stack_size(stack):
    """Stacks of another size (OMP_STACKSIZE) are what is tried out."""
    run(
        """
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)
same(8)
""",
        OMP_STACKSIZE=stack,
    )


@needs_openmp
def test_more_threads_than_are_of_use_are_not_made():
    """n_threads is bounded by 64, or four to a processor."""
    most = max(64, 4 * len(os.sched_getaffinity(0)))
    out = run("before = n_threads_of_process()\nsame(4096)\nprint(n_threads_of_process() - before)")
    assert int(out) < most
    sf.set_num_threads(4096)
    try:
        assert sf.get_num_threads() == most
    finally:
        sf.set_num_threads(None)


@needs_openmp
@pytest.mark.parametrize(("quota", "wanted"), [("max 100000", 8), ("150000 100000", 2), ("100000 100000", 1), ("5", 8)])
def test_a_quota_of_the_cgroup_is_heeded(tmp_path, quota, wanted):
    """The default is no more than the whole processors that cpu.max is worth, of 8 that a library here has."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and LD_PRELOAD")
    (tmp_path / "cpu.max").write_text(quota)
    (tmp_path / "other.c").write_text(
        """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
FILE *fopen(const char *path, const char *mode) {
    FILE *(*next)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");
    return next(strcmp(path, "/sys/fs/cgroup/cpu.max") == 0 ? getenv("OTHER_CPU_MAX") : path, mode);
}
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
    memset(set, 0, size);
    for (int i = 0; i < 8; ++i) CPU_SET(i, set);
    return 0;
}
int pthread_getaffinity_np(unsigned long thread, size_t size, cpu_set_t *set) {
    return sched_getaffinity(0, size, set);
}
"""
    )
    library = tmp_path / "other.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "other.c", "-ldl"], check=True)
    clean = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", "import sae_fast; print(sae_fast.get_num_threads())"],
        env=clean | {"LD_PRELOAD": str(library), "OTHER_CPU_MAX": str(tmp_path / "cpu.max"), "OMP_DYNAMIC": "false"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == wanted


@pytest.mark.parametrize("n_threads", [0, -1, 4097, 2**70, -(2**70), True, 1.5, "2"])
def test_one_rule_for_n_threads(n_threads):
    """Every call refuses the same numbers in the same words, however large they are."""
    params, X = make(5, 4, 3)
    out = sf.Params(*(np.empty_like(a) for a in params))
    encoder = sf.Encoder(params)
    calls = [
        lambda: sf.encode(params, X, n_threads=n_threads),
        lambda: sf.cost_and_grad(params, X, **SETTINGS, n_threads=n_threads),
        lambda: sf.cost_and_grad(params, X, **SETTINGS, out=out, n_threads=n_threads),
        lambda: sf.Objective(X, 3, n_threads=n_threads),
        lambda: sf.Adam(params, n_threads=n_threads),
        lambda: sf.train(params, X, n_threads=n_threads),
        lambda: sf.set_num_threads(n_threads),
        lambda: encoder(X, n_threads=n_threads),
        lambda: sf.StackEncoder([encoder])(X, n_threads=n_threads),
        lambda: sf.SparseAutoencoder(2, max_iter=1, n_threads=n_threads).fit(X),
    ]
    words = []
    for call in calls:
        with pytest.raises((TypeError, ValueError), match="n_threads must be") as caught:
            call()
        words.append((caught.type, str(caught.value)))
    assert len(set(words)) == 1, words
