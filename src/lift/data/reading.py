"""Text files as people have them (UTF-8, UTF-16, Japanese Excel's cp932, Western Excel's cp1252), and Excel sheets."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lift.errors import LiftError

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")  # tab, line feed, form feed and the like are none


def read_text(content: bytes, encoding: str | None, file: str) -> tuple[str, str]:
    """Decode the bytes of a text file; returns the text and the encoding used or found.

    Found are UTF-8, UTF-16, Japanese Excel's cp932 and Western Excel's cp1252.
    """
    if encoding:
        try:
            return content.decode(encoding), encoding
        except (LookupError, UnicodeDecodeError) as error:
            raise LiftError(
                f"{file} is not {encoding} ({error})", "leave --encoding out, or give another"
            ) from error
    for guess in encoding_guesses(content):
        try:
            return content.decode(guess), guess
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "latin-1"


def encoding_guesses(content: bytes) -> tuple[str, ...]:
    """Likely encodings of a text file by its first bytes, the likeliest first; one of them need not fit."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if content.startswith(b"\xef\xbb\xbf"):
        return ("utf-8-sig",)
    head = content[:2000]
    # A lone NUL is dirt; in UTF-16 every second byte of plain letters is one.
    if 3 * head.count(0) >= len(head):
        return ("utf-16-le", "utf-16-be") if head[1::2].count(0) >= head[::2].count(0) else ("utf-16-be",)
    # Both legacy encodings decode much of each other: lone high bytes between ASCII are Western accents,
    # since Japanese comes in runs of them.
    runs = re.findall(rb"[\x80-\xff]+", content[:200_000])
    western = sum(len(run) == 1 for run in runs) > 0.8 * len(runs)
    return ("utf-8", "cp1252", "cp932") if western else ("utf-8", "cp932", "cp1252")


def is_binary(text: str) -> bool:
    """Whether decoded text is none: a photo, an archive, an array. More than one sign in fifty is a control sign.

    Of random bytes it is one in eight, and of texts that people have none, but for a stray NUL.
    """
    return 50 * len(_CONTROLS.findall(text)) > len(text)


def csv_rows(lines: Iterable[str], first: str, path: Path) -> Iterator[list[str]]:
    """Rows of a CSV or TSV with cells of any length; the separator is told by the ending, or by the `first` line.

    Raises csv.Error at a row that cannot be read; the iterator can go on behind it.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",\t;|", key=first.count)
    return csv.reader(lines, delimiter=delimiter)


def sheet_rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """Rows of the first sheet of an Excel file, one by one, without empty ones; LiftError when it cannot be read."""
    import zipfile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise LiftError(
            f"{path} is no readable Excel file ({error})", "save it again as .xlsx or .csv"
        ) from error
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            if any(cell is not None for cell in row):
                yield row
    finally:
        book.close()


def read_sheet(path: Path) -> list[list[Any]]:
    """All of `sheet_rows`."""
    return [list(row) for row in sheet_rows(path)]
