"""What the exam reads: DATASETs, text files and tables, glossaries; the sample; bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from lift import cli
from lift.auditing import Term, corpus_of, read_corpus, read_glossary
from lift.auditing.length import words_of
from lift.errors import LiftError

LINES = [f"a photo of thing number {number}" for number in range(12)]


def test_a_dataset(tiny_dataset: Path) -> None:
    corpus = read_corpus(tiny_dataset, limit=1000, seed=0)
    assert corpus.facts["items"] == 48 and corpus.facts["texts"] == 144 and corpus.name == "tiny"
    assert len(corpus.texts) == corpus.facts["distinct texts"] == len(set(corpus.texts))
    assert len(corpus.all_texts) == 144  # "a red circle" stands at four photos
    first = {corpus.texts[t] for t, i in zip(corpus.member_texts, corpus.member_items, strict=True) if i == 0}
    assert {"a red circle", "one circle drawn in red, number 0"} < first and len(first) == 3


def test_a_text_file_in_any_encoding(tmp_path: Path) -> None:
    words = ["赤いボルト", "青いナット", "白い箱の中の部品"] * 5
    lines = [f"{word}{number}番" for number, word in enumerate(words)]
    for encoding in ("utf-8", "cp932", "utf-16"):
        (tmp_path / "texts.txt").write_bytes("\n".join([*lines, "", "  "]).encode(encoding))
        corpus = read_corpus(tmp_path / "texts.txt", limit=100, seed=0)
        assert sorted(corpus.texts) == sorted(lines) and corpus.facts["encoding"] == encoding
        assert corpus.facts["empty texts"] == 2 and corpus.facts["items"] == 15


def test_repeated_lines_are_items_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(LINES + LINES[:3]))
    corpus = read_corpus(tmp_path / "texts.txt", limit=100, seed=0)
    assert corpus.facts["items"] == 15 and len(corpus.texts) == 12
    assert np.bincount(corpus.all_texts).tolist() == [2, 2, 2] + [1] * 9


def test_tables_group_texts_by_item(tmp_path: Path) -> None:
    rows = [f"{number // 2},{line}" for number, line in enumerate(LINES)]
    (tmp_path / "a.csv").write_text("SKU,Caption\n" + "\n".join(rows) + "\nx,too,many\n7,\n")
    records = [{"sku": number // 2, "caption": line} for number, line in enumerate(LINES)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n{broken\n[1]\n")
    for name, unreadable in (("a.csv", 1), ("a.jsonl", 2)):
        corpus = read_corpus(tmp_path / name, limit=100, seed=0)
        assert corpus.facts["items"] == 6 and corpus.facts["unreadable lines"] == unreadable
        assert np.bincount(corpus.all_items).tolist() == [2] * 6
    (tmp_path / "b.tsv").write_text(
        "what\tthing\n" + "\n".join(f"{line}\t{n}" for n, line in enumerate(LINES))
    )
    with pytest.raises(LiftError, match=r"--text-column; columns: what, thing"):
        read_corpus(tmp_path / "b.tsv", limit=100, seed=0)
    corpus = read_corpus(tmp_path / "b.tsv", limit=100, seed=0, text_column="what", item_column="thing")
    assert corpus.facts["items"] == 12
    with pytest.raises(LiftError, match="no column 'wat'"):
        read_corpus(tmp_path / "b.tsv", limit=100, seed=0, text_column="wat")


def test_the_sample_is_whole_items_and_does_not_depend_on_their_order() -> None:
    items = [(f"photo {n}", [f"text {n} {part}" for part in range(4)]) for n in range(200)]
    corpus = corpus_of(items, "x", limit=100)
    assert len(corpus.texts) == 100 and np.bincount(corpus.member_items).max() == 4
    assert set(np.bincount(corpus.member_items)[np.unique(corpus.member_items)].tolist()) == {4}
    other = corpus_of(items[::-1], "x", limit=100)
    assert set(other.texts) == set(corpus.texts)
    assert set(corpus_of(items, "x", limit=100, seed=1).texts) != set(corpus.texts)
    assert len(corpus.all_texts) == 800
    giant = corpus_of([("one", [f"text {n}" for n in range(500)])], "x", limit=100)
    assert len(giant.texts) == 20


def test_damaged_letters_and_empty_texts_are_counted() -> None:
    corpus = corpus_of([("a", [*LINES, " ", "caf\ufffd"])], "x")
    assert (corpus.facts["empty texts"], corpus.facts["texts with a replacement character"]) == (1, 1)
    half = corpus_of(
        [("a \ud83d", [*LINES, "half of a smile \ud83d"])], "x"
    )  # what JSON may hold and no file can
    assert half.facts["texts with a replacement character"] == 1
    assert any(text.startswith("half of a smile \ufffd") for text in half.texts)


def test_texts_that_cannot_be_examined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "none.csv").write_text("")
    (tmp_path / "broken.xlsx").write_bytes(b"no zip")
    (tmp_path / "folder").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    for name in ("photo.txt", "photo.csv"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + noise)
    (tmp_path / "array.txt").write_bytes(np.arange(5000).tobytes())
    for name, words in (
        ("few.txt", "2 distinct texts"),
        ("photo.jpg", "neither a DATASET nor a file of texts"),
        ("none.csv", "no rows"),
        ("broken.xlsx", "no readable Excel file"),
        ("folder", "is not a DATASET"),
        ("missing.txt", "there is no"),
        ("photo.txt", "holds no text: it is a binary file"),
        ("array.txt", "holds no text: it is a binary file"),
        ("photo.csv", "holds no text: it is a binary file"),
    ):
        assert cli.run("exam", [str(tmp_path / name), "--out", str(tmp_path / "out")]) == 1
        said = capsys.readouterr().err
        assert words in said and "what to do" in said, name
    assert cli.run("exam", [str(tmp_path / "few.txt"), "--batch-size", "1"]) == 1
    assert not (tmp_path / "out").exists()


def test_glossaries(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "term,confusable\nbolt,nut\nbolt,screw; rivet\nbolt,bolt\n,nut\nbolt,nut\n"
    )
    expected = [Term("bolt", "nut"), Term("bolt", "screw"), Term("bolt", "rivet")]
    assert read_glossary(tmp_path / "a.csv") == expected
    (tmp_path / "b.tsv").write_bytes("用語\t混同語\nボルト\tナット\n".encode("cp932"))
    assert read_glossary(tmp_path / "b.tsv") == [Term("ボルト", "ナット")]
    book = openpyxl.Workbook()
    for row in (("Term", "Confusable"), ("bolt", "nut"), ("M8", "M10")):
        book.active.append(row)
    book.save(tmp_path / "c.xlsx")
    assert read_glossary(tmp_path / "c.xlsx") == [Term("bolt", "nut"), Term("M8", "M10")]
    (tmp_path / "d.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(LiftError, match="no columns term and confusable, but: a, b, c"):
        read_glossary(tmp_path / "d.csv")
    (tmp_path / "e.csv").write_text("term,confusable\nbolt,bolt\n")
    with pytest.raises(LiftError, match="no pair of different terms"):
        read_glossary(tmp_path / "e.csv")
    (tmp_path / "glossary.docx").write_text("x")
    with pytest.raises(LiftError, match="not a table"):
        read_glossary(tmp_path / "glossary.docx")


def test_what_is_guessed_of_a_glossary_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "terms.csv").write_text("word,sounds like\nbolt,nut\n", "utf-8")
    assert read_glossary(tmp_path / "terms.csv") == [Term("bolt", "nut")]
    assert "'word' and 'sounds like', its first row" in capsys.readouterr().err


def test_words_of_texts() -> None:
    assert words_of("Two dogs' bowls, 5 mm (M8) isn't") == ["Two", "dogs", "bowls", "mm", "M", "isn't"]
    assert words_of("赤い ボルト") == ["赤", "い", "ボ", "ル", "ト"]
