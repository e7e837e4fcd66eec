"""docs/embedding.md can be believed: its blocks of every language run one after another, in one folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sae_fast as sf
from sae_fast.cli import main
from tests.helpers.c_encoders import compiler
from tests.helpers.paths import DOCS

PAGE = (DOCS / "embedding.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M))
START = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]


def test_all_ways_are_told():
    """A section for each, and each in the table."""
    ways = ["Python", "Cython", "C++", "C source", "ONNX", "NumPy module"]
    assert list(SECTIONS) == ways
    assert re.findall(r"^\| \[(.+?)\]", PAGE, re.M) == ways


def shell(text):
    """As a reader would type it; commands of the environment by the interpreter of the tests."""
    text = re.sub(r"\bpython -m\b", f"{sys.executable} -m", text)
    text = re.sub(r"^sae-fast\b", f"{sys.executable} -m sae_fast", text, flags=re.M)
    # The kernels of this machine alone are built, by way of a cache where there is one.
    launcher = "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache" if shutil.which("ccache") else ""
    text = re.sub(r"^cmake -S", f"cmake -DSAE_FAST_ISAS={sf._core.isa()} {launcher} -S", text, flags=re.M)
    clean = {name: value for name, value in os.environ.items() if name not in ("CXX", "CC", "CFLAGS", "CXXFLAGS")}
    # Cython looks for the package on sys.path, where one that is installed for editing may not be.
    clean["PYTHONPATH"] = str(Path(sf.__file__).parent.parent)
    done = subprocess.run(["sh", "-e", "-c", text], capture_output=True, text=True, timeout=600, check=False, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr


def run(section, folder):
    """The blocks of a section, after those at the top of the page; a file goes where its first line says."""
    names: dict[str, object] = {}
    exec(compile(START, "embedding.md", "exec"), names)
    names["encoder"] = sf.Encoder.load("model.safetensors")
    names["code"] = names["encoder"].encode_one(names["X"][0])
    blocks = re.findall(r"```(\w+)\n(.*?)```", SECTIONS[section], re.S)
    for kind, text in blocks:
        if kind == "sh":
            shell(text)
        elif kind == "python":
            exec(compile(text, "embedding.md", "exec"), names)
        else:
            (folder / re.match(r"(?:/\*|//|#) (\S+)", text)[1]).write_text(text)
    assert blocks


def need(section):
    """Skip where what the way needs is missing."""
    if section == "Cython":
        pytest.importorskip("Cython")
        pytest.importorskip("sae_fast.cython_api")
        compiler("cc")
    elif section == "C++":
        compiler("c++", "g++")
        compiler("cmake")
    elif section == "C source":
        compiler("cc")
    elif section == "ONNX":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("skl2onnx")


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "NumPy module"])
def test_blocks_run(section, tmp_path, monkeypatch):
    """Assertions of the Python blocks hold."""
    need(section)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    run(section, tmp_path)


def test_numpy_module(tmp_path, monkeypatch, capsys):
    """What is shown of the module is what it is."""
    monkeypatch.chdir(tmp_path)
    run("NumPy module", tmp_path)
    shown = re.search(r"((?: {4}.*\n|\n)+?)\n```python\nimport importlib", PAGE)[1]
    assert re.sub(r"^ {4}", "", shown, flags=re.M).strip() in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["numpy", "onnx"])
def test_commands_in_the_text(tmp_path, monkeypatch, kind):
    """The command lines that the text names write their files."""
    if kind == "onnx":
        pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    exec(START, {})
    command = re.search(rf"`sae-fast (export .* {kind} .*?)`", PAGE)[1]
    assert main(command.split()) == 0
    assert os.path.exists(command.split()[-1])
