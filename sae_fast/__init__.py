"""The fastest, most exact sparse autoencoder on a CPU.

The functions and encoders need NumPy alone. Everything is imported when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

try:
    from . import _load as _load
except ImportError as error:
    raise ImportError(
        f"sae_fast is not built for this Python ({error}). In a checkout run `pip install -e .` (it needs a C++17 "
        "compiler); otherwise `pip install sae-fast`, and import it from outside the source tree."
    ) from error

from ._homes import FORMER, HOMES, PACKAGES, STORED
from ._version import __version__ as __version__

_PUBLIC = {name: home for home, names in HOMES.items() for name in names} | dict.fromkeys(PACKAGES, "")
_HOME_OF = _PUBLIC | STORED
__all__ = ["__version__", *_PUBLIC]

for _name in FORMER:
    sys.modules.setdefault(f"{__name__}.{_name}", sys.modules[__name__])


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'sae_fast' has no attribute {name!r}")
    home = _HOME_OF[name]
    module = importlib.import_module(f".{home or name}", __name__)
    globals()[name] = found = getattr(module, name) if home else module
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
