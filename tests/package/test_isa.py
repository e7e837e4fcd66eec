"""The instruction set of the kernels: chosen at import, pinned by SAE_FAST_ISA, and the probe of its peak."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sae_fast import _core


def isa_with(wanted: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from sae_fast import _core; print(_core.isa())"],
        env=os.environ | {"SAE_FAST_ISA": wanted},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", _core.available_isas())
def test_a_name_pins_the_kernels(name):
    """Each instruction set of this machine can be had by its name."""
    assert isa_with(name).stdout == f"{name}\n"


def test_no_name_takes_the_best():
    """An empty SAE_FAST_ISA is as none: the last of those that this machine can run."""
    assert isa_with("").stdout == f"{_core.available_isas()[-1]}\n"


@pytest.mark.parametrize("name", ["avx", "avx5", "avx2 ", "sse9"])
def test_a_wrong_name_is_an_error_with_the_right_ones(name):
    """What begins like a name is none; the error lists the names."""
    done = isa_with(name)
    assert done.returncode != 0
    assert f"SAE_FAST_ISA must be one of {', '.join(_core.available_isas())} on this machine, got {name}" in done.stderr


@pytest.mark.parametrize("float32", [True, False])
def test_peak_counts_every_round(float32):
    """The probe counts all rounds of a measurement: one alone in 0.2 s would be a hundredth of any processor's rate."""
    assert _core.multiply_add_rate(float32, 1, 0.2) > 1e8


OF_LARGE_LAYERS = """
import hashlib, numpy as np, sae_fast as sf
X = np.random.default_rng(0).uniform(0.1, 0.9, (700, 300)).astype(np.float32)
params = sf.init_params(300, 900, random_state=0, dtype=np.float32)
settings = dict(rho=0.05, beta=3.0, weight_decay=1e-4)
J, grad = sf.cost_and_grad(params, X, **settings)
parts = [np.float64(J), *grad, *sf.deltas(params, X, rho=0.05, beta=3.0), sf.encode(params, X)]
print(hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in parts)).hexdigest())
"""


def test_the_size_of_a_cache_changes_no_bit():
    """SAE_FAST_L2 moves the order of work: weights of 1 MB are near to one machine and far to another."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", OF_LARGE_LAYERS],
            env=os.environ | {"SAE_FAST_L2": size, "OMP_NUM_THREADS": "2"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for size in ("1", "262144", "1048576", "16777216", "none", "-5")
    }
    assert len(digests) == 1
