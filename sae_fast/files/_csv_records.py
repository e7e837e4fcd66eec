"""CSV text in blocks of whole records: quoted fields may hold separators and line ends, as in RFC 4180."""

from __future__ import annotations

import csv
import io
import re
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
    rest, line, first = b"", 1, True
    while True:
        chunk = stream.read(BLOCK_BYTES)
        data = b"".join((rest, chunk, stream.readline()))
        if first:
            if data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise TableError("it is not UTF-8 text", "it begins as UTF-16: save it as UTF-8")
            data, first = data.removeprefix(_BOM), False
        end = len(data) if b'"' not in data else _end_of_records(data, sep, line, not chunk)
        if end:
            whole, rest = (data, b"") if end == len(data) else (data[:end], data[end:])
            yield Block(whole, line)
            line += count_lines(whole)
        else:
            rest = data
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


class First(NamedTuple):
    """The first record of a file that is no empty line, the block from there on, and the block that follows it."""

    record: Record
    whole: Block
    rest: Block


def first_record(block: Block, sep: str) -> First | None:
    """The first record of a block, decoded; None if all its lines are empty."""
    source = io.StringIO(block.data.decode("latin-1"), newline="")
    reader = csv.reader(source, delimiter=sep, strict=True)
    line, start = block.line, 0
    try:
        for fields in reader:
            if not is_blank(fields):
                found = Record([decoded(field, line) for field in fields], line)
                rest = Block(block.data[source.tell() :], block.line + reader.line_num)
                return First(found, Block(block.data[start:], line), rest)
            line, start = block.line + reader.line_num, source.tell()
    except csv.Error as error:
        raise TableError(f"line {line}: {_why(error)}") from None
    return None


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
    start = 0
    ends = re.compile(rb"\r\n|\r|\n")
    for _ in range(line - block.line):
        found = ends.search(block.data, start)
        start = found.end() if found else len(block.data)
    found = ends.search(block.data, start)
    return block.data[start : found.start() if found else None].decode("latin-1")


def count_lines(data: bytes) -> int:
    """Lines that end in ``data``, with any of the three line ends."""
    alone = data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0
    return data.count(b"\n") + alone


def _end_of_records(data: bytes, sep: str, line: int, is_last: bool) -> int:
    """How many bytes the whole records have, of lines that are whole; more may follow unless it is the last block.

    Whether a line end stands in quotes only a reader can tell: a quote in the middle of a field is a character.
    """
    source = io.StringIO(data.decode("latin-1"), newline="")
    reader = csv.reader(source, delimiter=sep, strict=True)
    whole = 0
    try:
        for _ in reader:
            whole = source.tell()
    except csv.Error as error:
        if is_last or source.tell() < len(data):
            raise TableError(f"line {line + count_lines(data[:whole])}: {_why(error)}") from None
    return whole


def _why(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        return "a field in quotes does not end"
    return f"something follows the closing quote of a field ({text})" if "expected after" in text else text
