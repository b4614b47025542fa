"""A whole table checked: read in pieces, judged, and written row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lift.data import BadImage, Dataset, is_dataset
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.explaining import Prepared, prepare
from lift.explaining import judged as explain
from lift.predict import exact_scores
from lift.rewording import language_of
from lift.verifying.photos import PhotoPlace, Photos, Seen
from lift.verifying.sheets import Sheet, open_sheet
from lift.verifying.tables import Columns, Line, Unread, open_table, text_of
from lift.verifying.verifier import Verdict, Verifier
from lift.verifying.wording import REMARKS, SIGNS, WORDS, Language, promise_in_words, shown

Words = Literal["none", "mismatch", "asked"]
PIECE = 256  # rows read, judged and written at once
KEPT = 1000  # rows that could not be read and are remembered one by one; the others are counted
SHOWN_WORDS = 3
SHOWN = 10


@dataclass
class Checked:
    """What became of a table: the file, rows by verdict, and those that could not be read."""

    out: Path
    language: Language
    promise: dict[str, float]
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unread: list[Unread] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.counts.total()

    def lines(self) -> list[str]:
        """For people: what was found and what is promised."""
        words = WORDS[self.language]
        told = "  ".join(f"{SIGNS[kind]} {words[kind]} {self.counts[kind]:,}" for kind in words)
        return [f"{self.out}: {self.rows:,} rows", told, promise_in_words(self.promise, self.language)]

    def faults(self) -> list[str]:
        """For people: rows that could not be checked, and how many for which reason."""
        told = [f"not checked: row {row.number}: {row.reason} ({row.remedy})" for row in self.unread[:SHOWN]]
        if self.counts["unread"] > SHOWN:
            told.append(
                "not checked in all: "
                + ", ".join(f"{count:,} x {reason}" for reason, count in self.reasons.most_common())
            )
        return told


@dataclass(frozen=True)
class _Asked:
    """A row to judge: its photo's key, its text, and the user's own other cells."""

    number: int
    image: str
    text: str
    extra: Sequence[Any]
    fault: BadImage | None = None


def verify_table(
    verifier: Verifier,
    source: Path,
    out: Path,
    *,
    photos: Path | PhotoPlace | None = None,
    split: str = "val",
    language: Language | None = None,
    words: Words = "mismatch",
    thumbnails: int = 5000,
    columns: Columns | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[int], None] = lambda rows: None,
) -> Checked:
    """Judge every row of a table, or every text of a DATASET's split; write an Excel or CSV file, whole or not at all.

    photos: where the photos are (default: the table's folder, or the DATASET). language: of headings and verdicts
    (default: that of the first descriptions). progress: called with the number of rows done since the last call.
    Memory does not grow with the table but by the pictures of an Excel file, at most `thumbnails`.
    """
    if verifier.calibration is None:
        raise LiftError(
            "a table cannot be checked by an uncalibrated model",
            "run `lift calibrate` and give its CALIBRATION",
        )
    if out.exists() and source.exists() and out.samefile(source):
        raise LiftError(
            f"--out {out} is the table itself, which would be lost", "give another name, as checked.xlsx"
        )
    if is_dataset(source):
        place = _place(photos, source, max_pixels)
        extra, rows = [], _rows_of_dataset(Dataset(source), split)
    else:
        found, lines = open_table(source, columns, answers=False)
        place = _place(photos, source.parent, max_pixels)
        first = list(islice(lines, PIECE))
        header = list(dict.fromkeys(name for line in first if isinstance(line, Line) for name in line.cells))
        extra = [name for name in header if name not in (found.image, found.text)]
        rows = _rows_of_table((line for part in (first, lines) for line in part), found, extra, place)
    pieces = iter(lambda: list(islice(rows, PIECE)), [])
    piece = next(pieces, [])
    spoken = language or _language(piece)
    checked = Checked(out, spoken, verifier.calibration.promise)
    sheet = open_sheet(out, spoken, extra, thumbnails)
    try:
        while piece:
            _check(piece, verifier, place, sheet, checked, words)
            progress(len(piece))
            piece = next(pieces, [])
        sheet.close([*checked.lines()[1:], verifier.calibration.made_for[0]])
    except BaseException:
        sheet.drop()
        raise
    return checked


def _place(given: Path | PhotoPlace | None, usual: Path, max_pixels: int) -> PhotoPlace:
    if given is None or isinstance(given, Path):
        return Photos(given or usual, max_pixels=max_pixels)
    return given


def _rows_of_dataset(dataset: Dataset, split: str) -> Iterator[_Asked | Unread]:
    number = 0
    for place in dataset.split(split):
        for text in dataset.rows[place].texts:
            number += 1
            yield _Asked(number, dataset.rows[place].key, text, [])


def _rows_of_table(
    lines: Iterable[Line | Unread], columns: Columns, extra: Sequence[str], photos: PhotoPlace
) -> Iterator[_Asked | Unread]:
    for line in lines:
        if isinstance(line, Unread):
            yield line
            continue
        image, text = text_of(line.cells.get(columns.image)), text_of(line.cells.get(columns.text))
        cells = [line.cells.get(name) for name in extra]
        fault = None
        try:
            if not text:
                raise BadImage("no description in the row", "fill the cell, or take the row out")
            image = photos.find(image)
        except BadImage as error:
            fault = error
        yield _Asked(line.number, image, text, cells, fault)


def _language(rows: Sequence[_Asked | Unread]) -> Language:
    """That of most of the first descriptions."""
    texts = [row.text for row in rows if isinstance(row, _Asked)]
    return "ja" if 2 * sum(language_of(text) == "ja" for text in texts) > len(texts) else "en"


def _check(
    piece: Sequence[_Asked | Unread],
    verifier: Verifier,
    photos: PhotoPlace,
    sheet: Sheet,
    checked: Checked,
    words: Words,
) -> None:
    """Judge and write some rows."""
    asked = [row for row in piece if isinstance(row, _Asked) and row.fault is None]
    seen, lost = _see(dict.fromkeys(row.image for row in asked), verifier, photos)
    features: dict[str, np.ndarray] = {}
    if seen:
        stacked = np.stack([one.pixels for one in seen.values()])
        features = dict(zip(seen, verifier.model.encode_pixels(stacked), strict=True))
    texts = list(dict.fromkeys(row.text for row in asked if row.image in seen))
    vectors = dict(zip(texts, verifier.model.encode_text(texts), strict=True)) if texts else {}
    cut = {text for text, is_cut in zip(texts, verifier.cut(texts), strict=True) if is_cut}
    judged: dict[int, Verdict] = {}
    for place, row in enumerate(piece):
        if isinstance(row, _Asked) and row.fault is None and row.image in features:
            cosine = exact_scores(vectors[row.text][None], features[row.image])[0]
            judged[place] = verifier.verdict(row.text, float(cosine))
    asked_for = {"none": (), "mismatch": ("mismatch",), "asked": ("mismatch", "ask")}[words]
    wanted = {place for place, verdict in judged.items() if verdict.decision in asked_for}
    prepared: dict[str, Prepared] = {}
    if wanted and verifier.shows("words"):
        distinct = list(dict.fromkeys(judged[place].text for place in sorted(wanted)))
        prepared = dict(zip(distinct, prepare(distinct, verifier.model.encode_text), strict=True))
    for place, row in enumerate(piece):
        if isinstance(row, Unread):
            _write_unread(sheet, checked, row, None)
            continue
        fault = row.fault or lost.get(row.image)
        if fault is not None:
            _write_unread(sheet, checked, Unread(row.number, fault.reason, fault.remedy), row)
            continue
        found = []
        if (text := prepared.get(row.text)) is not None and place in wanted:
            found = explain(features[row.image], text, verifier.others)[:SHOWN_WORDS]
        _write(
            sheet, checked, row, judged[place], [one.text for one in found], seen[row.image], row.text in cut
        )


def _see(
    keys: Iterable[str], verifier: Verifier, photos: PhotoPlace
) -> tuple[dict[str, Seen], dict[str, BadImage]]:
    seen, lost = {}, {}
    for key in keys:
        try:
            seen[key] = photos.see(key, verifier.model, thumbnail=True)
        except BadImage as error:
            lost[key] = error
    return seen, lost


def _write(
    sheet: Sheet,
    checked: Checked,
    row: _Asked,
    verdict: Verdict,
    least: Sequence[str],
    seen: Seen,
    is_cut: bool,
) -> None:
    kind = verdict.decision or "ask"
    checked.counts[kind] += 1
    told = REMARKS[checked.language]
    remark = " ".join(
        [*([told["unknown"]] if verdict.group is None else []), *([told["cut"]] if is_cut else [])]
    )
    chance = None if verdict.probability is None else shown(verdict.probability)
    separator = "、" if checked.language == "ja" else ", "
    cells = [
        SIGNS[kind],
        WORDS[checked.language][kind],
        chance,
        separator.join(least),
        row.image,
        row.text,
        remark,
    ]
    sheet.add(kind, [*cells, *row.extra], seen.thumbnail)


def _write_unread(sheet: Sheet, checked: Checked, fault: Unread, row: _Asked | None) -> None:
    checked.counts["unread"] += 1
    checked.reasons[fault.kind] += 1
    if len(checked.unread) < KEPT:
        checked.unread.append(fault)
    image, text, extra = (row.image, row.text, row.extra) if row else (f"row {fault.number}", "", [])
    cells = [
        SIGNS["unread"],
        WORDS[checked.language]["unread"],
        None,
        "",
        image,
        text,
        f"{fault.reason} ({fault.remedy})",
    ]
    sheet.add("unread", [*cells, *extra])
