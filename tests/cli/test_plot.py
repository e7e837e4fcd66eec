"""``sae-fast plot``: each picture, its name, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.cli._parser import PICTURES
from tests.helpers.estimators import model, patches

NEED_SAMPLES = {"reconstructions", "activations", "latent"}


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """A folder with a model, its data and labels, as the current one."""
    monkeypatch.chdir(tmp_path)
    model().fit(patches()).save("m.safetensors")
    np.save("X.npy", patches())
    np.save("y.npy", np.arange(300) % 3)
    np.save("words.npy", np.where(np.arange(300) % 2, "odd", "even"))
    np.savetxt("y.csv", np.arange(300) / 7)
    (tmp_path / "words.csv").write_text("kind\n" + "odd\neven\n" * 150)
    return tmp_path


@pytest.mark.parametrize("kind", PICTURES)
def test_each_picture_is_what_the_function_draws(kind, folder, capsys):
    """Without --out the picture is named after model and kind; its bytes are those of the function's picture."""
    shaped = ["--shape=3x4"] if kind in ("filters", "reconstructions", "summary") else []
    data = ["X.npy"] if kind in NEED_SAMPLES | {"summary"} else []
    assert main(["plot", "m.safetensors", *data, "--kind", kind, *shaped]) == 0
    name = f"m-{kind}.png"
    captured = capsys.readouterr()
    assert captured.err == f"sae-fast: wrote {name}\n"
    assert captured.out == ""
    draw = getattr(sf.plot, kind.replace("-", "_"))
    options = {"shape": (3, 4)} if shaped else {}
    sf.plot.save(draw(sf.load("m.safetensors"), *([patches()] if data else []), **options), "same.png")
    assert (folder / name).read_bytes() == (folder / "same.png").read_bytes()


@pytest.mark.parametrize("labels", ["y.npy", "words.npy", "y.csv", "words.csv"])
def test_labels_and_formats(labels, folder):
    """Labels are numbers or text; PDF and SVG by their names, PNG of any density."""
    for out, start in (("codes.pdf", b"%PDF"), ("codes.svg", b"<?xml"), ("codes.png", b"\x89PNG")):
        arguments = ["plot", "m.safetensors", "X.npy", "--kind=latent", "--labels", labels, "-o", out, "--dpi=50"]
        assert main(arguments) == 0
        assert (folder / out).read_bytes().startswith(start)


def test_samples_by_stdin(folder):
    """A CSV on stdin serves as samples, and its names are compared with those of the model."""
    np.savetxt("X.csv", patches()[:50], delimiter=",")
    command = [sys.executable, "-m", "sae_fast", "plot", "m.safetensors", "-", "--kind=activations", "-o", "a.png"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with open("X.csv", encoding="utf-8") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert (folder / "a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "pie"], "invalid choice: 'pie'"),
        (["--kind", "latent"], "--kind latent needs samples: give X after MODEL"),
        (["X.npy", "--kind", "loss"], "--kind loss takes no samples, got X.npy"),
        (["--labels", "y.npy"], "--labels needs samples X and --kind latent or summary"),
        (["X.npy", "--kind", "latent", "--shape", "2x2"], "--shape is for --kind filters, reconstructions, summary"),
        (["--shape", "8"], "must be ROWSxCOLUMNS, or ROWSxCOLUMNSx3 in colour, got '8'"),
        (["--shape", "0x4"], "must be ROWSxCOLUMNS"),
        (["--shape", "4x4x2"], "must be ROWSxCOLUMNS"),
        (["--dpi", "0"], "dpi must be in [10, 1200], got 0.0"),
        (["--out", "picture.gif"], "must end in .png, .pdf or .svg, got 'picture.gif'"),
    ],
)
def test_wrong_usage_is_2(arguments, message, capsys):
    """Options that do not go together are wrong usage, before any file is read."""
    with pytest.raises(SystemExit) as caught:
        main(["plot", "m.safetensors", *arguments])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "filters"], "shape must be given: 12 weights do not fill a square"),
        (["--shape", "5x5"], "with 12 pixels, got (5, 5)"),
        (["X.npy", "--labels", "short.npy"], "short.npy must hold a label for each of the 300 samples, got shape (7,)"),
        (["X.npy", "--labels", "objects.npy"], "objects.npy is damaged or not a .npy file of labels"),
        (["X.npy", "--labels", "two.csv"], "two.csv must have one column, a label for each sample, got 2"),
        (["narrow.npy"], "narrow.npy must have 12 columns, as the model, got 5"),
        (["nan.npy"], "nan.npy contains NaN"),
        (["--out", "no/picture.png"], "the folder of no/picture.png does not exist"),
        (["--out", "folder.png"], "folder.png is a directory"),
    ],
)
def test_failure_is_1_with_one_line(arguments, message, folder, capsys):
    """What cannot be drawn exits with 1 and one line, and writes nothing."""
    (folder / "two.csv").write_text("1,2\n" * 300)
    np.save("short.npy", np.zeros(7))
    np.save("objects.npy", np.array([None] * 300), allow_pickle=True)
    np.save("narrow.npy", np.zeros((4, 5)))
    np.save("nan.npy", np.full((4, 12), np.nan))
    (folder / "folder.png").mkdir()
    before = sorted(folder.iterdir())
    assert main(["plot", "m.safetensors", *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert sorted(folder.iterdir()) == before
