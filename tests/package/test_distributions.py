"""What wheel and sdist hold: all that is needed, and nothing else.

python -m build && SAE_FAST_DIST=dist python -m pytest tests/package/test_distributions.py
"""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from sae_fast import __version__
from tests.helpers.paths import ROOT

DIST = os.environ.get("SAE_FAST_DIST")
pytestmark = pytest.mark.skipif(not DIST, reason="SAE_FAST_DIST names no folder with a wheel and an sdist")
MEGABYTE = 2**20


def only(suffix):
    found = sorted(Path(DIST).glob(f"*{suffix}"))
    if not found:
        pytest.skip(f"no {suffix} in {DIST}")
    return found


def sources(*suffixes, under):
    """Files of the checkout, relative to it, but for what is made there."""
    made = ("__pycache__", "build", ".mypy_cache", ".ruff_cache")
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / under).rglob("*")
        if path.is_file() and path.suffix in suffixes and not set(path.parts) & set(made)
    }


def test_files_of_a_wheel():
    """Python, types, templates, Cython's and C++ declarations, two extensions; a repaired one has libgomp too."""
    for path in only(".whl"):
        names = {name for name in zipfile.ZipFile(path).namelist() if not name.endswith("/")}
        extensions = {name for name in names if re.fullmatch(r"sae_fast/(_core|cython_api)\.[\w-]+\.so", name)}
        assert len(extensions) == 2, extensions
        libraries = {name for name in names if name.startswith("sae_fast.libs/")}
        assert all(re.fullmatch(r"sae_fast\.libs/libgomp-\w+\.so[.\d]*", name) for name in libraries), libraries
        assert bool(libraries) == ("manylinux" in path.name)
        about = {name for name in names if name.startswith(f"sae_fast-{__version__}.dist-info/")}
        assert {Path(name).name for name in about} >= {"METADATA", "RECORD", "WHEEL", "LICENSE", "entry_points.txt"}
        headers = sources(".hpp", ".h", under="csrc/include")
        wanted = {name.replace("csrc/include", "sae_fast/include") for name in headers} | {"sae_fast/py.typed"}
        wanted |= sources(".py", ".pyi", ".pxd", ".in", under="sae_fast")
        # The core as a CMake package: its sources, and what CMake and pkg-config read.
        core = {name for name in sources(".cpp", ".hpp", under="csrc") if "/include/" not in name}
        core |= {"csrc/Makefile", *sources(".cmake", ".pc", under="cmake")}
        wanted |= {f"sae_fast/{name}" for name in core} | {"sae_fast/lib/pkgconfig/sae_fast.pc"}
        assert names - extensions - libraries - about == wanted


def test_files_of_the_sdist():
    """All that builds and tests the package; nothing that a build made."""
    for path in only(".tar.gz"):
        with tarfile.open(path) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        wanted = sources(".hpp", ".h", ".cpp", ".md", under="csrc") | {"csrc/Makefile"}
        wanted |= sources(".cmake", ".pc", under="cmake")
        wanted |= sources(".hpp", ".cpp", ".md", under="src")
        wanted |= sources(".py", ".pyi", ".pxd", ".pyx", ".in", under="sae_fast")
        wanted |= sources(".py", ".pyx", ".toml", ".hpp", ".cpp", ".R", ".rda", ".rds", ".zip", under="tests")
        wanted |= {"pyproject.toml", "setup.py", "conftest.py", "LICENSE", "README.md", "CHANGELOG.md", "PKG-INFO"}
        assert wanted <= names, sorted(wanted - names)
        made = re.compile(r"\.(so|o|a|pyd|pyc|c)$|(^|/)(build|__pycache__|\.git)/|^sae_fast/cython_api\.cpp$")
        assert not [name for name in names if made.search(name)]


def test_size_of_a_wheel():
    """At most 3 MB."""
    for path in only(".whl"):
        assert path.stat().st_size <= 3 * MEGABYTE, path
