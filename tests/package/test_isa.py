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
