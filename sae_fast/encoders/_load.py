"""The encoder of any file that has one."""

from __future__ import annotations

from os import PathLike

from .. import files
from ..network._scale import Clip
from ._encoder import Encoder
from ._stack_encoder import StackEncoder


def load_encoder(path: str | PathLike[str], clip: Clip = "error") -> Encoder | StackEncoder:
    """As :meth:`Encoder.load` or :meth:`StackEncoder.load` reads it, by its number of layers."""
    several = len(files.read_tensors(path).about.get("units", ())) > 1
    return StackEncoder.load(path) if several else Encoder.load(path, clip=clip)
