"""Where a CSV file is wrong, for the error message: read again, line by line, once reading it fast has failed."""

from __future__ import annotations

import csv


def csv_fault(path: str) -> str | None:
    r"""The first line that cannot be read, and why; None if none is found.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.csv")
    >>> _ = path.write_text("a,b\n1,2\n3,four\n")
    >>> csv_fault(str(path))
    "line 3, column 2 must be a number, got 'four'"
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            wanted = 0
            for row in reader:
                if len(row) < 2 and not "".join(row).strip():
                    continue
                bad = next(((i, field) for i, field in enumerate(row, 1) if not _is_number(field)), None)
                if wanted and len(row) != wanted:
                    return f"line {reader.line_num} must have {wanted} fields, as the lines before, got {len(row)}"
                if wanted and bad:
                    hint = "" if len(row) > 1 else _hint(bad[1])
                    return f"line {reader.line_num}, column {bad[0]} must be a number, got {_short(bad[1])}{hint}"
                wanted = len(row)
        except UnicodeDecodeError:
            return "it is not UTF-8 text"
        except csv.Error as error:
            return f"line {reader.line_num}: {error}"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _hint(line: str) -> str:
    return " (fields are separated by commas)" if any(mark in line for mark in (";", "\t", " ")) else ""
