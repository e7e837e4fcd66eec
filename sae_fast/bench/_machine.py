"""What the figures were taken on."""

from __future__ import annotations

import datetime
import platform
import sys
from importlib import metadata
from pathlib import Path

from ..network._config import config
from ._contenders import CONTENDERS, OURS, installed


def caches(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> str:
    """Sizes of the first processor's caches as Linux tells them; empty where nobody does."""
    found = {}
    for index in sorted(folder.glob("index[0-9]*")):
        try:
            level, kind, size = (
                (index / name).read_text(encoding="utf-8").strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            found[f"L{level}"] = _size(size)
    return ", ".join(f"{level} {size}" for level, size in sorted(found.items()))


def _size(text: str) -> str:
    """``1024K`` as 1 MB."""
    if not (text[:-1].isdecimal() and text[-1] == "K"):
        return text
    kilobytes = int(text[:-1])
    return f"{kilobytes // 1024} MB" if kilobytes % 1024 == 0 else f"{kilobytes} KB"


def processor() -> str:
    """Its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine(n_threads: int) -> dict[str, str]:
    """Processor, caches, and versions."""
    about = config()
    modules = {CONTENDERS[name].module for name in installed()} - {OURS}
    found = {
        "processor": f"{processor()}, {n_threads} threads",
        "caches": caches(),
        "instruction set": about["instruction set"],
        "sae_fast": f"{about['sae_fast']}, {about['compiler']}",
        "peers": ", ".join(sorted(f"{module} {metadata.version(module)}" for module in modules)),
        "python": sys.version.split()[0],
        "date": datetime.date.today().isoformat(),
    }
    return {name: value for name, value in found.items() if value}
