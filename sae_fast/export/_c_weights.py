"""Weights as C has them: transposed, in panels whose width is that of vectors, as text or as a binary file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._exported import Exported, ExportedLayer

ByteOrder: TypeAlias = Literal["little", "big"]
PANEL = 16  # codes; ${NAME}_PANEL of the templates
HEAD = 64  # bytes before the weights of a binary file
_FORMAT = 1
_PER_LINE = 8


class CArray(NamedTuple):
    """Name, with which the prefix goes, and values, flat."""

    name: str
    values: NDArray[Any]


def c_arrays(exported: Exported) -> list[CArray]:
    """``w0, b0, w1, ...``."""
    found: list[CArray] = []
    for k, layer in enumerate(exported.layers):
        found += [CArray(f"w{k}", _panels(layer)), CArray(f"b{k}", _padded(layer.b))]
    return found


def padded(n: int) -> int:
    """Codes of whole panels."""
    return -(-n // PANEL) * PANEL


def _padded(values: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([values, np.zeros((padded(len(values)) - len(values), *values.shape[1:]), values.dtype)])


def _panels(layer: ExportedLayer) -> NDArray[Any]:
    """(n_panels, n_in, PANEL), flat."""
    W = _padded(layer.W)
    return np.ascontiguousarray(W.reshape(-1, PANEL, W.shape[1]).transpose(0, 2, 1)).ravel()


def literals(values: NDArray[Any]) -> Iterator[str]:
    """Lines of the shortest decimals that are read as these values."""
    ending = "F" if values.dtype == np.float32 else ""
    for start in range(0, len(values), _PER_LINE):
        yield "    " + ", ".join(_literal(v) + ending for v in values[start : start + _PER_LINE]) + ",\n"


def _literal(value: Any) -> str:
    text = str(value)
    return text if "." in text or "e" in text else text + ".0"  # an integer with F behind it is none of C's


def row_sum(W: NDArray[Any]) -> float:
    """A bound of ``sum_i |W_ji|``, rounded up."""
    return float(np.abs(W.astype(np.float64)).sum(axis=1).max() * (1 + 1e-9))


def binary(exported: Exported, byte_order: ByteOrder) -> bytes:
    """The whole binary file: a head, which ``PREFIX_check`` reads, and all arrays."""
    order = {"little": "<", "big": ">"}[byte_order]
    dtype = exported.dtype.newbyteorder(order)  # type: ignore[arg-type]
    data = b"".join(array.values.astype(dtype).tobytes() for array in c_arrays(exported))
    identity = int(exported.checksum[:16], 16)
    head = struct.pack(
        f"{order}8sIIQQI", b"sae_fast", 0x01020304, _FORMAT, HEAD + len(data), identity, zlib.crc32(data)
    )
    return head.ljust(HEAD, b"\0") + data
