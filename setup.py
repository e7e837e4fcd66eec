"""Build of the compiled core; everything else about the package is in pyproject.toml.

The sources in csrc/kernels are compiled once per instruction set, the rest of csrc and src once. Environment:
CXX, CXXFLAGS, LDFLAGS; SAE_FAST_REQUIRE_OPENMP=1 (no single-threaded build), SAE_FAST_WERROR=1 (warnings are errors),
SAE_FAST_SANITIZE=address,undefined, SAE_FAST_JOBS (compilers at a time), SAE_FAST_ISAS=avx2,... (kernels of these
instruction sets alone, which is quicker to build and runs where one of them is at home).
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CORE = ("machine", "network", "ksparse", "training", "embedding")  # folders of csrc that are compiled once
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow"]
# Neither flag changes a result: no kernel looks at errno or at floating-point exceptions.
COMMON = ["-std=c++17", "-O3", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math"]
SANITIZED = ["-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g1", "-O1"]
X86_ISAS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
}
NO_COMPILER = """
sae_fast needs a C++17 compiler (g++ or clang++), and {compiler!r} does not work:
{reason}
Install one and build again:
    Debian, Ubuntu     apt install g++ python3-dev
    Fedora             dnf install gcc-c++ python3-devel
    macOS              xcode-select --install   (and `brew install libomp` for threads)
    Windows            MinGW-w64 or clang, with CXX naming it; MSVC lacks the vector extensions that the kernels use
Or name the compiler in the environment variable CXX.
"""
NO_OPENMP = """
sae_fast: the compiler has no OpenMP, so the core is built SINGLE-THREADED. For threads install
    Debian, Ubuntu     libgomp1 (with g++) or libomp-dev (with clang++)
    macOS              brew install libomp
and build again. SAE_FAST_REQUIRE_OPENMP=1 makes this an error.
"""


def isas() -> dict[str, list[str]]:
    """Instruction sets to build for on this processor, with their compiler flags."""
    machine = os.environ.get("SAE_FAST_MACHINE", platform.machine()).lower()
    known: dict[str, list[str]] = {"neon": []} if machine in ("aarch64", "arm64") else {"baseline": []}
    if machine in ("x86_64", "amd64"):
        known = X86_ISAS
    wanted = [name for name in os.environ.get("SAE_FAST_ISAS", "").split(",") if name]
    for name in wanted:
        if name not in known:
            raise SystemExit(f"SAE_FAST_ISAS must name some of {', '.join(known)}, got {name!r}")
    return {name: flags for name, flags in known.items() if name in wanted or not wanted}


def flag(name: str) -> bool:
    """Whether an environment variable is set to something other than 0."""
    return os.environ.get(name, "0") not in ("", "0")


class Toolchain:
    """The C++ compiler, with what it can do found by trying."""

    def __init__(self) -> None:
        default = sysconfig.get_config_var("CXX") or "c++"
        fallbacks = [default, "g++", "clang++", "c++"]
        named = os.environ.get("CXX")
        candidates = [named] if named else [c for c in fallbacks if shutil.which(shlex.split(c)[0])] or [default]
        self.command = shlex.split(candidates[0])
        error = self._try([], "int main() { return 0; }")
        if error is not None:
            raise SystemExit(NO_COMPILER.format(compiler=candidates[0], reason=error.strip()))
        self.openmp = next(
            (
                f
                for f in self._openmp_ways()
                if self._try(f, "#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }") is None
            ),
            None,
        )
        if self.openmp is None:
            if flag("SAE_FAST_REQUIRE_OPENMP"):
                raise SystemExit(NO_OPENMP)
            print(NO_OPENMP, file=sys.stderr)
        sanitize = os.environ.get("SAE_FAST_SANITIZE")
        self.extra = [f"-fsanitize={sanitize}", *SANITIZED] if sanitize else []
        self.compile_flags = [*COMMON, *WARNINGS, *(["-Werror"] if flag("SAE_FAST_WERROR") else []), *self.extra]
        self.compile_flags += shlex.split(os.environ.get("CXXFLAGS", ""))

    @staticmethod
    def _openmp_ways() -> list[list[str]]:
        if sys.platform != "darwin":
            return [["-fopenmp"]]
        prefixes = ["/opt/homebrew/opt/libomp", "/usr/local/opt/libomp"]
        ways = [["-Xpreprocessor", "-fopenmp", f"-I{p}/include", f"-L{p}/lib", "-lomp"] for p in prefixes]
        return [["-fopenmp"], *ways]

    def _try(self, flags: list[str], source: str) -> str | None:
        """None if the program can be built, else what the compiler said."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "probe.cpp")
            path.write_text(source)
            try:
                self.run([*flags, "-std=c++17", str(path), *flags, "-o", str(path.with_suffix(""))])
            except (OSError, subprocess.CalledProcessError) as error:
                return str(getattr(error, "stderr", "") or error)
        return None

    def run(self, arguments: list[str]) -> None:
        """Run the compiler; its output is in the exception if it fails."""
        subprocess.run([*self.command, *arguments], check=True, capture_output=True, text=True)

    def compile(self, source: Path, target: Path, flags: list[str], headers: float) -> None:
        """Compile one file unless its object is newer than it and all headers."""
        newest = max(source.stat().st_mtime, headers)
        if target.exists() and target.stat().st_mtime > newest:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [*self.compile_flags, *flags, "-c", str(source), "-o", str(target)]
        print("compiling", source.relative_to(ROOT), *[f for f in flags if "SAE_FAST_ISA" in f], flush=True)
        try:
            self.run(command)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{shlex.join([*self.command, *command])}\n{error.stdout}{error.stderr}") from None


