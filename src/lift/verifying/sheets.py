"""Files that a spreadsheet opens, written row by row: CSV, and Excel with coloured verdicts and small pictures.

A text that begins with = + - @ would be run as a formula by the spreadsheet of whoever opens the file. In CSV such a
cell gets an apostrophe in front; in Excel it is stored as text, and marked to stay text when it is edited.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from lift.errors import LiftError
from lift.verifying.wording import Language, column_names

COLOURS = {"match": "C6EFCE", "mismatch": "FFC7CE", "ask": "FFEB9C", "unread": "E0E0E0"}
MOST_ROWS = 1_048_575  # of an Excel sheet, less the header
_FORMULA = re.compile(r"^[\s]*[=+\-@\t\r]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_WIDTHS = {
    "picture": 16,
    "sign": 4,
    "verdict": 16,
    "probability": 12,
    "words": 30,
    "image": 30,
    "text": 60,
    "note": 40,
}


class Sheet(Protocol):
    """Takes rows of plain cells; the file has its name only once `close` was called."""

    def add(self, kind: str, cells: Sequence[Any], picture: Image.Image | None = None) -> None:
        """Append a row; kind: match, mismatch, ask or unread."""
        ...

    def close(self, about: Sequence[str] = ()) -> None:
        """Finish the file; about: what is to be known of the whole table, for those who get it alone."""
        ...

    def drop(self) -> None:
        """Leave nothing behind."""
        ...


def open_sheet(out: Path, language: Language, extra: Sequence[str], thumbnails: int) -> Sheet:
    """A Sheet for the file's ending; LiftError for another than .xlsx and .csv."""
    if out.is_dir():
        raise LiftError(f"{out} is a folder", "give the name of a file as --out, as checked.xlsx")
    ending = out.suffix.lower()
    if ending not in (".xlsx", ".csv"):
        raise LiftError(f"{out.name}: only .xlsx and .csv can be written", "give --out checked.xlsx")
    if not out.absolute().parent.is_dir():
        raise LiftError(f"there is no folder {out.absolute().parent}", "make it, or give another --out")
    if ending == ".xlsx":
        return ExcelSheet(out, language, extra, thumbnails)
    return CsvSheet(out, language, extra)


def harmless(cell: Any) -> Any:
    """A cell of a CSV file that no spreadsheet takes for a formula."""
    if isinstance(cell, str):
        cell = _CONTROLS.sub("", cell)
        return f"'{cell}" if _FORMULA.match(cell) else cell
    return cell


class CsvSheet:
    """UTF-8 with a mark at its beginning, which Excel needs to read Japanese."""

    def __init__(self, out: Path, language: Language, extra: Sequence[str]) -> None:
        self._out, self._partial = out, out.with_name(f".{out.name}.partial")
        self._file = self._partial.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow([harmless(name) for name in (*column_names(language)[1:], *extra)])

    def add(self, kind: str, cells: Sequence[Any], picture: Image.Image | None = None) -> None:
        """Append a row; a picture has no place in a CSV file."""
        self._writer.writerow([harmless(cell) for cell in cells])

    def close(self, about: Sequence[str] = ()) -> None:
        """Give the file its name; a CSV file holds rows alone."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self._out)

    def drop(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class ExcelSheet:
    """One sheet, header frozen, filter on; the first `thumbnails` rows have a picture."""

    def __init__(self, out: Path, language: Language, extra: Sequence[str], thumbnails: int) -> None:
        from openpyxl import Workbook
        from openpyxl.styles import Alignment, Font, PatternFill
        from openpyxl.utils import get_column_letter

        self._out, self._partial = out, out.with_name(f".{out.name}.partial")
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("検証" if language == "ja" else "checked")
        self._left, self._rows, self._language = thumbnails, 1, language
        self._fills = {kind: PatternFill("solid", fgColor=colour) for kind, colour in COLOURS.items()}
        self._wrap = Alignment(wrap_text=True, vertical="top")
        header = [*column_names(language), *extra]
        for place, width in enumerate([*_WIDTHS.values(), *(20 for _ in extra)], 1):
            self._sheet.column_dimensions[get_column_letter(place)].width = width
        self._sheet.freeze_panes = "A2"
        cells = [self._cell(name) for name in header]
        for cell in cells:
            cell.font, cell.alignment = Font(bold=True), self._wrap
        self._sheet.append(cells)

    def _cell(self, value: Any) -> Any:
        from openpyxl.cell import WriteOnlyCell

        if isinstance(value, str):
            value = _CONTROLS.sub("", value)[:32_767]
        elif not isinstance(value, int | float | None):
            value = str(value)[:32_767]
        cell = WriteOnlyCell(self._sheet, value=value)
        if isinstance(value, str):
            cell.data_type = "s"  # never "f", a formula
            cell.quotePrefix = bool(_FORMULA.match(value))
        return cell

    def add(self, kind: str, cells: Sequence[Any], picture: Image.Image | None = None) -> None:
        """Append a row, its sign and verdict coloured."""
        if self._rows > MOST_ROWS:
            raise LiftError(f"an Excel sheet holds {MOST_ROWS:,} rows at most", "give --out checked.csv")
        self._rows += 1
        made = [self._cell(None), *(self._cell(cell) for cell in cells)]
        for cell in made[1:3]:
            cell.fill = self._fills[kind]
        for cell in made:
            cell.alignment = self._wrap
        if isinstance(cells[2], float):
            made[3].number_format = "0%"
        if picture is not None and self._left > 0:
            self._left -= 1
            self._place(picture)
        self._sheet.append(made)

    def _place(self, picture: Image.Image) -> None:
        from openpyxl.drawing.image import Image as Drawing

        content = io.BytesIO()
        picture.convert("RGB").save(content, "JPEG", quality=80)
        drawing = Drawing(content)
        drawing.anchor = f"A{self._rows}"
        self._sheet.row_dimensions[self._rows].height = 0.75 * picture.height + 4  # points of pixels
        self._sheet.add_image(drawing)

    def close(self, about: Sequence[str] = ()) -> None:
        """Write the file, with `about` on a sheet of its own, and give it its name."""
        self._sheet.auto_filter.ref = f"B1:H{self._rows}"
        if about:
            page = self._book.create_sheet("読み方" if self._language == "ja" else "about")
            page.column_dimensions["A"].width = 100
            for line in about:
                cell = self._cell(line)
                cell.alignment = self._wrap
                page.append([cell])
        self._book.save(self._partial)
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self._out)

    def drop(self) -> None:
        """Remove what was written."""
        if not self._sheet.closed:
            self._sheet.close()
        self._partial.unlink(missing_ok=True)
