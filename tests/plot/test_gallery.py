"""docs/plots.md can be believed: its code runs, and makes the pictures that it shows."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest
from PIL import Image

from sae_fast import plot
from tests.helpers.paths import DOCS

PAGE = (DOCS / "plots.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S))
IMAGES = DOCS / "images" / "plots"


def drawn(path):
    """The size of a picture, and how much of it is not the background."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=int)
    return np.array(pixels.shape[:2]), np.mean(np.abs(pixels - pixels[0, 0]).max(axis=2) > 32)


@pytest.mark.filterwarnings("ignore:of 60 hidden units:sae_fast.UnitWarning")  # what it shows
def test_code_makes_the_pictures_of_the_page(tmp_path, monkeypatch):
    """The blocks run one after another, and each picture is as large and as full as the one that is shown."""
    monkeypatch.syspath_prepend(str(DOCS))
    made = {path.name: drawn(path) for path in importlib.import_module("make_gallery").run(tmp_path)}
    assert set(made) == {path.name for path in IMAGES.iterdir()}
    for name, (size, ink) in made.items():
        shown_size, shown_ink = drawn(IMAGES / name)
        np.testing.assert_allclose(size, shown_size, rtol=0.02, err_msg=name)  # labels of another width
        assert ink == pytest.approx(shown_ink, rel=0.1), name


def test_gallery_is_complete():
    """Each picture that the gallery's code saves is shown, committed and small; it uses all of plot's names."""
    saved = set(re.findall(r"plot\.save\(.*\"([\w-]+\.png)\"", CODE))
    assert saved == set(re.findall(r"images/plots/([\w-]+\.png)", PAGE))
    files = {p.name: p.stat().st_size for p in IMAGES.iterdir()}
    assert set(files) == saved
    assert max(files.values()) <= 60_000
    assert set(re.findall(r"plot\.(\w+)\(", CODE)) == set(plot.__all__)
