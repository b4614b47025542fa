"""Source form 2: photos and a CSV, TSV, JSONL, JSON, Parquet or Excel table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lift.data.decoding import BadImage
from lift.data.files import PICTURES, TABLES, PhotoFinder
from lift.data.reading import csv_rows, read_sheet, read_text
from lift.errors import LiftError
from lift.ingest.columns import embedded_photo, guess_columns, item_of
from lift.ingest.config import IngestConfig
from lift.ingest.items import Asides, Item, PhotoFile, PhotoSource
from lift.ingest.source import Source

Rows = list[dict[str, Any]]
PREFERRED = ("captions", "metadata", "labels")
SAMPLE = 200  # rows looked at when columns are guessed


def tables_in(files: Sequence[str]) -> list[str]:
    """Names of the tables at the top of a source."""
    return [name for name in files if "/" not in name and name.lower().endswith(TABLES)]


def choose_table(source: Source, wanted: str | None) -> Path:
    """The table to read: the one wanted, the only one, or the one named captions, metadata or labels."""
    if source.table is not None:
        return source.table
    if wanted is not None:
        for path in (source.root / wanted, Path(wanted)):
            if path.is_file():
                return path
    names = tables_in(source.files)
    if wanted is not None:
        raise LiftError(
            f"there is no table {wanted} in {source.root}", f"use one of: {', '.join(names) or 'none'}"
        )
    for stem in PREFERRED:
        preferred = [name for name in names if name.lower().startswith(stem)]
        exact = [name for name in preferred if PurePosixPath(name).stem.lower() == stem]
        if len(exact or preferred) == 1:
            return source.root / (exact or preferred)[0]
        if preferred:
            raise LiftError(
                f"{source.root} has several tables: {', '.join(names)}", "choose one with --table"
            )
    if len(names) == 1:
        return source.root / names[0]
    if not names:
        raise LiftError(
            f"{source.root} has no table", f"add a {', '.join(TABLES[:3])} file, or give another --kind"
        )
    raise LiftError(f"{source.root} has several tables: {', '.join(names)}", "choose one with --table")


def read_table_source(source: Source, config: IngestConfig, asides: Asides) -> Iterator[Item]:
    """Yield one Item per row of the source's table; several rows may name one photo."""
    table = choose_table(source, config.table)
    rows = read_rows(table, config.encoding, asides, source.facts)
    if not rows:
        raise LiftError(f"{table} has no rows", "choose another with --table")
    header = list(dict.fromkeys(name for row in rows[:SAMPLE] for name in row))
    columns = guess_columns(header, rows[:SAMPLE], config)
    source.facts |= {"table": table.name, "columns": columns.asdict()}
    source.tell(f"table {table.name}: {columns}")
    finder = PhotoFinder(source.root, source.files)
    for number, row in enumerate(rows):
        cell = row.get(columns.image or "")
        photo: PhotoSource | None = embedded_photo(cell)
        if photo is not None:
            named = cell.get("path") if isinstance(cell, dict) else None
            key, place = f"{named or table.name}#{number}", None
        else:
            try:
                key = finder.find("" if cell is None else str(cell))
            except BadImage as error:
                asides.add(f"{table.name} row {number + 1}: {str(cell)[:120]}", error.reason, error.remedy)
                continue
            photo, place = PhotoFile(source.root / key), key
        yield item_of(row, columns, key=key, photo=photo, split=None, source=place, asides=asides)


def read_rows(path: Path, encoding: str | None, asides: Asides, facts: dict[str, Any]) -> Rows:
    """All rows of a table as dicts, columns by their names; unreadable lines are set aside."""
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            return _read_parquet(path)
        if ending in (".xlsx", ".xlsm"):
            return _read_excel(path)
        text, facts["encoding"] = read_text(path.read_bytes(), encoding, path.name)
        if ending in (".jsonl", ".ndjson"):
            return _read_lines(text, path, asides)
        return _read_json(text, path) if ending == ".json" else _read_csv(text, path, asides)
    except (OSError, csv.Error) as error:
        raise LiftError(
            f"{path} cannot be read ({error})", "check the file, or choose another --table"
        ) from error


def _read_parquet(path: Path) -> Rows:
    import pyarrow.lib
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path).to_pylist()
    except pyarrow.lib.ArrowException as error:
        raise LiftError(f"{path} is no readable Parquet file ({error})", "write it again") from error


def _read_excel(path: Path) -> Rows:
    cells = read_sheet(path)
    header = [
        f"column {i + 1}" if name is None else str(name) for i, name in enumerate(cells[0] if cells else [])
    ]
    return [dict(zip(header, row, strict=False)) for row in cells[1:]]


def _read_lines(text: str, path: Path, asides: Asides) -> Rows:
    rows: Rows = []
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            asides.add(f"{path.name} line {number + 1}", f"unreadable line ({error.msg})", "correct the line")
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            asides.add(
                f"{path.name} line {number + 1}", "unreadable line (not an object)", "write {…} on each line"
            )
    return rows


def _read_json(text: str, path: Path) -> Rows:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise LiftError(f"{path} is not JSON ({error})", "correct it, or choose another --table") from error
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise LiftError(
            f"{path} is not a list of records", "write it as JSONL, one {…} with the photo and texts a line"
        )
    return value


def _read_csv(text: str, path: Path, asides: Asides) -> Rows:
    """Rows of a CSV or TSV; without a header (first line names a photo) columns are called `column 1`…"""
    first = text.split("\n", 1)[0]
    lines: Iterator[list[str]] = (
        line for line in csv_rows(io.StringIO(text, newline=""), first, path) if line
    )
    header = [name.strip() for name in next(lines, [])]
    start = 2
    rows: Rows = []
    if any(cell.split("#")[0].lower().endswith(PICTURES) for cell in header):
        lines, start = _again(header, lines), 1
        header = [f"column {position + 1}" for position in range(len(header))]
    for number, line in enumerate(lines, start):
        if len(line) > len(header):
            asides.add(
                f"{path.name} row {number}",
                f"unreadable row ({len(line)} cells for {len(header)} columns)",
                'put texts that hold the separator into quotes: "…"',
            )
            continue
        rows.append(dict(zip(header, line, strict=False)))
    return rows


def _again(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest
