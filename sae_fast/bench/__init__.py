"""Races against the peers that are installed: each in a process of its own, in turns; see ``sae-fast bench``."""

from ._race import Result, race
from ._works import WORKS, Work

__all__ = ["WORKS", "Result", "Work", "race"]
