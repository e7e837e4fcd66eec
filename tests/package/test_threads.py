"""Thread control: defaults, limits, fork, and many callers at once."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import threadpoolctl

import sae_fast as sf
from tests.helpers.networks import make

pytestmark = pytest.mark.core

SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}


@pytest.fixture(autouse=True)
def _restore_threads():
    yield
    sf.set_num_threads(None)


def default_threads(**environment):
    clean = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    code = "import sae_fast; print(sae_fast.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_set_and_get():
    """set_num_threads sets what get_num_threads says; None returns to the machine's number."""
    machine = sf.get_num_threads()
    sf.set_num_threads(3)
    assert sf.get_num_threads() == 3
    sf.set_num_threads(None)
    assert sf.get_num_threads() == machine
    with pytest.raises(ValueError, match="n_threads must be >= 1"):
        sf.set_num_threads(0)


def test_default_is_what_the_process_may_use():
    """Without OMP_NUM_THREADS the default is at most the processors of this process; with it, its value."""
    if not sf._core.has_openmp():
        pytest.skip("built without OpenMP: always one thread")
    assert 1 <= default_threads() <= len(os.sched_getaffinity(0))
    assert default_threads(OMP_NUM_THREADS="5") == 5
    assert default_threads(OMP_NUM_THREADS="1") == 1


def test_default_follows_the_affinity():
    """A process that is bound to one processor after the import has one thread by default."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity here")
    code = (
        "import os, sae_fast; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "print(sae_fast.get_num_threads())"
    )
    clean = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_threadpoolctl_limits_hold():
    """A limit set by threadpoolctl is the default within it."""
    with threadpoolctl.threadpool_limits(1):
        assert sf.get_num_threads() == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_after_use_works_on_one_thread():
    """A child forked after a parallel call gets the same bits, on one thread, and does not hang."""
    params, X = make(4000, 64, 32)
    wanted = sf.cost_and_grad(params, X, **SETTINGS, n_threads=2)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def child():
        J, grad = sf.cost_and_grad(params, X, **SETTINGS, n_threads=2)
        results.put((J, sf.get_num_threads(), all(np.array_equal(a, b) for a, b in zip(grad, wanted[1]))))

    process = context.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    J, n_threads, same = results.get()
    assert wanted[0] == J
    assert same
    assert n_threads == (1 if sf._core.has_openmp() else sf.get_num_threads())


def test_fork_before_use_inherits_what_was_set():
    """A child of a process that has only loaded a model has the threads that were set there."""
    if not sf._core.has_openmp() or not hasattr(os, "fork"):
        pytest.skip("built without OpenMP, or no fork here")
    code = (
        "import os, sae_fast\nfor n in (1, 3):\n    sae_fast.set_num_threads(n)\n    child = os.fork()\n"
        "    if child == 0: os._exit(sae_fast.get_num_threads())\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "3"]


def test_many_callers_at_once():
    """Python threads that call at the same time each get their own right answer."""
    problems = [make(900 + 10 * i, 40, 20, seed=i) for i in range(8)]
    wanted = [sf.cost_and_grad(p, X, **SETTINGS) for p, X in problems]
    wrong = []

    def work(i):
        for _ in range(20):
            J, grad = sf.cost_and_grad(*problems[i], **SETTINGS, n_threads=2)
            if wanted[i][0] != J or not np.array_equal(grad.W1, wanted[i][1].W1):
                wrong.append(i)

    callers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_show_config_tells_what_a_bug_report_needs(capsys):
    """Version, compiler, instruction set, OpenMP and threads are printed."""
    sf.show_config()
    out = capsys.readouterr().out
    for word in ("sae_fast", sf.__version__, "numpy", "compiler", "instruction set", "openmp", "threads"):
        assert word in out
