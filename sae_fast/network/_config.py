"""Threads, and what a bug report needs."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np

from .. import _core
from .._public import public_in
from .._version import __version__
from ._checks import check_n_threads

_PACKAGE = Path(__file__).parent.parent


@public_in("sae_fast")
def set_num_threads(n: int | None) -> None:
    """Set how many threads calls use that name no ``n_threads``; None returns to what the machine gives.

    Raises
    ------
    TypeError, ValueError
        Not an integer >= 1 or None.

    Examples
    --------
    >>> import sae_fast as sf
    >>> sf.set_num_threads(2)
    >>> sf.get_num_threads()
    2
    >>> sf.set_num_threads(None)
    """
    _core.set_num_threads(check_n_threads(n))


@public_in("sae_fast")
def get_num_threads() -> int:
    """Threads that a call uses by default, where its work is worth them.

    That is the value of :func:`set_num_threads`, else OpenMP's limit (``OMP_NUM_THREADS``, ``threadpoolctl``) and,
    unless ``OMP_NUM_THREADS`` is set, no more than this process's processors and its cgroup's quota.

    Examples
    --------
    >>> import sae_fast as sf
    >>> sf.get_num_threads() >= 1
    True
    """
    return int(_core.get_num_threads())


def config() -> dict[str, str]:
    """Versions, instruction set and threads, as text."""
    openmp = "yes" if _core.has_openmp() else "no: built single-threaded; install OpenMP and build again"
    return {
        "sae_fast": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "platform": platform.platform(),
        "compiler": _core.compiler(),
        "instruction set": f"{_core.isa()} (usable here: {', '.join(_core.available_isas())})",
        "openmp": openmp,
        "threads": f"{get_num_threads()} (available: {_core.available_threads()})",
        "location": str(_PACKAGE),
    }


@public_in("sae_fast")
def show_config() -> None:
    """Print what a bug report needs: versions, instruction set, OpenMP, threads.

    Examples
    --------
    >>> import sae_fast as sf
    >>> sf.show_config()  # doctest: +ELLIPSIS
    sae_fast ...
    """
    lines = config()
    width = max(map(len, lines))
    print("\n".join(f"{key:<{width}}  {value}" for key, value in lines.items()))


@public_in("sae_fast")
def get_include() -> str:
    """Folder of the core's C++ headers, for ``-I``.

    Examples
    --------
    >>> import os, sae_fast as sf
    >>> os.path.isfile(os.path.join(sf.get_include(), "sae_fast", "network.hpp"))
    True
    """
    installed = _PACKAGE / "include"
    if installed.is_dir():
        return str(installed)
    return str(_PACKAGE.parent / "csrc" / "include")


@public_in("sae_fast")
def get_cmake_dir() -> str:
    """Folder of the CMake package, for ``-Dsae_fast_DIR``; ``python -m sae_fast --cmakedir`` prints it.

    ``find_package(sae_fast CONFIG REQUIRED)`` then gives the target ``sae_fast::sae_fast``, which builds the core, and
    the reader of model files, in the project that links to it.

    Examples
    --------
    >>> import os, sae_fast as sf
    >>> os.path.isfile(os.path.join(sf.get_cmake_dir(), "sae_fastConfig.cmake"))
    True
    """
    installed = _PACKAGE / "cmake"
    return str(installed if installed.is_dir() else _PACKAGE.parent / "cmake")


def get_pkgconfig_dir() -> str:
    """Folder of ``sae_fast.pc``, of an installed package."""
    folder = _PACKAGE / "lib" / "pkgconfig"
    if not folder.is_dir():
        raise FileNotFoundError("a checkout has no file for pkg-config: make -C csrc install PREFIX=... makes one")
    return str(folder)
