"""Tensors of safetensors and .npz files of others, as float32 or float64; files are mapped, and checked before use."""

from __future__ import annotations

import json
import math
import os
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files._model_file import ModelFileError

Tensors = dict[str, NDArray[Any]]
LONGEST_JSON = 100_000_000  # bytes


class _Kind(NamedTuple):
    """How a tensor lies in the file, and what it becomes."""

    stored: str
    bfloat16: bool = False


_KINDS = {
    "F64": _Kind("<f8"),
    "F32": _Kind("<f4"),
    "F16": _Kind("<f2"),
    "BF16": _Kind("<u2", bfloat16=True),
    "I64": _Kind("<i8"),
    "I32": _Kind("<i4"),
    "U8": _Kind("<u1"),
    "BOOL": _Kind("?"),
}


def widened(stored: NDArray[Any], *, bfloat16: bool = False) -> NDArray[Any]:
    """Numbers in a type that NumPy computes in: half precision becomes float32, which holds all of it."""
    if bfloat16:
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32) if stored.dtype.itemsize == 2 else stored


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in which no name is there twice."""
    with open(path, "rb") as file:
        text = file.read(LONGEST_JSON + 1)
    return parse_json(text, path)


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """The object in a text."""
    found = _parsed(text, path)
    if not isinstance(found, dict):
        raise ModelFileError(f"{path} must hold a JSON object")
    return found


def parse_list(text: bytes, path: Path) -> list[Any]:
    """The list in a text."""
    found = _parsed(text, path)
    if not isinstance(found, list):
        raise ModelFileError(f"{path} must hold a list in JSON")
    return found


def _parsed(text: bytes, path: Path) -> Any:
    if len(text) > LONGEST_JSON:
        raise ModelFileError(f"{path} is longer than settings are")
    try:
        return json.loads(text.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is no JSON: {str(error)[:200]}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def read_safetensors(path: Path) -> Tensors:
    """All tensors of a file, which stays mapped as long as one of type float32 or float64 is used."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(LONGEST_JSON, size - 8):
            raise ModelFileError(f"{path} is no safetensors file, or cut short")
        header = parse_json(file.read(length), path)
    header.pop("__metadata__", None)
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else np.empty(0, np.uint8)
    end = 0
    found: Tensors = {}
    for name, entry in sorted(header.items(), key=_begin):
        kind, shape, (first, last) = _checked(entry, f"{path}: tensor {name!r:.80}")
        if first != end or last > len(data) or last - first != math.prod(shape) * np.dtype(kind.stored).itemsize:
            raise ModelFileError(f"{path} is damaged: tensor {name!r:.80} does not lie where it must")
        if last == first:
            raise ModelFileError(f"{path}: tensor {name!r:.80} is empty")
        stored = np.frombuffer(data, kind.stored, math.prod(shape), first)
        found[name] = widened(stored, bfloat16=kind.bfloat16).reshape(shape)
        end = last
    if end != len(data):
        raise ModelFileError(f"{path} is damaged: it has {len(data) - end} bytes behind its tensors")
    return found


def is_ours(path: str | PathLike[str]) -> bool:
    """Does a safetensors file say that it is a model of this package, or not say what it is at all?"""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(min(length, LONGEST_JSON))
    try:
        about = parse_json(text, Path(path)).get("__metadata__")
    except ModelFileError:
        return True
    return isinstance(about, dict) and any(str(name).startswith("sae_fast") for name in about)


def _begin(item: tuple[str, Any]) -> Any:
    try:
        first, last = item[1]["data_offsets"]
        return (first, last) if type(first) is type(last) is int else (-1, -1)
    except (TypeError, KeyError, ValueError):
        return -1, -1


def _checked(entry: Any, what: str) -> tuple[_Kind, list[int], tuple[int, int]]:
    about: dict[str, Any] = entry if isinstance(entry, dict) else {}
    shape: Any = about.get("shape")
    offsets: Any = about.get("data_offsets")
    are_lists = isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2
    if not are_lists or not all(type(n) is int and 0 <= n < 2**62 for n in (*shape, *offsets)):
        raise ModelFileError(f"{what} must have a shape and two data_offsets")
    dtype = about.get("dtype")
    if not isinstance(dtype, str) or dtype not in _KINDS:
        raise ModelFileError(f"{what} must have a dtype among {', '.join(_KINDS)}, got {dtype!r:.40}")
    return _KINDS[dtype], shape, (offsets[0], offsets[1])


def read_sharded(index: Path) -> Tensors:
    """Tensors of several files, which ``model.safetensors.index.json`` names."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(
        isinstance(p, str) and os.path.basename(p) == p for p in places.values()
    ):
        raise ModelFileError(f"{index} must have a weight_map of names of files beside it")
    found: Tensors = {}
    for name in sorted(set(places.values())):
        tensors = read_safetensors(index.parent / name)
        if set(tensors) != {tensor for tensor, place in places.items() if place == name}:
            raise ModelFileError(f"{index.parent / name} must have the tensors that {index.name} says")
        found |= tensors
    return found


def read_npz(path: Path) -> Tensors:
    """Arrays of an .npz file; objects are refused."""
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no zip archive")
            file.seek(0)
            arrays = np.load(file, allow_pickle=False)
            found = {name: arrays[name] for name in arrays.files}
    except OSError:
        raise
    except Exception as error:  # zlib's and zipfile's too
        raise ModelFileError(f"{path} is damaged, or no .npz file of plain arrays: {str(error)[:200]}") from error
    return {name: widened(array) for name, array in found.items()}
