"""Loads the compiled core as a good neighbour.

OpenMP's threads spin for milliseconds after a parallel region, by libgomp's default, and keep the processors from
whoever comes next: NumPy's BLAS, scikit-learn. libgomp reads its environment once, when it is loaded, so a shorter
spin, long enough for the gaps inside and between our own calls, is in the environment just while the core is loaded.
Whoever sets OMP_WAIT_POLICY or GOMP_SPINCOUNT has the last word.
"""

from __future__ import annotations

import os

_SPIN = "5000"  # rounds; some 50 microseconds
_own = "GOMP_SPINCOUNT" not in os.environ and "OMP_WAIT_POLICY" not in os.environ
if _own:
    os.environ["GOMP_SPINCOUNT"] = _SPIN
try:
    from . import _core as _core
finally:
    if _own:
        del os.environ["GOMP_SPINCOUNT"]
