"""The pages in docs/ can be believed: their Python blocks run."""

from __future__ import annotations

import re

import pytest

from tests.helpers.paths import DOCS

PAGES = ("conventions.md", "guide.md", "k-sparse.md")


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    """The Python blocks of the page run one after another, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, page, "exec"), names)
