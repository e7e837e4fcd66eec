"""The reproductions in examples/ run on the data that scikit-learn ships, and their measure of edges is right."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.paths import ROOT

EXAMPLES = ROOT / "examples"
CHEAP = ("ufldl_patches", "pen_strokes", "stacked_digits", "cran_patches")
PICTURE_BYTES = 60_000


def run(program, *arguments, cwd):
    """Run a program of examples/, as a reader would, with every warning an error."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{program}.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture(name="gabor")
def _gabor(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("gabor")


def test_gabor_functions_are_found(gabor):
    """Gabor functions of random centre, orientation, frequency, phase and widths, at any scale, are fitted exactly."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    tiles = []
    for _ in range(6):
        (top, left), angle, phase = rng.uniform(2, 5, 2), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        u, v = (
            (x - left) * np.cos(angle) + (y - top) * np.sin(angle),
            (y - top) * np.cos(angle) - (x - left) * np.sin(angle),
        )
        s, t = rng.uniform(1.2, 3.0, 2)
        window = np.exp(-0.5 * ((u / s) ** 2 + (v / t) ** 2))
        wave = np.cos(2 * np.pi * rng.uniform(0.1, 0.3) * u + phase)
        tiles.append((rng.uniform(0.1, 10) * window * wave + rng.normal()).ravel())
    np.testing.assert_allclose(gabor.gabor_r2(np.array(tiles)), 1, atol=1e-3)


def test_noise_is_no_gabor_function(gabor):
    """White noise is not taken for an edge, and half an edge and half noise is judged between."""
    noise = np.random.default_rng(1).normal(size=(6, 64))
    edge = np.sign(np.arange(8) - 3.5)[:, None] * np.hanning(8)
    mixed = edge.ravel() / edge.std() + noise
    of_noise, of_mixed = np.median(gabor.gabor_r2(noise)), np.median(gabor.gabor_r2(mixed))
    assert of_noise < 0.45
    assert of_noise + 0.1 < of_mixed < 0.85


@pytest.fixture(scope="module", name="reproduced")
def _reproduced(tmp_path_factory):
    """The cheap ones, by the command for all; its folder and what it printed."""
    folder = tmp_path_factory.mktemp("reproduced")
    done = run("reproduce", "--quick", "--builtin", "--out", "out", "--keep", "kept.json", *CHEAP, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder, done.stdout


def test_page_shows_every_figure_and_picture(reproduced):
    """Each reproduction has its section, says that the data are smaller, and its pictures are there and small."""
    folder, _ = reproduced
    page = (folder / "out" / "reproductions.md").read_text(encoding="utf-8")
    assert page.count("\n## ") == page.count("**Smaller version, on ") == len(CHEAP)
    pictures = re.findall(r"!\[.+\]\((.+)\)", page)
    assert len(pictures) == len(CHEAP)
    for picture in pictures:
        assert 1000 < (folder / "out" / picture).stat().st_size <= PICTURE_BYTES
    # The table on top leads to the sections.
    headings = {h.lower().replace(" ", "-").replace("'", "") for h in re.findall(r"^## (.+)$", page, re.M)}
    assert set(re.findall(r"\]\(#(.+?)\)", page)) == headings


def test_page_follows_from_the_figures(reproduced):
    """An interrupted run goes on from the figures that it kept: the same page, byte for byte, without a new run."""
    folder, printed = reproduced
    page = (folder / "out" / "reproductions.md").read_bytes()
    again = run("reproduce", "--quick", "--builtin", "--out", "out", "--keep", "kept.json", *CHEAP, cwd=folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "out" / "reproductions.md").read_bytes() == page
    assert again.stdout.splitlines()[:-1] == printed.splitlines()[:-1]


def test_each_runs_alone(tmp_path):
    """A single program prints its figures and leaves its picture in the current folder."""
    done = run("pen_strokes", "--quick", "--builtin", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "smaller version: scikit-learn's 8x8 digits" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["pen_strokes.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "--data: nowhere is no folder"),
        (["edges"], "no reproduction is called edges: there are "),
    ],
)
def test_mistakes_are_named(arguments, says, tmp_path):
    """A folder that is not there and an unknown name end the run at once, with the choice there is."""
    done = run("reproduce", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_page_in_the_docs_is_whole():
    """docs/reproductions.md has all reproductions, none failed, none on smaller data by accident, and its pictures.

    Programs that reproduce nothing published are told of by other pages.
    """
    page = (ROOT / "docs" / "reproductions.md").read_text(encoding="utf-8")
    programs = set(re.findall(r"^Program: \[`examples/(\w+)\.py`\]", page, re.M))
    others = {p.stem for p in EXAMPLES.glob("[!_]*.py")} - {"gabor", "reproduce"} - programs
    pages = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").glob("*.md") if p.stem != "reproductions")
    assert {name for name in others if f"examples/{name}.py" not in pages} == set()
    names = re.search(r"^NAMES = (\(.*?^\))", (EXAMPLES / "reproduce.py").read_text(encoding="utf-8"), re.S | re.M)
    assert programs == set(ast.literal_eval(names[1]))
    assert "failed" not in page
    assert "missed by" not in page
    for picture in re.findall(r"!\[.+\]\((.+)\)", page):
        assert (ROOT / "docs" / picture).stat().st_size <= PICTURE_BYTES


def test_a_known_dictionary_is_found(tmp_path):
    """The smaller case meets its bar with all three architectures."""
    done = run("known_dictionary", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"MMCS 0\.9\d\d", done.stdout)) == 3


def test_a_stream_of_digits_is_watched(tmp_path):
    """The scrambled pictures are found, the change is told in its first chunk and not before, and both are drawn."""
    done = run("watched_digits", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "chunks with an alert: [20, 21," in done.stdout
    assert {p.name for p in tmp_path.iterdir()} == {"watched_digits.png", "watched_digits_odd.png"}
