"""The C++ package as others use it: a fresh CMake project is configured, built and run, and gives Python's codes.

SAE_FAST_PYTHON names the interpreter whose package is used, so that CI takes that of the installed wheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.hostile_files import KINDS, X
from tests.helpers.paths import ROOT

EXAMPLE = ROOT / "examples" / "embed_cpp"


def run(*command, stdin=None, code=0):
    """What it prints; on stderr if it is to fail."""
    done = subprocess.run([*map(str, command)], input=stdin, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stderr if code else done.stdout


def of_package(option):
    """What the package's command prints; that of another interpreter is not looked for in the folder at hand."""
    other = os.environ.get("SAE_FAST_PYTHON")
    return run(*([other, "-I"] if other else [sys.executable]), "-m", "sae_fast", option).strip()


def compiler():
    """Of C++, as the environment names it."""
    return next(word for word in os.environ.get("CXX", "c++").split() if os.path.basename(word) != "ccache")


@pytest.fixture(scope="module")
def cmake():
    """The command; the tests are skipped without it."""
    if not EXAMPLE.is_dir():
        pytest.skip("examples/ is in a checkout alone")
    try:
        run("cmake", "--version")
    except (FileNotFoundError, AssertionError):
        pytest.skip("no cmake")
    if not shutil.which(compiler()):
        pytest.skip("no C++ compiler")
    return "cmake"


@pytest.fixture(scope="module")
def program(cmake, tmp_path_factory):
    """The example, with the kernels that this process uses."""
    build = tmp_path_factory.mktemp("build")
    launcher = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={shutil.which('ccache')}"] if shutil.which("ccache") else []
    # The project's own flags are not those of the core: these would change results.
    flags = "-O0 -ffast-math -Wall -Wextra -Wpedantic -Werror"
    run(
        cmake, "-S", EXAMPLE, "-B", build, f"-Dsae_fast_DIR={of_package('--cmakedir')}", f"-DCMAKE_CXX_FLAGS={flags}",
        f"-DSAE_FAST_ISAS={sf._core.isa()}", f"-DCMAKE_CXX_COMPILER={compiler()}", *launcher,
    )  # fmt: skip
    run(cmake, "--build", build, "--parallel", os.cpu_count() or 1)
    return build / "embed_cpp"


def check(program, folder, encoder, rows):
    """Codes of rows from a file and from stdin are those of Python, bit by bit."""
    encoder.save(folder / "m")
    wanted = encoder(rows)
    np.save(folder / "rows.npy", rows)
    lines = "\n".join(",".join(np.format_float_scientific(v) for v in row) for row in rows)
    for text in (run(program, folder / "m", folder / "rows.npy"), run(program, folder / "m", stdin=lines)):
        codes = np.array([line.split(",") for line in text.split()]).astype(wanted.dtype)
        assert codes.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "satlin"])
def test_codes_are_those_of_python(program, tmp_path, dtype, hidden):
    """Encoders and stacks of both types, a thousand rows of some sizes."""
    rng = np.random.default_rng(0)
    layers = [
        sf.Encoder(sf.init_params(n_in, n_out, dtype=dtype, random_state=n_out), hidden=hidden)
        for n_in, n_out in ((65, 33), (33, 25), (25, 7))
    ]
    rows = rng.normal(0, 3, (1000, 65)).astype(dtype)
    check(program, tmp_path, layers[0], rows)
    check(program, tmp_path, sf.StackEncoder(layers), rows)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.split()[0] == "SparseAutoencoder" and "ufldl" not in kind]
)
def test_scaling_is_in_the_codes(program, tmp_path, kind):
    """A model that scales its data gives the codes of its encoder, which are those of ``transform`` to rounding."""
    model = KINDS[kind]()
    model.save(tmp_path / "m")
    codes = np.loadtxt(run(program, tmp_path / "m", stdin="\n".join(" ".join(map(repr, row)) for row in X.tolist()))
                       .splitlines(), delimiter=",")  # fmt: skip
    assert codes.tobytes() == sf.Encoder.load(tmp_path / "m")(X).tobytes()


def test_errors_are_told(program, tmp_path):
    """One line on stderr, and exit code 1."""
    KINDS["Encoder"]().save(tmp_path / "m")
    (tmp_path / "damaged").write_bytes((tmp_path / "m").read_bytes()[:-1])
    np.save(tmp_path / "wide.npy", np.zeros((3, 9)))
    for arguments, stdin, words in (
        ([tmp_path / "damaged"], "", "damaged is damaged: it is cut short"),
        ([tmp_path / "m"], "1 2 3 4 5 6\n1 2\n", "line 2 must have 6 numbers, got 2"),
        ([tmp_path / "m"], "1 2 3 4 5 x\n", "line 1: not a number: x"),
        ([tmp_path / "m", tmp_path / "wide.npy"], "", "wide.npy must have 6 columns, got 9"),
        ([tmp_path / "m", tmp_path / "m"], "", "is not a .npy file"),
        ([tmp_path / "m", tmp_path / "none"], "", "none cannot be read"),
    ):
        told = run(program, *arguments, stdin=stdin, code=1)
        assert re.fullmatch(r"embed_cpp: .*\n", told) and words in told, told  # noqa: PT018


def test_versions_are_compared(cmake, tmp_path):
    """A project may ask for a version; one that is not this one is not found."""
    minor, folder = ".".join(sf.__version__.split(".")[:2]), of_package("--cmakedir")
    lines = ["cmake_minimum_required(VERSION 3.18)", "project(p LANGUAGES CXX)"]
    for asked, found in (("0.0.1", 0), ("99.1", 0), (f"{minor}.99", 0), (minor, 1), (sf.__version__, 1)):
        lines += [
            f'set(sae_fast_DIR "{folder}" CACHE PATH "" FORCE)',  # what is not found is forgotten
            f"find_package(sae_fast {asked} CONFIG QUIET)",
            f"if(NOT {found} EQUAL sae_fast_FOUND)",
            f'  message(FATAL_ERROR "{asked}: ${{sae_fast_FOUND}}, wanted {found}")',
            "endif()",
        ]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines))
    run(cmake, "-S", tmp_path, "-B", tmp_path / "build")


def test_pkg_config_tells_version_and_headers(tmp_path):
    """The file that an installed package, or ``make install``, has for pkg-config."""
    if shutil.which("pkg-config") is None:
        pytest.skip("no pkg-config")
    if os.path.isdir(ROOT / "cmake") and "SAE_FAST_PYTHON" not in os.environ:
        told = run(sys.executable, "-m", "sae_fast", "--pkgconfigdir", code=1)
        assert "make -C csrc install" in told
        pytest.skip("a checkout has no file for pkg-config")
    folder = of_package("--pkgconfigdir")
    before = os.environ.get("PKG_CONFIG_PATH", "")
    os.environ["PKG_CONFIG_PATH"] = folder
    try:
        assert run("pkg-config", "--modversion", "sae_fast").strip() == sf.__version__
        include = re.search(r"-I(\S+)", run("pkg-config", "--cflags", "sae_fast"))[1]
        sources = run("pkg-config", "--variable=sources", "sae_fast").strip()
    finally:
        os.environ["PKG_CONFIG_PATH"] = before
    assert os.path.isfile(os.path.join(include, "sae_fast", "model_file.hpp"))
    assert os.path.isfile(os.path.join(sources, "Makefile"))
