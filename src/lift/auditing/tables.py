"""Tables of texts and of terms: CSV, TSV, JSONL and Excel as records; unreadable lines are counted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lift.data.reading import csv_rows, is_binary, read_sheet, read_text
from lift.errors import LiftError

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".xlsx", ".xlsm")


class Table(NamedTuple):
    """Column names, records by column name, how many lines could not be read, and the text encoding found."""

    header: list[str]
    records: list[dict[str, Any]]
    unreadable: int
    encoding: str


def read_table(path: Path) -> Table:
    """Read a table by its ending; LiftError when it is missing, of another kind, or broken."""
    if not path.is_file():
        raise LiftError(f"there is no file {path}", "check the path")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise LiftError(
            f"{path.name} is not a table that can be read", f"save it as {', '.join(ENDINGS[:3])} or .xlsx"
        )
    if ending in (".xlsx", ".xlsm"):
        return _read_excel(path)
    text, encoding = read_text(path.read_bytes(), None, path.name)
    if is_binary(text):
        raise LiftError(f"{path.name} holds no text: it is a binary file", "save the table as .csv or .jsonl")
    table = _read_lines(text, encoding) if "json" in ending else _read_csv(text, encoding, path)
    if not table.records:
        raise LiftError(f"{path.name} has no rows", "give a table with a header and at least one row")
    return table


def _read_lines(text: str, encoding: str) -> Table:
    records, unreadable = [], 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            unreadable += 1
    return Table(list(dict.fromkeys(name for row in records for name in row)), records, unreadable, encoding)


def _read_csv(text: str, encoding: str, path: Path) -> Table:
    first = text.split("\n", 1)[0]
    try:
        lines = [row for row in csv_rows(io.StringIO(text.replace("\0", ""), newline=""), first, path) if row]
    except csv.Error as error:
        raise LiftError(f"{path} cannot be read ({error})", "save it again as CSV or TSV") from error
    header = [name.strip().lstrip("\ufeff") for name in lines[0]] if lines else []
    fitting = [row for row in lines[1:] if len(row) <= len(header)]
    records = [dict(zip(header, row, strict=False)) for row in fitting]
    return Table(header, records, len(lines[1:]) - len(fitting), encoding)


def _read_excel(path: Path) -> Table:
    cells = read_sheet(path)
    if len(cells) < 2:
        raise LiftError(f"{path.name} has no rows", "give a table with a header and at least one row")
    header = ["" if name is None else str(name).strip() for name in cells[0]]
    return Table(header, [dict(zip(header, row, strict=False)) for row in cells[1:]], 0, "excel")


def find_column(header: Sequence[str], wanted: str | None, known: Sequence[str], option: str) -> str | None:
    """The column `wanted`, else the first of the `known` names that is there (any case); None when neither is.

    Raises LiftError, listing the columns, when `wanted` is not there.
    """
    if wanted is not None:
        if wanted not in header:
            raise LiftError(f"there is no column {wanted!r}", f"use one of: {', '.join(header)} ({option})")
        return wanted
    by_lower = {name.lower(): name for name in header}
    return next((by_lower[name] for name in known if name in by_lower), None)
