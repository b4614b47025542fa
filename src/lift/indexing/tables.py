"""A table of metadata (CSV, TSV, JSONL, JSON or Excel): one row per photo, columns become typed fields."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lift.artefact import sha256_file
from lift.catalogue.fields import join_fields, parse_date, stored_value
from lift.console import note
from lift.data.reading import csv_rows, read_sheet, read_text
from lift.errors import LiftError

_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d+)?([eE][+-]?\d+)?")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class MetadataTable:
    """Fields by photo; a photo is found by its key, or by its file name where that is clear."""

    fields: dict[str, str]
    by_key: dict[str, dict[str, Any]]
    by_name: dict[str, dict[str, Any]]
    sha256: str

    @classmethod
    def read(
        cls,
        path: Path,
        keys: Sequence[str],
        column: str | None = None,
        taken: Mapping[str, str] | None = None,
    ) -> MetadataTable:
        """Read the table; says how many photos have a row. LiftError when it cannot be read or fits no photo.

        column: the one that names the photo; guessed when not given. taken: fields there are already.
        """
        header, rows = _read(Path(path))
        named = _photo_column(path, header, rows, keys, column)
        kinds, columns = {}, {}
        for number, name in enumerate(header):
            if number != named and name:
                cells = [row[number] for row in rows]
                if all(cell is None or cell == "" for cell in cells):
                    continue  # an empty column has no type yet
                kinds[name], columns[name] = _typed(cells)
                if (taken or {}).get(name, kinds[name]) != kinds[name]:
                    raise LiftError(
                        f"{path}: the field {name!r} is taken by the DATASET", "rename the column"
                    )
        join_fields({}, dict.fromkeys(kinds, ""))  # refuses names that a condition could not name
        by_key: dict[str, dict[str, Any]] = {}
        names: dict[str, list[str]] = {}
        for number, row in enumerate(rows):
            cell = _clean(row[named])
            if cell and cell not in by_key:
                names.setdefault(PurePosixPath(cell).name, []).append(cell)
                values = {name: values[number] for name, values in columns.items()}
                by_key[cell] = {name: value for name, value in values.items() if value is not None}
        by_name = {name: by_key[cells[0]] for name, cells in names.items() if len(cells) == 1}
        table = cls(kinds, by_key, by_name, sha256_file(Path(path)))
        found = sum(table.has(key) for key in keys)
        if not found:
            raise LiftError(
                f"{path}: no photo is named in its column {header[named]!r}",
                "write the photos' paths below their folder there, or choose the column with --metadata-column",
            )
        spoken = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        note(f"{path}: {found:,} of {len(keys):,} photos have a row in it; fields: {spoken}")
        return table

    def of(self, key: str) -> dict[str, Any]:
        """The fields of a photo; empty when it has no row."""
        return self.by_key.get(key) or self.by_name.get(PurePosixPath(key).name, {})

    def has(self, key: str) -> bool:
        """Does the photo have a row?"""
        return key in self.by_key or PurePosixPath(key).name in self.by_name


def _clean(cell: Any) -> str:
    return str(cell).strip().replace("\\", "/").removeprefix("./") if cell is not None else ""


def _photo_column(
    path: Path, header: list[str], rows: list[list[Any]], keys: Sequence[str], column: str | None
) -> int:
    if column is not None:
        if column not in header:
            raise LiftError(f"{path} has no column {column!r}", f"its columns: {', '.join(header)}")
        return header.index(column)
    known = {*keys, *(PurePosixPath(key).name for key in keys)}

    def fits(number: int) -> int:
        cells = (_clean(row[number]) for row in rows[:10_000])
        return sum(cell in known or PurePosixPath(cell).name in known for cell in cells)

    return max(range(len(header)), key=fits)


def _read(path: Path) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of equal length."""
    if not path.is_file():
        raise LiftError(f"there is no file {path}", "check the path of the metadata table")
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        lines = read_sheet(path)
    else:
        text = read_text(path.read_bytes(), None, path.name)[0]
        lines = _records(path, text) if path.suffix.lower() in (".jsonl", ".json") else _csv(path, text)
    if len(lines) < 2:
        raise LiftError(f"{path} holds no rows", "give a table with a header and one row per photo")
    header = [str(cell).strip() if cell is not None else "" for cell in lines[0]]
    width = len(header)
    return header, [[*line[:width], *[None] * (width - len(line))] for line in lines[1:]]


def _csv(path: Path, text: str) -> list[list[Any]]:
    first = text.split("\n", 1)[0]
    try:
        return [row for row in csv_rows(io.StringIO(text, newline=""), first, path) if any(row)]
    except csv.Error as error:
        raise LiftError(f"{path} is no readable table ({error})", "save it again as CSV or .xlsx") from error


def _records(path: Path, text: str) -> list[list[Any]]:
    try:
        # Not splitlines, which also cuts at letters that may stand inside a text, such as U+2028.
        parts = [text] if path.suffix.lower() == ".json" else [s for s in text.split("\n") if s.strip()]
        lines = [json.loads(part) for part in parts]
        lines = lines[0] if path.suffix.lower() == ".json" else lines
        header = list(dict.fromkeys(name for line in lines for name in line))
        return [header, *([line.get(name) for name in header] for line in lines)]
    except (ValueError, TypeError, AttributeError) as error:
        raise LiftError(
            f"{path} is no list of objects ({error})", "write one JSON object per line"
        ) from error


def _typed(cells: list[Any]) -> tuple[str, list[Any]]:
    """The narrowest type that holds all cells of a column, and the cells as values of it; empty ones are None."""
    filled = [cell for cell in cells if cell is not None and cell != ""]
    for kind, parse in _PARSERS.items():
        try:
            for cell in filled:
                parse(cell)
        except (ValueError, LiftError):
            continue
        return kind, [None if cell is None or cell == "" else parse(cell) for cell in cells]
    return "text", [None if cell is None or cell == "" else _text(cell) for cell in cells]


def _bool(cell: Any) -> bool:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, str) and cell.strip().lower() in _TRUTH:
        return _TRUTH[cell.strip().lower()]
    raise ValueError(cell)


def _number(cell: Any) -> float:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        value: float = stored_value("", "number", cell)
        return value
    if isinstance(cell, str) and cell.strip() and _NUMBER.fullmatch(cell.strip()):  # 007 is a name
        return float(cell)
    raise ValueError(cell)


def _date(cell: Any) -> dt.datetime:
    if isinstance(cell, dt.date):
        value: dt.datetime = stored_value("", "date", cell)
        return value
    if isinstance(cell, str) and re.match(r"\s*\d{4}[-/]\d{2}[-/]\d{2}", cell):
        return parse_date("", cell)
    raise ValueError(cell)


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str)


_PARSERS = {"bool": _bool, "number": _number, "date": _date}
