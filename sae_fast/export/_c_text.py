"""The text of ``digits.c`` and ``digits.h``, from the templates beside this module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Template

import numpy as np

from .._version import __version__
from ._c_weights import HEAD, c_arrays, literals, padded, row_sum
from ._exported import Exported

_TEMPLATES = Path(__file__).with_name("templates")
_ACCURACY = {
    "float": "within 1 unit in the last place of what these weights give without rounding on the way.",
    "double": "within 2 units in the last place of what these weights give without rounding on the way.",
}
_OF_STACKS = (
    "\n   In upper layers that holds as long as the terms of a unit's sum add up to no more than some hundreds."
)
_CODE_OF_EXP = ("sigmoid", "tanh")


class CText:
    """Header and source for an exported model, with a prefix; ``binary``: the weights are in a file."""

    def __init__(self, exported: Exported, prefix: str, *, binary: bool) -> None:
        self.exported = exported
        self.binary = binary
        self.type = "float" if exported.dtype == np.float32 else "double"
        self.names = {
            "name": prefix,
            "NAME": prefix.upper(),
            "type": self.type,
            "version": __version__,
            "checksum": exported.checksum,
        }
        # Two buffers in turn take the codes of the layers.
        self.buffers = [max((padded(len(k.b)) for k in exported.layers[first::2]), default=0) for first in (0, 1)]

    def _fill(self, template: str, **more: object) -> str:
        return Template(template).substitute(self.names, **more)

    def _file(self, name: str, **more: object) -> str:
        return self._fill((_TEMPLATES / f"{name}.in").read_text(encoding="utf-8"), **more)

    @property
    def stack(self) -> int:
        """Bytes of the stack that a call needs: buffers, a block of widened features, and what functions keep there."""
        words = sum(self.buffers) * (1 if self.type == "float" else 2) + (256 if self.type == "float" else 0)
        return -(-(8 * words + 1500) // 1024) * 1024

    def header(self) -> str:
        """``digits.h``."""
        found = self.exported
        origin = f"Checksum of the model file: {found.model_checksum}" if found.model_checksum else "Made from memory."
        macros = errors = check = doc = ""
        if self.binary:
            macros = self._fill("#define ${NAME}_WEIGHTS_BYTES $size\n", size=self._bytes())
            errors = self._fill(
                "#define ${NAME}_UNALIGNED 3        /* weights must be aligned as an array of $type is */\n"
                "#define ${NAME}_OTHER_WEIGHTS 4    /* not made together with this header */\n"
                "#define ${NAME}_OTHER_BYTE_ORDER 5 /* export with the byte order of this machine */\n"
                "#define ${NAME}_DAMAGED 6\n"
            )
            check = self._fill(
                "\n/* Says whether these are the weights, whole: all n_bytes of the file, mapped or read into memory.\n"
                "   To be called once; the functions below do not look again. */\n"
                "int ${name}_check(const void *weights, size_t n_bytes);\n"
            )
            doc = self._fill(" weights: the whole file, as ${name}_check has it.")
        return self._file(
            "header.h",
            layers=found.describe(),
            origin=origin,
            accuracy=_ACCURACY[self.type] + (_OF_STACKS if len(found.layers) > 1 else ""),
            n_features=found.n_features,
            n_codes=found.n_codes,
            stack=self.stack,
            weights_macros=macros,
            weights_errors=errors,
            weights_doc=doc,
            check=check,
            argument="const void *weights, " if self.binary else "",
        )

    def _bytes(self) -> int:
        return HEAD + sum(array.values.nbytes for array in c_arrays(self.exported))

    def source(self, header: str) -> Iterator[str]:
        """``digits.c``, in pieces."""
        units = [layer.unit for layer in self.exported.layers]
        yield self._fill("/* See $header; do not edit. */\n", header=header)
        yield f'#include "{header}"\n\n#include <float.h>\n#include <stdint.h>\n#include <string.h>\n\n'
        yield self._file("vectors.c")
        yield from ([] if self.binary else self._weights())
        yield "\n" + self._file(f"affine_{self.type}.c")
        if set(units) & set(_CODE_OF_EXP):
            yield "\n" + self._file("power.c") + "\n" + self._file(f"exp_{self.type}.c")
        for unit in sorted(set(units) - {"linear"}):
            yield "\n" + self._file(f"{unit}_{self.type}.c")
        if self.binary:
            yield "\n" + self._file("check.c", n_head=HEAD, id=f"UINT64_C(0x{self.exported.checksum[:16]})")
        yield "\n" + self._encode()

    def _weights(self) -> Iterator[str]:
        yield self._fill(
            "\n#if defined(__GNUC__)\n#define ${NAME}_ALIGNED __attribute__((aligned(64)))\n#else\n"
            "#define ${NAME}_ALIGNED\n#endif\n"
        )
        for array in c_arrays(self.exported):
            of = self._fill("static const $type ${name}_")
            yield f"\n{of}{array.name}[{len(array.values)}] {self.names['NAME']}_ALIGNED = {{\n"
            yield from literals(array.values)
            yield "};\n"

    def _encode(self) -> str:
        """``digits_encode`` and ``digits_encode_rows``."""
        n_buffers = min(2, len(self.exported.layers))
        words = ("",) if self.type == "float" else ("", "_low")
        declared = ", ".join(
            f"{buffer}{word}[{n}]"
            for buffer, n in list(zip(("first", "second"), self.buffers))[:n_buffers]
            for word in words
        )
        names = [a.name for a in c_arrays(self.exported)]
        at, places = 0, {}
        for name, values in c_arrays(self.exported):
            where = f"w + {at}" if at else "w"
            places[name] = where if self.binary else f"{self.names['name']}_{name}"
            at += len(values)
        calls = "".join(self._layer(k, places[names[2 * k]], places[names[2 * k + 1]]) for k in range(len(names) // 2))
        last = ("first", "second")[(len(self.exported.layers) - 1) % 2]
        result = f"(float){last}[j]" if self.type == "float" else f"{last}[j] + {last}_low[j]"
        weights = f"    const {self.type} *w = (const {self.type} *)(const void *)((const char *)weights + {HEAD});\n"
        return self._file(
            "encode.c",
            argument="const void *weights, " if self.binary else "",
            passed="weights, " if self.binary else "",
            or_no_weights="!weights || " if self.binary else "",
            declared=declared,
            # The sum is no sum of pointers that may be NULL: it comes after the check.
            weights=weights if self.binary else "",
            calls=calls,
            result=result,
        )

    def _layer(self, k: int, w: str, b: str) -> str:
        """The calls for layer k: its affine map, and its unit."""
        layer, name = self.exported.layers[k], self.names["name"]
        n_out, n_in = layer.W.shape
        here, below = ("first", "second") if k % 2 == 0 else ("second", "first")
        if self.type == "float":
            source = f"x, NULL, {here}" if k == 0 else f"NULL, {below}, {here}"
            text = f"    {name}_affine({w}, {b}, {n_in}, {padded(n_out)}, {source});\n"
            words = here
        else:
            source = "x, NULL" if k == 0 else f"{below}, {below}_low"
            bound, words = repr(row_sum(layer.W)), f"{here}, {here}_low"
            text = f"    {name}_affine({w}, {b}, {n_in}, {padded(n_out)}, {bound}, {source},\n"
            text += " " * (len(name) + 12) + f"{words});\n"
        return text if layer.unit == "linear" else text + f"    {name}_{layer.unit}({words}, {n_out});\n"
