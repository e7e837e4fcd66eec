"""Numeric arrays and structs from MAT-files of version 5 to 7.2.

SciPy's reader trusts the type codes and counts in the file, and a damaged one can end the process (SciPy 1.17); here
whatever does not fit is an error. Layout: MathWorks, "MAT-File Format", version 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), start=6))
_STRUCT = 2
_COMPLEX_OR_LOGICAL = 0x0A00
_DEPTH = 32

Element = tuple[int, memoryview]


def is_mat5(data: bytes) -> bool:
    """Whether the file says that it is of this version; a version 4 file has a zero among its first four bytes."""
    return data[126:128] in (b"IM", b"MI") and 0 not in data[:4]


def read_mat5(data: bytes) -> dict[str, Any]:
    """All variables of the file by name.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    dict
        Real arrays as ndarrays of at least two dimensions, structs (1 x 1) as dicts, anything else as None.

    Raises
    ------
    ValueError, zlib.error
        The first thing that is wrong.
    """
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, Any] = {}
    for kind, body in _elements(memoryview(data)[128:], order):
        if kind == _COMPRESSED:
            kind, body = next(_elements(memoryview(zlib.decompress(body)), order))
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} where a matrix should be")
        name, value = _matrix(body, order, 0)
        if name:  # MATLAB's own additions have none
            found[name] = value
    return found


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """Type and bytes of one element after another."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("cut short in the tag of an element")
        kind, size = struct.unpack_from(order + "II", data, at)
        begin = at + 8
        if kind >> 16:  # up to four bytes, inside of the tag
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
        end = begin + size
        if end > len(data) or (begin == at + 4 and size > 4):
            raise ValueError(f"an element of {size} bytes does not fit where it is")
        yield kind, data[begin:end]
        at = at + 8 if begin == at + 4 else end if kind == _COMPRESSED else begin + (size + 7) // 8 * 8


def _next(elements: Iterator[Element], *kinds: int) -> memoryview:
    kind, body = next(elements, (None, memoryview(b"")))
    if kind not in kinds:
        raise ValueError(f"an element of type {kind} where type {' or '.join(map(str, kinds))} should be")
    return body


def _matrix(body: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """Name and value of one array."""
    if depth > _DEPTH:
        raise ValueError(f"nested deeper than {_DEPTH}")
    elements = _elements(body, order)
    flags = _next(elements, _UINT32)
    if len(flags) != 8:
        raise ValueError(f"array flags of {len(flags)} bytes")
    bits = struct.unpack_from(order + "I", flags)[0]
    if bits & 0xFF not in _CLASSES and bits & 0xFF != _STRUCT:
        return _name_of(elements), None
    shape = np.frombuffer(_next(elements, _INT32), order + "i4").tolist()
    name = bytes(_next(elements, _INT8)).decode("latin-1")
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"{name} claims the shape {shape}")
    if bits & 0xFF == _STRUCT:
        return name, _fields(elements, order, depth) if shape == [1, 1] else None
    if bits & _COMPLEX_OR_LOGICAL:
        return name, None
    kind, raw = next(elements, (0, memoryview(b"")))
    if kind not in _STORED:
        raise ValueError(f"{name} is stored in the unknown type {kind}")
    values = np.frombuffer(raw, order + _STORED[kind])
    if values.size != math.prod(shape):
        raise ValueError(f"{name} has {values.size} values, its shape {shape} wants {math.prod(shape)}")
    return name, values.astype(_CLASSES[bits & 0xFF]).reshape(shape, order="F")


def _name_of(elements: Iterator[Element]) -> str:
    """Name of an array that is not read, so that it can be listed."""
    return next((bytes(body).decode("latin-1") for kind, body in elements if kind == _INT8), "")


def _fields(elements: Iterator[Element], order: str, depth: int) -> dict[str, Any]:
    """Fields of a struct: their names padded to one length, then one array for each."""
    width = np.frombuffer(_next(elements, _INT32), order + "i4").tolist()
    names = bytes(_next(elements, _INT8))
    if len(width) != 1 or width[0] < 1 or len(names) % width[0]:
        raise ValueError(f"field names of {len(names)} bytes, {width} each")
    split = [names[i : i + width[0]].split(b"\0")[0].decode("latin-1") for i in range(0, len(names), width[0])]
    values = [_next(elements, _MATRIX) for _ in split]
    return {k: _matrix(body, order, depth + 1)[1] if body else None for k, body in zip(split, values, strict=True)}
