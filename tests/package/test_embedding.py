"""docs/embedding.md can be believed: its blocks of Python, C and shell run one after another, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sae_fast as sf
from sae_fast.cli import main
from tests.helpers.c_encoders import compiler
from tests.helpers.paths import DOCS

PAGE = (DOCS / "embedding.md").read_text(encoding="utf-8")


def shell(text):
    """As a reader would type it; this package's command by the interpreter of the tests."""
    text = re.sub(r"^sae-fast\b", f"{sys.executable} -m sae_fast", text, flags=re.M)
    text = re.sub(r"^python\b", sys.executable, text, flags=re.M)
    # Cython looks for the package on sys.path, where one that is installed for editing may not be.
    environment = os.environ | {"PYTHONPATH": str(Path(sf.__file__).parent.parent)}
    done = subprocess.run(
        ["sh", "-e", "-c", text], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def test_blocks_run(tmp_path, monkeypatch, capsys):
    """A block of C or Cython goes into the file that its first line names; assertions of the Python blocks hold."""
    compiler("cc")
    pytest.importorskip("Cython")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    names: dict[str, object] = {}
    blocks = re.findall(r"```(python|cython|c|sh)\n(.*?)```", PAGE, re.S)
    assert {kind for kind, _ in blocks} == {"python", "cython", "c", "sh"}
    for kind, text in blocks:
        if kind == "c":
            (tmp_path / re.match(r"/\* (\w+\.c) \*/", text)[1]).write_text(text)
        elif kind == "cython":
            (tmp_path / re.match(r"# (\w+\.pyx)", text)[1]).write_text(text)
        elif kind == "sh":
            shell(text)
        else:
            exec(compile(text, "embedding.md", "exec"), names)
    printed = capsys.readouterr().out
    shown = re.search(r"((?: {4}.*\n|\n)+?)\n```python\nimport importlib", PAGE)[1]
    assert re.sub(r"^ {4}", "", shown, flags=re.M).strip() in printed


def test_command_of_the_numpy_module(tmp_path, monkeypatch):
    """The command line that the text names writes a module."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], names)
    command = re.search(r"`sae-fast (export .* numpy .*?)`", PAGE)[1]
    assert main(command.split()) == 0
    assert os.path.exists("encoder.py")
