"""Tables row by row, never whole in memory: CSV, TSV, JSONL, Excel; which column is the photo, the text, the answer."""

from __future__ import annotations

import codecs
import csv
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from lift.data.columns import IMAGE_NAMES, TEXT_NAMES, by_name
from lift.data.reading import csv_rows, encoding_guesses, sheet_rows
from lift.errors import LiftError
from lift.verifying.wording import COLUMNS

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".xlsx", ".xlsm")
OTHER_ENDINGS = (".xls", ".xlsb", ".ods", ".numbers", ".parquet", ".json", ".txt")  # tables that are not read
ANSWER_NAMES = (
    "label", "labels", "answer", "answers", "match", "matches", "correct", "istrue", "true", "truth", "judgement",
    "judgment", "verdict", "判定", "正誤", "答え", "回答", "ラベル", "一致", "結果",
)  # fmt: skip
YES = frozenset((
    "yes", "y", "true", "t", "1", "1.0", "match", "ok", "correct", "right", "はい", "一致", "正しい", "正", "真",
    "○", "〇", "◯", "合格",
))  # fmt: skip
NO = frozenset((
    "no", "n", "false", "f", "0", "0.0", "mismatch", "ng", "incorrect", "wrong", "いいえ", "不一致", "誤り", "誤", "偽",
    "×", "✕", "x", "不合格",
))  # fmt: skip
SAMPLE = 200
VERDICTS, CHANCES = ({names[place] for names in COLUMNS.values()} for place in (2, 3))  # of a checked table
_PIECE = 1 << 20


@dataclass(frozen=True)
class Unread:
    """A row that cannot be used: its number in the file (the first after the header is 1), why, and what to do."""

    number: int
    reason: str
    remedy: str

    @property
    def kind(self) -> str:
        """The reason without its particulars, to count by."""
        return re.split(r"[:(]", self.reason)[0].strip()


@dataclass(frozen=True)
class Line:
    """A row of a table: its number, and its cells by the name of their column."""

    number: int
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Names of the columns in use; answer is None where none was looked for or found."""

    image: str
    text: str
    answer: str | None = None


def is_table(path: Path) -> bool:
    """Whether the file's ending is that of a table, even of one that `lines_of` refuses."""
    return path.suffix.lower() in ENDINGS + OTHER_ENDINGS


def lines_of(path: Path) -> Iterator[Line | Unread]:
    """Rows of a table, one at a time; LiftError when the file cannot be read at all."""
    ending = path.suffix.lower()
    if not path.is_file() and ending in ENDINGS:
        raise LiftError(f"there is no table {path}", "check the path")
    if ending in (".xlsx", ".xlsm"):
        return _of_excel(path)
    if ending in (".jsonl", ".ndjson"):
        return _of_jsonl(path)
    if ending in (".csv", ".tsv"):
        return _of_csv(path)
    raise LiftError(f"{path.name} is no table that can be read", f"save it as one of: {', '.join(ENDINGS)}")


def open_table(
    path: Path, wanted: Columns | None, *, answers: bool
) -> tuple[Columns, Iterator[Line | Unread]]:
    """Columns by the names given (empty: guessed) and all rows; LiftError when a column is missing."""
    lines = lines_of(path)
    first = list(islice(lines, SAMPLE))
    header = list(dict.fromkeys(name for line in first if isinstance(line, Line) for name in line.cells))
    if not header:
        raise LiftError(f"{path} has no rows", "give a table with a header and one row for each description")
    return _columns(path, header, wanted or Columns("", ""), answers), chain(first, lines)


def _columns(path: Path, header: Sequence[str], wanted: Columns, answers: bool) -> Columns:
    found = {
        "image": wanted.image or by_name(header, IMAGE_NAMES),
        "text": wanted.text or by_name(header, TEXT_NAMES),
        "answer": (wanted.answer or by_name(header, ANSWER_NAMES)) if answers else None,
    }
    for role, name in found.items():
        if role == "answer" and name in VERDICTS - {wanted.answer} and CHANCES & set(header):
            raise LiftError(
                f"{path.name} was written by `lift verify`: its verdicts are the model's own, and "
                "nothing can be learnt from them about the model",
                "let a person judge the rows in a column of its own, and name it with --answer-column",
            )
        if name not in header and (name or role != "answer" or answers):
            what = f"there is no column {name}" if name else f"no column looks like the {role} of a pair"
            raise LiftError(
                f"{path.name}: {what}; there are: {', '.join(map(str, header))}",
                f"name it with --{role}-column",
            )
    return Columns(str(found["image"]), str(found["text"]), found["answer"])


def answer_of(cell: Any) -> bool | None:
    """True and False for the usual words of yes and no, English and Japanese; None for anything else."""
    word = unicodedata.normalize("NFKC", str(cell)).strip().lower()
    return True if word in YES else False if word in NO else None


def text_of(cell: Any) -> str:
    """A cell as one line of text; empty for an empty cell."""
    return "" if cell is None else " ".join(str(cell).replace("\0", " ").split())


def _names(header: Sequence[Any]) -> list[str]:
    """Names of columns, each once, so that no cell hides another: note, note (2), column 3 for an empty one."""
    names: dict[str, None] = {}
    times: Counter[str] = Counter()
    for place, cell in enumerate(header, 1):
        first = name = text_of(cell) or f"column {place}"
        times[first] += 1
        while name in names:
            name = f"{first} ({times[first]})"
            times[first] += name in names
        names[name] = None
    return list(names)


def _of_csv(path: Path) -> Iterator[Line | Unread]:
    with path.open(encoding=_encoding(path), newline="") as file:
        first = file.readline()
        file.seek(0)
        reader = csv_rows((line.replace("\0", "") for line in file), first, path)
        header: list[str] = []
        number = 0
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                number += 1
                yield Unread(number, f"unreadable row ({error})", "check the quotes of the row")
                continue
            if row is None:
                return
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = _names(row)
                continue
            number += 1
            if len(row) > len(header):
                yield Unread(
                    number,
                    f"unreadable row ({len(row)} cells for {len(header)} columns)",
                    'put texts that hold the separator into quotes: "…"',
                )
            else:
                yield Line(number, dict(zip(header, row + [""] * (len(header) - len(row)), strict=True)))


def _of_jsonl(path: Path) -> Iterator[Line | Unread]:
    with path.open(encoding=_encoding(path), newline="\n") as file:
        number = 0
        for text in file:
            if not text.strip():
                continue
            number += 1
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as error:
                yield Unread(number, f"unreadable line ({error})", "correct the line")
                continue
            if isinstance(value, dict):
                yield Line(number, value)
            else:
                yield Unread(number, "unreadable line (not an object)", "write {…} on each line")


def _of_excel(path: Path) -> Iterator[Line | Unread]:
    rows = sheet_rows(path)
    header = _names(next(rows, ()))
    for number, row in enumerate(rows, 1):
        yield Line(number, dict(zip(header, row, strict=False)))


def _encoding(path: Path) -> str:
    """The first of the likely encodings that decodes the whole file, read piece by piece."""
    with path.open("rb") as file:
        guesses = encoding_guesses(file.read(_PIECE))
        for guess in guesses:
            decoder = codecs.getincrementaldecoder(guess)()
            file.seek(0)
            try:
                while piece := file.read(_PIECE):
                    decoder.decode(piece)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                continue
            return guess
    return "latin-1"
