"""The page of the reproductions: figures beside the published ones, pictures, machine and versions."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

from _common import Result

import sae_fast as sf
from sae_fast.bench._machine import machine

LIBRARIES = ("numpy", "scipy", "scikit-learn", "matplotlib")


def page(results: Mapping[str, Result | str], modules: Mapping[str, ModuleType]) -> str:
    """The text. ``results``: by name of the module, what it returned, or how it failed."""
    return "\n".join(_lines(results, modules)) + "\n"


def _lines(results: Mapping[str, Result | str], modules: Mapping[str, ModuleType]) -> Iterator[str]:
    about = machine(sf.get_num_threads())
    del about["peers"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    yield "# Reproductions"
    yield ""
    yield (
        "Published results of sparse autoencoders on real data, run again with this library by "
        "`python examples/reproduce.py`, which made this page. Each is a short program in "
        "[`examples`](../examples/README.md), to be read as a tutorial. *Wanted* is the bar that was set beforehand; "
        "where there is none, the figure is for information."
    )
    yield ""
    yield f"{'; '.join(f'{k}: {v}' for k, v in about.items())}; {versions}."
    yield ""
    yield "| reproduction | figure | published | ours | wanted | | whole run |"
    yield "|---|---|---:|---:|---:|---|---:|"
    for name, result in results.items():
        if isinstance(result, str):
            yield f"| {name} | failed | | | | | |"
            continue
        chosen = [f for f in result.figures if f.bar] or result.figures[:1]
        for i, f in enumerate(chosen):
            title, seconds = (
                (f"[{result.title}](#{_anchor(result.title)})", f"{result.seconds:.0f} s") if i == 0 else ("", "")
            )
            yield f"| {title} | {f.what} | {f.published} | {f.show(f.ours)} | {f.bar} | {f.verdict} | {seconds} |"
    for name, result in results.items():
        yield ""
        if isinstance(result, str):
            yield f"## {name}"
            yield ""
            yield f"This reproduction failed: {result}"
            continue
        yield from _section(name, result, modules[name])


def _section(name: str, result: Result, module: ModuleType) -> Iterator[str]:
    yield f"## {result.title}"
    yield ""
    yield inspect.cleandoc(module.__doc__ or "")
    yield ""
    yield f"Program: [`examples/{name}.py`](../examples/{name}.py), {result.seconds:.0f} s in all."
    if result.smaller:
        yield f"**Smaller version, on {result.smaller}.**"
    yield ""
    yield "| figure | published | ours | wanted | |"
    yield "|---|---:|---:|---:|---|"
    for f in result.figures:
        yield f"| {f.what} | {f.published} | {f.show(f.ours)} | {f.bar} | {f.verdict} |"
    for picture, caption in result.pictures:
        yield ""
        yield f"![{caption}](images/reproductions/{picture})"
        yield ""
        yield f"*{caption}*"


def _anchor(title: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
