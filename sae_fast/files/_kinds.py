"""What makes an object of the contents of a model file, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeAlias

from numpy.typing import NDArray

Maker: TypeAlias = Callable[[str | PathLike[str], dict[str, NDArray[Any]], dict[str, Any]], Any]
MAKERS: dict[str, Maker] = {}


def register(kind: str, maker: Maker) -> None:
    """Let files of a kind be made what they hold by ``maker(path, tensors, about)``, which gets checked contents."""
    MAKERS[kind] = maker
