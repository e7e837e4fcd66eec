"""The pages in docs/ can be believed: their Python blocks run."""

from __future__ import annotations

import os
import re

import pytest

import sae_fast as sf
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


SECTIONS = re.split(r"^## ", (DOCS / "streams.md").read_text(encoding="utf-8"), flags=re.M)[1:]
RECIPES = [section for section in SECTIONS if "```python" in section]


@pytest.fixture
def _environment_as_it_was():
    """Spark's session and its workers are told where they are by variables of the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    sf.set_num_threads(None)


@pytest.mark.usefixtures("_environment_as_it_was")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.use_\\w+. is deprecated:DeprecationWarning")  # by Ray, of its own settings
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.parametrize("section", RECIPES, ids=lambda section: section.split("\n", 1)[0])
def test_recipes_run(section, tmp_path, monkeypatch):
    """The blocks of a section of streams.md run after those of the first one, where their packages are installed."""
    monkeypatch.chdir(tmp_path)
    for module in re.findall(r"^import (\w+)", section, re.M):
        pytest.importorskip(module, reason=f"the recipe is for {module}")
    names: dict[str, object] = {"__name__": "__main__"}  # what a worker is sent by value, as from a script
    for text in dict.fromkeys((RECIPES[0], section)):
        for block in re.findall(r"```python\n(.*?)```", text, re.S):
            exec(compile(block, "streams.md", "exec"), names)
