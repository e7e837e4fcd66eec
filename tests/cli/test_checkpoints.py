"""``sae-fast fit --checkpoint``: killed and resumed, a fit ends with the bytes of one that was not."""

from __future__ import annotations

import numpy as np
import pytest

from sae_fast.cli import main
from tests.helpers.kills import Place, kill_and_resume


@pytest.fixture(scope="module", name="place")
def _place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("kills"))


@pytest.mark.unsanitized
@pytest.mark.parametrize("way", ["lbfgs", "adam of a source"])
def test_a_fit_that_is_killed_and_resumed(place, way):
    """SIGKILL at a random moment leaves whole files alone, and the resumed fit gives the same bytes."""
    kill_and_resume(place, way, np.random.default_rng(len(way)))


def run(tmp_path, *more):
    return main(["fit", str(tmp_path / "X.npy"), "-o", str(tmp_path / "m.safetensors"), "--quiet", *more])


def test_resume_begins_anew_without_a_checkpoint_and_refuses_another_one(tmp_path, capsys):
    """A first --resume says that it begins anew; other settings are refused, more iterations are not."""
    np.save(tmp_path / "X.npy", np.random.default_rng(0).uniform(0.1, 0.9, (200, 8)))
    checkpoint = str(tmp_path / "run.ckpt")
    keep = ["--checkpoint", checkpoint, "--resume", "--n-components", "4", "--random-state", "0"]
    assert run(tmp_path, *keep, "--max-iter", "5") == 0
    assert f"there is no {checkpoint} yet: the fit begins anew" in capsys.readouterr().err
    assert run(tmp_path, *keep, "--max-iter", "9") == 0
    assert "9 iterations" in capsys.readouterr().err
    resumed = (tmp_path / "m.safetensors").read_bytes()
    assert run(tmp_path, *keep[3:], "--max-iter", "9") == 0
    assert (tmp_path / "m.safetensors").read_bytes() == resumed
    assert run(tmp_path, *keep, "--rho", "0.2") == 1
    assert "is a checkpoint of other settings: rho was 0.05, and is 0.2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume"], "--resume needs --checkpoint FILE"),
        (["--checkpoint-every", "9"], "--checkpoint-every needs --checkpoint FILE"),
        (["--checkpoint", "{}/m.safetensors"], "--checkpoint and --out must be two files"),
        (["--checkpoint", "{}/c", "--checkpoint-every", "-1"], "checkpoint_every must be >= 0"),
    ],
)
def test_wrong_usage(tmp_path, capsys, words, message):
    """What does not go together is told before anything is read."""
    np.save(tmp_path / "X.npy", np.full((20, 3), 0.5))
    with pytest.raises(SystemExit, match="2"):
        run(tmp_path, *(word.format(tmp_path) for word in words))
    assert message in capsys.readouterr().err
