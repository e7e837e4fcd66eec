"""Races against the peers that are installed: each in a process of its own, in turns; see ``sae-fast bench``."""

from ._race import Result, race, together
from ._together import TOGETHER, Company, Together
from ._works import WORKS, Work

__all__ = ["TOGETHER", "WORKS", "Company", "Result", "Together", "Work", "race", "together"]
