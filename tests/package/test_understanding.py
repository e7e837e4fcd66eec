"""The page about understanding a model can be believed: its blocks run, its commands parse."""

from __future__ import annotations

import re

import pytest

from sae_fast.cli._parser import make_parser
from tests.helpers.paths import DOCS

PAGE = (DOCS / "understanding.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:of .* hidden units:sae_fast.UnitWarning")
def test_blocks_run_and_say_what_the_page_says(capsys):
    """The Python blocks run one after another; revival helps, pruning is exact, a beta is found, as the page tells."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(compile(block, "understanding.md", "exec"), names)
    out = capsys.readouterr().out
    without, revived = map(int, re.findall(r"iterations more: (\d+) without, (\d+) with", out)[0])
    assert revived < 0.6 * without
    plain, lively = map(float, re.findall(r"J ([\d.]+) without, ([\d.]+) with \d+ revivals", out)[0])
    assert lively < 0.7 * plain
    assert "2 of 36 units removed, 1 constant and 1 merged into others" in out
    assert "within 0.1 of rho = 0.1" in out
    assert "Hoyer's sparsity" in out


def test_commands_parse():
    """Each command line of the page is one that the parser takes."""
    lines = re.findall(r"^ {4}sae-fast (.*)$", PAGE, re.M)
    assert len(lines) >= 2
    for line in lines:
        make_parser().parse_args(line.split())
