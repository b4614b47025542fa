"""A whole table checked: rows streamed, verdicts written, bad rows told, formulas harmless, Excel opened again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from PIL import Image

from lift.calibration import ProbabilityMap, Thresholds
from lift.data import Dataset
from lift.errors import LiftError, UsageError
from lift.explaining import Proof, Share
from lift.explaining.words import METHOD
from lift.model import Model, load
from lift.verifying import Verifier, VerifyConfig, checking, verify, verify_table
from lift.verifying.folder import Calibration, Group, write_calibration
from lift.verifying.sheets import harmless, open_sheet
from lift.verifying.tables import Columns, Line, Unread, answer_of, lines_of, open_table
from lift.verifying.wording import SIGNS, shown


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    found = load(tiny_run)
    assert isinstance(found, Model)
    return found


@pytest.fixture(scope="module")
def calibration(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thresholds written by hand: mismatch below -0.02, match above 0.02; texts of over 10 words are unknown."""
    out = tmp_path_factory.mktemp("calibration") / "made"
    group = Group(
        "up to 10 words", 0, 10, Thresholds(-0.02, 0.02), ProbabilityMap("platt", [[20.0, 0.0]], 0.5)
    )
    promise = {"false_alarm": 0.05, "missed": 0.05, "confidence": 0.9}
    write_calibration(out, model, promise, [group], [], np.zeros((1, model.dim)), {"explaining": None})
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of six rows: three good, one too long, one without photo, one without text; and its two photos."""
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (60, 30), colour).save(tmp_path / name)
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    rows = [
        ("file_name", "caption", "price", "note"),
        ("a.png", "a red circle", 10, "=1+1"),
        ("b.png", "=HYPERLINK(\"http://e.org\")", 20, "@x"),
        ("a.png", "-2 blue squares", 30, ""),
        ("b.png", "one two three four five six seven eight nine ten eleven", 40, ""),
        ("gone.png", "a circle", 50, ""),
        ("a.png", "", 60, ""),
        ("cut.jpg", "a circle", 70, ""),
    ]  # fmt: skip
    with (tmp_path / "table.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([f"'{cell}" if str(cell).startswith("=") else cell for cell in row])
    book.save(tmp_path / "table.xlsx")
    names = rows[0]
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows[1:]]
    (tmp_path / "table.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_checked_to_csv(folder: Path, model: Model, calibration: Path) -> None:
    out, done = folder / "out.csv", []
    checked = verify_table(Verifier.load(model, calibration), folder / "table.csv", out, progress=done.append)
    rows = read_csv(out)
    assert list(rows[0]) == [
        "sign", "verdict", "chance that it fits", "words that fit least", "photo", "description",
        "remark", "price", "note",
    ]  # fmt: skip
    photos = model.encode_image([folder / "a.png", folder / "b.png"])
    for number, (photo, text) in enumerate(
        [(0, "a red circle"), (1, '=HYPERLINK("http://e.org")'), (0, "-2 blue squares")]
    ):
        cosine = float(model.encode_text([text])[0] @ photos[photo])
        expected = "match" if cosine > 0.02 else "mismatch" if cosine < -0.02 else "ask a person"
        assert rows[number]["verdict"] == expected
        assert float(rows[number]["chance that it fits"]) == pytest.approx(
            1 / (1 + np.exp(-20 * cosine)), abs=0.006
        )
    assert [row["verdict"] for row in rows[3:]] == ["ask a person", *["not checked"] * 3]
    assert (
        rows[1]["description"] == '\'=HYPERLINK("http://e.org")'
        and rows[2]["description"] == "'-2 blue squares"
    )
    assert checked.rows == 7 and checked.counts["unread"] == 3 and sum(done) == 7
    assert [(row.number, row.reason.split("(")[0].strip()) for row in checked.unread] == [
        (5, "missing file"),
        (6, "no description in the row"),
        (7, checked.unread[2].reason.split("(")[0].strip()),
    ]
    assert "not checked: row 5: missing file (add the photo" in checked.faults()[0]
    assert "At most 5 %" in checked.lines()[2]


@pytest.mark.parametrize("name", ["table.xlsx", "table.jsonl", "table.csv"])
def test_every_kind_of_table_gives_the_same_excel_sheet(
    folder: Path, model: Model, calibration: Path, name: str
) -> None:
    out = folder / "out.xlsx"
    verifier = Verifier.load(model, calibration)
    checked = verify_table(verifier, folder / name, out, thumbnails=2)
    again = verify_table(verifier, folder / "table.csv", folder / "again.csv")
    assert checked.counts == again.counts
    book = openpyxl.load_workbook(out)
    sheet = book.active
    assert [page.title for page in book] == ["checked", "about"]
    about = [row[0].value for row in book["about"].iter_rows()]
    assert about == [*checked.lines()[1:], model.id]  # whoever gets the file alone reads what is promised
    assert "not checked 3" in about[0] and "At most 5 %" in about[1]
    cells = list(sheet.iter_rows())
    assert [cell.value for cell in cells[0]] == [
        "picture", "sign", "verdict", "chance that it fits", "words that fit least", "photo", "description",
        "remark", "price", "note",
    ]  # fmt: skip
    assert len(cells) == 8 and sheet.freeze_panes == "A2" and sheet.auto_filter.ref == "B1:H8"
    assert {cell.data_type for row in cells for cell in row} <= {"inlineStr", "s", "n"}  # never "f"
    shown = {"match": "match", "mismatch": "mismatch", "ask": "ask a person", "unread": "not checked"}
    kind_of = {word: kind for kind, word in shown.items()}
    colours = {"match": "00C6EFCE", "mismatch": "00FFC7CE", "ask": "00FFEB9C", "unread": "00E0E0E0"}
    for row in cells[1:]:
        kind = kind_of[row[2].value]
        assert row[1].value == SIGNS[kind] and row[2].fill.fgColor.rgb == colours[kind]
    if name != "table.xlsx":
        assert cells[2][6].value == '=HYPERLINK("http://e.org")' and cells[2][6].quotePrefix
    assert cells[1][8].value in (10, "10") and cells[5][7].value.startswith("missing file")
    assert len(sheet._images) == 2  # of the three rows with a photo
    assert {image.anchor._from.row for image in sheet._images} == {1, 2}
    with Image.open(io.BytesIO(sheet._images[0]._data())) as picture:
        assert picture.size == (60, 30) and picture.convert("RGB").getpixel((30, 15))[0] > 240  # the red one


@pytest.mark.parametrize("decision", ["mismatch", "ask"])
def test_words_are_marked_where_they_are_asked_for_and_proved(
    folder: Path, model: Model, tmp_path: Path, decision: str
) -> None:
    """All rows are mismatches, or all are left to people."""
    limits = Thresholds(1.1, None) if decision == "mismatch" else Thresholds(-1.1, 1.1)
    sure = Share(rate=0.9, control=0.2, low=0.5, high=0.8, n=100, photos=100)
    marked: dict[tuple[bool, str], bool] = {}
    for number, proof in enumerate((None, Proof(METHOD, sure, None, None, {}).asdict())):
        promise = {"false_alarm": 0.05, "missed": 0.05, "confidence": 0.9}
        made = tmp_path / f"made-{number}"
        others = np.zeros((1, model.dim))
        group = Group("all", 0, None, limits, None)
        write_calibration(made, model, promise, [group], [], others, {"explaining": proof})
        for words in ("none", "mismatch", "asked"):
            verify_table(Verifier.load(model, made), folder / "table.csv", tmp_path / "o.csv", words=words)
            rows = read_csv(tmp_path / "o.csv")
            assert rows[0]["verdict"].startswith(decision)
            marked[proof is not None, words] = bool(rows[0]["words that fit least"])
    shown = {"none": False, "mismatch": decision == "mismatch", "asked": True}
    assert marked == {(proved, words): proved and shown[words] for proved in (False, True) for words in shown}


def test_a_description_too_long_to_be_read_is_told(
    folder: Path, model: Model, calibration: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = model.text_encoder.max_tokens
    long, short = "a red circle " * limit, "a red circle"
    verifier = Verifier.load(model, calibration)
    assert verifier.cut([short, long, "x" * 5 * limit, short]) == [
        False,
        True,
        False,
        False,
    ]  # the third: one unknown word
    (folder / "long.csv").write_text(f"image,text\na.png,{long}\na.png,{short}\n", encoding="utf-8")
    verify_table(verifier, folder / "long.csv", folder / "out.csv")
    rows = read_csv(folder / "out.csv")
    assert "only the beginning of the description was read" in rows[0]["remark"] and not rows[1]["remark"]
    verify(VerifyConfig(folder / "a.png", (long,), run=tiny_run, calibration=calibration))
    said = capsys.readouterr().out
    assert "only the beginning" in said and len(said) < 1500


def test_no_probability_is_written_as_certain() -> None:
    assert [shown(value) for value in (0.0, 0.004, 0.5, 0.994, 0.997, 1.0)] == [
        0.01,
        0.01,
        0.5,
        0.99,
        0.99,
        0.99,
    ]


def test_japanese_headings_come_with_japanese_texts(folder: Path, model: Model, calibration: Path) -> None:
    (folder / "表.csv").write_text("画像,説明\na.png,赤い丸\nb.png,青い四角\n", encoding="cp932")
    verifier = Verifier.load(model, calibration)
    checked = verify_table(verifier, folder / "表.csv", folder / "out.csv")
    rows = read_csv(folder / "out.csv")
    assert list(rows[0])[:3] == ["記号", "判定", "一致する確率"] and rows[0]["説明"] == "赤い丸"
    assert rows[0]["判定"] in ("一致", "不一致", "人が確認") and "信頼度 90 %" in checked.lines()[2]
    verify_table(verifier, folder / "表.csv", folder / "out.csv", language="en")
    assert "verdict" in read_csv(folder / "out.csv")[0]


def test_a_dataset_checked(tiny_dataset: Path, model: Model, calibration: Path, tmp_path: Path) -> None:
    checked = verify_table(Verifier.load(model, calibration), tiny_dataset, tmp_path / "out.xlsx")
    rows = [Dataset(tiny_dataset).rows[number] for number in Dataset(tiny_dataset).split("val")]
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    found = [(row[5].value, row[6].value) for row in list(sheet.iter_rows())[1:]]
    assert found == [(row.key, text) for row in rows for text in row.texts] and checked.rows == 36
    assert checked.counts["ask"] >= 12  # the long ones


def test_formulas_become_text() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1"):
        assert harmless(text) == f"'{text}"
    assert harmless("a = b") == "a = b" and harmless(-1) == -1 and harmless(None) is None
    assert harmless("bell\a") == "bell"


def test_tables_stream_and_nothing_is_left_when_it_fails(
    folder: Path, model: Model, calibration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def endless() -> Iterator[Line]:
        for number in range(1, 3 * checking.PIECE):
            asked.append(number)
            yield Line(number, {"image": "a.png", "text": "a red circle"})
        raise LiftError("the disk is gone", "find it")

    def opened(path: Path, columns: Columns | None, *, answers: bool) -> tuple[Columns, Iterator[Line]]:
        return Columns("image", "text"), endless()

    monkeypatch.setattr(checking, "open_table", opened)
    seen: list[tuple[int, int]] = []
    (folder / "out.csv").write_text("old", encoding="utf-8")
    with pytest.raises(LiftError, match="the disk is gone"):
        verify_table(
            Verifier.load(model, calibration), folder / "x.csv", folder / "out.csv",
            progress=lambda rows: seen.append((rows, len(asked))),
        )  # fmt: skip
    assert seen[0] == (checking.PIECE, checking.PIECE)  # no row is read before those ahead of it are written
    assert (folder / "out.csv").read_text(encoding="utf-8") == "old"
    assert not list(folder.glob(".*partial"))


def test_a_full_disk_leaves_no_half_a_sheet(
    folder: Path, model: Model, calibration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: openpyxl.Workbook, path: Path) -> None:
        path.write_bytes(b"half")
        self.worksheets[0].close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openpyxl.Workbook, "save", full)
    with pytest.raises(OSError, match="No space left"):
        verify_table(Verifier.load(model, calibration), folder / "table.csv", folder / "out.xlsx")
    assert not (folder / "out.xlsx").exists() and not list(folder.glob(".*partial"))


def test_reading_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('画像;説明\r\na.png;"長い\r\n説明"\r\n\r\nb.png\r\n'.encode("utf-16"))
    assert [line.cells for line in lines_of(tmp_path / "a.csv") if isinstance(line, Line)] == [
        {"画像": "a.png", "説明": "長い\r\n説明"},
        {"画像": "b.png", "説明": ""},
    ]
    columns, lines = open_table(tmp_path / "a.csv", None, answers=False)
    assert (columns.image, columns.text, columns.answer) == ("画像", "説明", None) and len(list(lines)) == 2
    (tmp_path / "a.jsonl").write_text('{"image": 1}\n\nnull\n{"x\n', encoding="utf-8")
    assert [(type(line).__name__, line.number) for line in lines_of(tmp_path / "a.jsonl")] == [
        ("Line", 1),
        ("Unread", 2),
        ("Unread", 3),
    ]
    (tmp_path / "bad.xlsx").write_bytes(b"PK no")
    for path, told in (
        (tmp_path / "bad.xlsx", "no readable Excel file"),
        (tmp_path / "gone.csv", "there is no table"),
        (tmp_path / "a.jsonl", "no column looks like the text"),
    ):
        with pytest.raises(LiftError, match=told):
            open_table(path, None, answers=False)
    with pytest.raises(LiftError, match="there is no column foto"):
        open_table(tmp_path / "a.csv", Columns("foto", ""), answers=False)
    assert [answer_of(cell) for cell in (1, 0, True, "ＹＥＳ", "いいえ", None, "2", 1.0)] == [
        True, False, True, True, False, None, None, True,
    ]  # fmt: skip
    assert isinstance(next(iter(lines_of(tmp_path / "a.csv"))), Line | Unread)


def test_the_users_table_is_never_overwritten_by_its_check(
    folder: Path, model: Model, calibration: Path
) -> None:
    before = (folder / "table.csv").read_bytes()
    for out in (folder / "table.csv", folder / "sub" / ".." / "table.csv"):
        (folder / "sub").mkdir(exist_ok=True)
        with pytest.raises(LiftError, match="is the table itself"):
            verify_table(Verifier.load(model, calibration), folder / "table.csv", out)
    assert (folder / "table.csv").read_bytes() == before


def test_columns_of_one_name_are_all_kept_and_japanese_ones_found(
    folder: Path, model: Model, calibration: Path
) -> None:
    rows = [("写真ファイル", "商品説明", "備考", "備考", ""), ("a.png", "赤い丸", "x", "y", "z")]
    (folder / "twice.csv").write_text("\n".join(map(",".join, rows)), encoding="utf-8")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([cell or None for cell in row])
    book.save(folder / "twice.xlsx")
    for name in ("twice.csv", "twice.xlsx"):
        verify_table(Verifier.load(model, calibration), folder / name, folder / "out.xlsx")
        heads, cells = openpyxl.load_workbook(folder / "out.xlsx").active.iter_rows(values_only=True)
        assert heads[8:] == ("備考", "備考 (2)", "column 5") and cells[8:] == ("x", "y", "z")


def test_names_of_columns_are_made_unique_in_one_pass(tmp_path: Path) -> None:
    names = ["a", "a (2)", "a", "a", "", "a (2)"]
    (tmp_path / "t.csv").write_text(f"{','.join(names)}\n1,2,3,4,5,6\n", encoding="utf-8")
    line = next(iter(lines_of(tmp_path / "t.csv")))
    assert isinstance(line, Line)
    assert list(line.cells) == ["a", "a (2)", "a (3)", "a (4)", "column 5", "a (2) (2)"]
    assert list(line.cells.values()) == list("123456")
    wide = ",".join(["x"] * 50_000)  # takes a minute where every name is compared with all
    (tmp_path / "w.csv").write_text(f"{wide}\n{wide}\n", encoding="utf-8")
    line = next(iter(lines_of(tmp_path / "w.csv")))
    assert isinstance(line, Line) and len(line.cells) == 50_000


def test_what_a_table_needs_is_told(folder: Path, tiny_run: Path, calibration: Path, tmp_path: Path) -> None:
    table, cases = folder / "table.csv", list[tuple[dict[str, Any], str]]()
    cases += [({"texts": ("a dog",)}, "a table, and sentences"), ({}, "needs a file to be written to")]
    cases += [({"out": tmp_path / "x.csv"}, "cannot be checked by an uncalibrated model")]
    cases += [({"out": tmp_path / "x.ods", "calibration": calibration}, "can be written")]
    cases += [({"out": tmp_path / "no/x.csv", "calibration": calibration}, "there is no folder")]
    cases += [({"out": tmp_path / "x.csv", "calibration": calibration, "false_share": 2.0}, "is no share")]
    for changes, told in cases:
        with pytest.raises(LiftError, match=told):
            verify(VerifyConfig(table, run=tiny_run, **changes))
    for name in ("table.xls", "table.ods"):
        with pytest.raises(LiftError, match=f"{name} is no table that can be read"):
            verify(VerifyConfig(folder / name, run=tiny_run, calibration=calibration, out=tmp_path / "x.csv"))
    with pytest.raises(UsageError, match="for a table, and this is one photo"):
        verify(VerifyConfig(folder / "a.png", ("a dog",), run=tiny_run, out=tmp_path / "x.csv"))
    with pytest.raises(LiftError, match="there is no photo"):
        verify(VerifyConfig(folder / "gone.png", ("a dog",), run=tiny_run))
    with pytest.raises(LiftError, match="is a folder"):
        open_sheet(tmp_path, "en", [], 0)
    with pytest.raises(UsageError, match="a folder and no DATASET"):
        verify(VerifyConfig(folder, run=tiny_run))
    with pytest.raises(LiftError, match="can be written"):
        open_sheet(Path("x.txt"), "en", [], 0)


def test_the_verb_checks_a_table(
    folder: Path, tiny_run: Path, calibration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "checked.xlsx"
    verify(VerifyConfig(folder / "table.csv", run=tiny_run, calibration=calibration, out=out))
    said = capsys.readouterr()
    assert f"{out}: 7 rows" in said.out and "– not checked 3" in said.out
    assert said.err.count("not checked: row") == 3 and out.stat().st_size > 5000


def test_a_calibration_by_hand_opens(calibration: Path) -> None:
    assert Calibration(calibration).groups[0].thresholds == (-0.02, 0.02)
