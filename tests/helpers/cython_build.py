"""Extensions in Cython, built as those who use the package would build them, from outside of its source tree."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sae_fast as sf

SETUP = """\
from Cython.Build import cythonize
from setuptools import Extension, setup

sources = {sources!r}
setup(name="user", ext_modules=cythonize(
    [Extension(name, [name + ".pyx"], language=language, extra_compile_args={flags!r})
     for name, language in sources.items()], include_path=[{package!r}]))
"""


def build(folder, source, languages, flags=("-O0",)):
    """``languages``: names of modules, each ``c`` or ``c++``; all are made of ``source``. Gives the modules."""
    pytest.importorskip("Cython", reason="Cython is not installed")
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    if not shutil.which("cc") or not shutil.which("c++"):
        pytest.skip("no C and C++ compiler")
    for name in languages:
        (folder / f"{name}.pyx").write_text(source)
    # Cython looks for the package on sys.path, where one that is installed for editing may not be.
    package = str(Path(sf.__file__).parent.parent)
    (folder / "setup.py").write_text(SETUP.format(sources=languages, flags=list(flags), package=package))
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "-j2"]
    environment = {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "CXXFLAGS", "CC", "CXX")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [_loaded(folder, name) for name in languages]


def _loaded(folder, name):
    [path] = folder.glob(f"{name}.*.so")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
