"""CSV text in blocks of whole records: quoted fields may hold separators and line ends, as in RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ._table import TableError

BLOCK_BYTES = 1 << 22
_BOM = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Some whole records, and the number of the line that the first one begins in."""

    data: bytes
    line: int


class Record(NamedTuple):
    """The fields of a record, and the number of the line that it begins in; none in an empty line."""

    fields: list[str]
    line: int


def blocks(stream: BinaryIO, sep: str) -> Iterator[Block]:
    """The whole of ``stream`` in blocks of some ``BLOCK_BYTES``, without a byte order mark.

    Raises
    ------
    TableError
        A quoted field that does not end, or goes on behind its closing quote; another encoding.
    """
    data, line, first = b"", 1, True
    while True:
        chunk = stream.read(BLOCK_BYTES)
        data += chunk
        if first:
            if data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise TableError("it is not UTF-8 text", "it begins as UTF-16: save it as UTF-8")
            data, first = data.removeprefix(_BOM), False
        end = _end_of_records(data, sep, line) if chunk else _all_of_it(data, sep, line)
        if end:
            yield Block(data[:end], line)
            line += count_lines(data[:end])
            data = data[end:]
        if not chunk:
            return


def records(block: Block, sep: str) -> Iterator[Record]:
    """The records of a block, one for each empty line too; each byte is a character (see ``decoded``)."""
    source = io.StringIO(block.data.decode("latin-1"), newline="")
    reader = csv.reader(source, delimiter=sep, strict=True)
    line = block.line
    try:
        for fields in reader:
            yield Record(fields, line)
            line = block.line + reader.line_num
    except csv.Error as error:
        raise TableError(f"line {line}: {_why(error)}") from None


def split_first(block: Block, sep: str) -> tuple[Record | None, Block]:
    """The first record that is no empty line, and what follows it."""
    source = io.StringIO(block.data.decode("latin-1"), newline="")
    reader = csv.reader(source, delimiter=sep, strict=True)
    line = block.line
    try:
        for fields in reader:
            if not is_blank(fields):
                found = Record([decoded(field, line) for field in fields], line)
                return found, Block(block.data[source.tell() :], block.line + reader.line_num)
            line = block.line + reader.line_num
    except csv.Error as error:
        raise TableError(f"line {line}: {_why(error)}") from None
    return None, Block(b"", line)


def is_blank(fields: list[str]) -> bool:
    """An empty line, or one of spaces alone."""
    return not fields or (len(fields) == 1 and fields[0].isspace())


def decoded(field: str, line: int) -> str:
    """The text of a field whose characters are the bytes of the file."""
    try:
        return field.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise TableError(f"line {line}: it is not UTF-8 text", "save it as UTF-8") from None


def raw_line(block: Block, line: int) -> str:
    """The line of this number as it stands in the block, and each byte is a character."""
    return block.data.splitlines()[line - block.line].decode("latin-1")


def count_lines(data: bytes) -> int:
    """Lines that end in ``data``, with any of the three line ends."""
    alone = data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0
    return data.count(b"\n") + alone


def _end_of_records(data: bytes, sep: str, line: int) -> int:
    """How many bytes the whole records have; more data may follow."""
    end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
    if data.find(b'"', 0, end) < 0:
        return end
    # Whether a line end stands in quotes only a reader can tell: a quote in the middle of a field is a character.
    source = io.StringIO(data[:end].decode("latin-1"), newline="")
    reader = csv.reader(source, delimiter=sep, strict=True)
    whole = 0
    try:
        for _ in reader:
            whole = source.tell()
    except csv.Error as error:
        if source.tell() < end:
            raise TableError(f"line {line + count_lines(data[:whole])}: {_why(error)}") from None
    return whole


def _all_of_it(data: bytes, sep: str, line: int) -> int:
    if b'"' in data:
        for _ in records(Block(data, line), sep):
            pass
    return len(data)


def _why(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        return "a field in quotes does not end"
    return f"something follows the closing quote of a field ({text})" if "expected after" in text else text
