"""Signals at any moment and full disks: exit codes as documented, nothing left behind, no half files."""

from __future__ import annotations

import contextlib
import signal
import subprocess

import numpy as np
import pytest

from tests.helpers.endings import COMMANDS, FORMATS, SIGNALS, Place, end_by_signal, fill_disk


@pytest.fixture(scope="module", name="place")
def _place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("endings"))


@pytest.mark.parametrize("which", SIGNALS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_leaves_nothing_half_done(place, name, which):
    """TERM, HUP and INT end a command with the documented code; its target is the old file or the new one."""
    end_by_signal(place, name, which, np.random.default_rng([len(name), len(which)]), 0.5)


@pytest.mark.parametrize(("name", "suffix"), FORMATS)
def test_a_full_disk_leaves_nothing_half_done(place, name, suffix):
    """Every format says that there is no space, and keeps what was there."""
    fill_disk(place, name, suffix, old=True)


def test_nohup_is_heeded(place):
    """Signals that were ignored when the command began stay so: it ends by itself."""
    target = place.out / "target.safetensors"
    words = [word.replace("1000000", "30") for word in place.command("fit", target)]
    process = place.start(words, heed=signal.SIG_IGN)
    while process.poll() is None:
        for number in SIGNALS.values():
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    process.communicate()
    assert process.returncode == 0
    assert place.is_new("fit", target)
    target.unlink()
