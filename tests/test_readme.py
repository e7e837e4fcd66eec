"""The README can be believed: its Python blocks run, its commands and links exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sae_fast.cli._parser import make_parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    """The Python blocks run one after another, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert "status" in capsys.readouterr().out


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