def core_jobs(build: Path, openmp: list[str]) -> list[tuple[Path, Path, list[str]]]:
    """(source, object, flags) for everything in csrc; kernels have no use for OpenMP."""
    include = [f"-I{ROOT / 'csrc' / 'include'}", f"-I{ROOT / 'csrc'}"]
    have = [f"-DSAE_FAST_HAVE_{isa.upper()}" for isa in isas()]
    sources = [s for folder in CORE for s in sorted((ROOT / "csrc" / folder).glob("*.cpp"))]
    jobs = [(s, build / s.parent.name / f"{s.stem}.o", [*openmp, *include, *have]) for s in sources]
    for source in sorted((ROOT / "csrc" / "kernels").glob("*.cpp")):
        for isa, flags in isas().items():
            # Without exceptions, an object refers to no personality routine: nothing weak for the linker to share.
            own = ["-fno-exceptions", f"-DSAE_FAST_ISA={isa}", *flags]
            jobs.append((source, build / f"{source.stem}.{isa}.o", [*include, *own]))
    return jobs


def in_our_tree(folder: str, name: str) -> str:
    """A link to headers that pip puts elsewhere for each build: a compiler cache knows them by their path."""
    link = ROOT / "build" / "include" / name
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
    except OSError:  # where links are not for everyone
        return folder
    return str(link)


class BuildExt(build_ext):
    """Compiles and links with our own flags per file; setuptools only says where the result goes."""

    def run(self) -> None:
        super().run()
        include = ROOT / "csrc" / "include" / "sae_fast"
        target = Path(self.build_lib, "sae_fast", "include", "sae_fast")
        if not self.inplace and not self.editable_mode:
            target.mkdir(parents=True, exist_ok=True)
            for header in sorted([*include.glob("*.hpp"), *include.glob("*.h")]):
                shutil.copy2(header, target / header.name)
            self._copy_sources(target.parents[1])

    @staticmethod
    def _copy_sources(package: Path) -> None:
        """What a C++ project builds the core of: its sources, and what CMake, make and pkg-config read."""
        csrc = [p for kind in ("*/*.cpp", "*/*.hpp", "Makefile") for p in sorted((ROOT / "csrc").glob(kind))]
        for source in [*csrc, *sorted((ROOT / "cmake").glob("sae_fast*"))]:
            copy = package / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
        version = re.search('__version__ = "(.*)"', (ROOT / "sae_fast" / "_version.py").read_text())
        pc = package / "lib" / "pkgconfig" / "sae_fast.pc"
        pc.parent.mkdir(parents=True, exist_ok=True)
        pc.write_text((package / "cmake" / pc.name).read_text().replace("@VERSION@", version[1] if version else ""))

    def build_extension(self, ext: Extension) -> None:
        """Build one extension module: the core with its bindings, or what Cython makes of one file."""
        if ext.sources[0].endswith(".pyx"):
            self._build_cython(ext, Toolchain())
        else:
            self._build_core(ext, Toolchain())

    def _build_cython(self, ext: Extension, toolchain: Toolchain) -> None:
        from Cython.Build import cythonize

        [module] = cythonize(
            [Extension(ext.name, ext.sources, language="c++")], build_dir=str(Path(self.build_temp)), quiet=True
        )
        source, target = Path(module.sources[0]).resolve(), Path(module.sources[0]).resolve().with_suffix(".o")
        # The text is not ours: our warnings are not for it.
        include = [f"-I{ROOT / 'csrc' / 'include'}", "-isystem", sysconfig.get_paths()["include"]]
        toolchain.run([*COMMON, "-w", *include, "-c", str(source), "-o", str(target)])
        self._link(ext, toolchain, [target])

    def _build_core(self, ext: Extension, toolchain: Toolchain) -> None:
        import pybind11

        kinds = (os.environ.get("SAE_FAST_SANITIZE", "plain"), os.environ.get("SAE_FAST_ISAS", ""))
        kind = "-".join(",".join(filter(None, kinds)).split(","))
        build = Path(self.build_temp).resolve() / kind
        include = [f"-I{ROOT / 'csrc' / 'include'}", "-isystem", sysconfig.get_paths()["include"]]
        include += ["-isystem", in_our_tree(pybind11.get_include(), "pybind11")]
        openmp = toolchain.openmp or []
        jobs = core_jobs(build / "csrc", openmp)
        for source in map(Path, ext.sources):
            jobs.append((ROOT / source, build / "src" / f"{source.stem}.o", [*openmp, *include]))
        headers = max(h.stat().st_mtime for top in ("csrc", "src") for h in (ROOT / top).rglob("*.hpp"))
        headers = max(headers, Path(__file__).stat().st_mtime)
        n_jobs = int(os.environ.get("SAE_FAST_JOBS", os.cpu_count() or 1))
        with ThreadPoolExecutor(n_jobs) as pool:
            list(pool.map(lambda job: toolchain.compile(*job, headers), jobs))
        self._link(ext, toolchain, [target for _, target, _ in jobs])

    def _link(self, ext: Extension, toolchain: Toolchain, objects: list[Path]) -> None:
        output = Path(self.get_ext_fullpath(ext.name)).resolve()
        output.parent.mkdir(parents=True, exist_ok=True)
        shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
        link = [*shared, *toolchain.extra, *map(str, objects)]
        link += [*(toolchain.openmp or []), *shlex.split(os.environ.get("LDFLAGS", "")), "-o", str(output)]
        toolchain.run(link)


setup(
    ext_modules=[
        Extension("sae_fast._core", sorted(str(p.relative_to(ROOT)) for p in (ROOT / "src").glob("*.cpp"))),
        Extension("sae_fast.cython_api", ["sae_fast/cython_api.pyx"]),
    ],
    cmdclass={"build_ext": BuildExt},
)
