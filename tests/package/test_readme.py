"""The README can be believed: its Python blocks run, its commands and links exist."""

from __future__ import annotations

import contextlib
import importlib
import io
import re

import matplotlib
import pytest

from sae_fast.cli._parser import make_parser
from tests.helpers.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


# Of 899 test digits three may fall otherwise on another instruction set, or with another version of scikit-learn.
THREE_DIGITS = 3.5 / 899


@pytest.fixture(scope="module", name="names")
def _names(tmp_path_factory):
    """What the Python blocks leave behind, run one after another, as a reader would type them."""
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) >= 3
    with contextlib.chdir(tmp_path_factory.mktemp("readme")), contextlib.redirect_stdout(io.StringIO()) as printed:
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    return names | {"printed": printed.getvalue()}


def test_python_blocks_run(names):
    """They do, and show the report."""
    assert "status" in names["printed"]


def test_accuracies_in_comments_are_what_is_printed(names):
    """Each number beside a print of scores is that score, to the digits shown."""
    lines = re.findall(r"^print\((.*score.*)\)  # (.*)$", README, re.M)
    assert len(lines) == 4
    for code, comment in lines:
        scores = eval(f"({code},)", names)
        shown = [float(number) for number in re.findall(r"\d\.\d+", comment)][: len(scores)]
        assert shown == pytest.approx(scores, abs=0.005 + THREE_DIGITS)


def test_share_that_sparse_codes_do_not_explain(names):
    """It is what the comment says, but for what rounding leads to in training."""
    shown = float(re.search(r"evaluate\(B\)\[\"fvu\"\]\)  # (\d\.\d+)", README).group(1))
    assert names["latents"].evaluate(names["B"])["fvu"] == pytest.approx(shown, abs=0.015)


def test_accuracy_of_the_pixels_beside_convolved_features(names):
    """The pixels themselves give what the comment says that they give."""
    shown = float(re.search(r"with the pixels themselves (\d\.\d+)", README).group(1))
    pixels = names["RidgeClassifier"]().fit(names["A"], names["y_train"])
    assert pixels.score(names["B"], names["y_test"]) == pytest.approx(shown, abs=0.005 + THREE_DIGITS)


def test_table_of_what_else_would_have_done_it(monkeypatch):
    """The accuracies of the table are those that the example finds, for each number of features."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    with matplotlib.rc_context():  # the programs set it for their pictures
        rows = importlib.import_module("digits_baselines").compare(1)
    head, _, *body = re.search(r"^\| digits told apart.*?(?=\n\n)", README, re.M | re.S).group().splitlines()
    sizes = [int(cell) for cell in re.findall(r" (\d+) ", head)]
    shown = {}
    for line in body:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for n, cell in zip(sizes, cells, strict=False):
            if cell:
                shown[name.partition(",")[0], n] = float(cell.removesuffix(" %"))
    assert shown.keys() == {(row.name, row.n_features) for row in rows}
    for row in rows:
        assert shown[row.name, row.n_features] == pytest.approx(row.per_cent, abs=0.05 + 100 * THREE_DIGITS)


def test_quick_start_is_two_commands():
    """The section has exactly two shell blocks of one command line each: the demo, and the tests."""
    section = README.split("## Quick start")[1].split("\n## ")[0]
    demo, tests = re.findall(r"```sh\n(.*?)```", section, re.S)
    assert demo.count("\n") == tests.count("\n") == 1
    assert "sae-fast demo" in demo
    assert "pytest" in tests


def test_commands_parse():
    """Each sae-fast line of the README is one that the parser takes."""
    lines = re.findall(r"^ {4}sae-fast (.*)$", README, re.M)
    assert len(lines) >= 3
    for line in lines:
        make_parser().parse_args(line.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    """Every relative link and picture exists."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", text):
        assert (page.parent / next(filter(None, target))).exists(), target
