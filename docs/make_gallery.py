"""Make the pictures of docs/plots.md by running its Python blocks, and docs/images/filters.png by the demo.

    python docs/make_gallery.py

Pictures go through a palette of 256 colours, which halves the files and is not seen.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from sae_fast.cli import main

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images" / "plots"
PAGE = DOCS / "plots.md"


def blocks(page: str) -> list[str]:
    """The Python code of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", page, re.S)


def run(folder: Path) -> list[Path]:
    """Run all blocks of the page, one after another, in a folder; the pictures that they wrote."""
    names: dict[str, object] = {}
    with contextlib.chdir(folder):
        for block in blocks(PAGE.read_text(encoding="utf-8")):
            exec(compile(block, str(PAGE), "exec"), names)
    return sorted(folder.glob("*.png"))


def shrink(source: Path, target: Path) -> None:
    """Copy a picture with a palette."""
    with Image.open(source) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    print(f"{target.relative_to(DOCS)}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for picture in run(Path(temporary)):
            shrink(picture, IMAGES / picture.name)
    with tempfile.TemporaryDirectory() as temporary:
        if main(["demo", "--quiet", "--out", temporary]) == 0:
            shutil.copy(Path(temporary) / "filters.png", DOCS / "images" / "filters.png")
