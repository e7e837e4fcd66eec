"""Where things lie: the checkout, its pages, the tests' data, and the real data sets beside it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DATA = ROOT / "tests" / "data"
SHARED = Path(os.environ.get("SAE_FAST_SHARED", ROOT.parent / "shared"))
CASES = SHARED / "cases"
