"""What only another process runs is not imported for examples: its packages need not be installed."""

from __future__ import annotations

collect_ignore_glob = ["_*.py"]
