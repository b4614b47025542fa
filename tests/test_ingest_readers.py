"""The five forms of source, tables, columns and encodings, on four-photo sources."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ingest_cases import FOUR, READ, TABLE, captions, photos, picture, reasons, report, run
from lift.data.columns import plain
from lift.data.files import PhotoFinder
from lift.data.reading import read_text
from lift.errors import LiftError
from lift.ingest import IngestConfig
from lift.ingest.columns import guess_columns, texts_in
from lift.ingest.items import split_name
from lift.sentences import count_words
from test_decoding import encoded


def test_folder_of_photos_with_txt(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, ["train/a.png", "train/b.png", "val/c.png", "d.png"])
    (source / "train/a.txt").write_text("an apple\n\n  a red   apple \n", encoding="utf-8")
    (source / "train/b.txt").write_text("りんご", encoding="cp932")
    (source / "val/c.txt").write_text("a car", encoding="utf-16")
    (source / "alone.txt").write_text("no photo")
    dataset = run(source)
    assert captions(dataset) == {
        "train/a.png": ["an apple", "a red apple"], "train/b.png": ["りんご"], "val/c.png": ["a car"],
    }  # fmt: skip
    assert [row.split for row in dataset.rows] == ["train", "train", "val"]
    assert report(dataset)["source"]["kind"] == "folder"
    assert reasons(dataset) == {"alone.txt": "missing file: a text without its photo", "d.png": "no text"}
    assert dataset.pixels.shape == (3, 16, 16, 3)
    expected = np.asarray(picture(0).resize((16, 16), Image.Resampling.BICUBIC, reducing_gap=3.0))
    np.testing.assert_array_equal(dataset.pixels[0], expected)
    assert dataset.manifest["request"]["size"] == 16 and (dataset.folder / "report.md").is_file()


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "parquet", "xlsx"])
def test_tables_of_every_kind_with_repeated_rows(tmp_path: Path, ending: str) -> None:
    source = tmp_path / "source"
    photos(source, [f"images/{name}" for name in FOUR])
    path, frame = source / f"list.{ending}", pd.DataFrame(TABLE)
    if ending in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    elif ending in ("jsonl", "json"):
        frame.to_json(path, orient="records", lines=ending == "jsonl")
    elif ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_excel(path, index=False)
    dataset = run(source)
    assert captions(dataset) == {f"images/{key}": texts for key, texts in READ.items()}
    assert [row.split for row in dataset.rows] == ["train", "val", "test", "train"]
    assert dataset.rows[0].source == "images/a.png"
    found = report(dataset)
    assert found["source"]["columns"] == {
        "image": "image", "texts": ["caption"], "long": [], "split": "split", "label": None,
    }  # fmt: skip
    assert found["counts"] == {"photos": 4, "captions": 5, "long_captions": 0, "labels": 0, "set_aside": {}}
    assert captions(run(path, tmp_path / "direct")) == captions(dataset)  # the table itself as SOURCE


def test_lists_numbered_columns_long_texts_and_labels(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, FOUR)
    long = " ".join(["word"] * 41)
    rows = [
        {
            "file_name": "a.png",
            "caption_1": "one",
            "caption_2": long,
            "long_caption": "given as long",
            "class": "x",
        },
        {"file_name": "b.png", "caption_1": '["two", "three"]', "caption_2": "", "class": "y"},
        {"file_name": "c.png", "caption_1": ["four", "four"], "caption_2": "four", "class": "x"},
        {"file_name": "d.png", "caption_1": "", "caption_2": "", "class": "dried_plum"},
    ]
    (source / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = run(source, template="this is {class}")
    assert [row.captions for row in dataset.rows] == [
        ["one"], ["two", "three"], ["four", "four"], ["this is dried plum"],
    ]  # fmt: skip
    assert dataset.rows[0].long_captions == ["given as long", long]
    assert [row.label for row in dataset.rows] == ["x", "y", "x", "dried_plum"]
    assert reasons(dataset) == {"b.png": "empty text"}


def test_webdataset_shards(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()

    def shard(name: str, members: dict[str, bytes]) -> None:
        with tarfile.open(source / name, "w") as tar:
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))

    def png(number: int) -> bytes:
        return encoded(picture(number), "PNG")

    record = json.dumps({"caption": "a ball", "split": "train"}).encode()
    shard(
        "train-1.tar",
        {"x/001.png": png(0), "x/001.txt": b"an apple", "x/002.png": png(1), "x/002.json": record},
    )
    shard("val-1.tar", {"001.png": png(2), "001.txt": b"a car\nred", "002.png": png(3), "002.cls": b"dog"})
    with (source / "val-2.tar").open("wb") as file:  # cut off inside its second photo
        file.write((source / "train-1.tar").read_bytes()[: 512 * 3])
    dataset = run(source)
    assert captions(dataset)["train-1.tar:x/001.png"] == ["an apple"]
    assert captions(dataset)["val-1.tar:001.png"] == ["a car", "red"]
    assert {row.split for row in dataset.rows if row.key.startswith("val")} == {"val"}
    by_key = {row.key: row for row in dataset.rows}
    assert by_key["train-1.tar:x/002.png"].captions == ["a ball"]
    assert by_key["val-1.tar:002.png"].label == "dog"
    assert by_key["val-1.tar:002.png"].captions == ["a photo of dog"]
    assert len(dataset) == 4


def test_hugging_face_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = {
        "image": [encoded(picture(number), "PNG") for number in range(3)] + [b"broken"],
        "caption": [["an apple", "red"], ["a ball"], ["a car"], ["lost"]],
        "label": [0, 1, 0, 1],
    }
    features = datasets.Features(
        image=datasets.Image(), caption=datasets.List(datasets.Value("string")),
        label=datasets.ClassLabel(names=["fruit", "toy"]),
    )  # fmt: skip
    whole = datasets.Dataset.from_dict(
        rows | {"image": [{"bytes": content, "path": None} for content in rows["image"]]}, features=features
    )
    saved = datasets.DatasetDict(train=whole.select(range(2)), validation=whole.select(range(2, 4)))
    source = tmp_path / "source"
    saved.save_to_disk(str(source))
    dataset = run(source)
    assert [(row.key, row.captions, row.split, row.label) for row in dataset.rows] == [
        ("train/00000000", ["an apple", "red"], "train", "fruit"),
        ("train/00000001", ["a ball"], "train", "toy"),
        ("validation/00000000", ["a car"], "val", "fruit"),
    ]
    assert reasons(dataset)["validation/00000001"].startswith("not a picture")


def test_class_folders(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, ["train/sour_cherry/a.png", "train/plum/b.png", "test/plum/c.png", "train/d.png"])
    dataset = run(source)
    assert captions(dataset) == {
        "test/plum/c.png": ["a photo of plum"], "train/plum/b.png": ["a photo of plum"],
        "train/sour_cherry/a.png": ["a photo of sour cherry"],
    }  # fmt: skip
    assert [row.split for row in dataset.rows] == ["test", "train", "train"]
    assert dataset.rows[2].label == "sour_cherry"
    assert reasons(dataset) == {"train/d.png": "no text: the photo is in no class folder"}
    assert report(dataset)["leakage"]["shared_texts"]["texts"] == 0  # class captions are meant to be shared


def test_choice_of_table_and_columns(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, FOUR)
    for name in ("one.csv", "two.csv"):
        pd.DataFrame(TABLE).rename(columns={"caption": "words"}).to_csv(source / name, index=False)
    with pytest.raises(LiftError, match=r"several tables: one\.csv, two\.csv"):
        run(source)
    with pytest.raises(LiftError, match="no such column"):
        run(source, table="one.csv", text_columns=("wrong",))
    dataset = run(source, table="one.csv", text_columns=("words",), split_column="none")
    assert captions(dataset) == READ and {row.split for row in dataset.rows} == {"train"}
    pd.DataFrame(TABLE).to_csv(source / "captions.csv", index=False)
    assert report(run(source, tmp_path / "second"))["source"]["table"] == "captions.csv"


def test_japanese_excel_csv(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, ["りんご.png", "b.png"])
    text = "ファイル名,説明,分類,分割\r\nりんご.png,赤いりんごです,果物,学習\r\n"
    text += "b.png,青いボール,おもちゃ,検証\r\n"
    (source / "一覧.csv").write_bytes(text.encode("cp932"))
    dataset = run(source)
    assert [(r.key, r.captions, r.label, r.split) for r in dataset.rows] == [
        ("りんご.png", ["赤いりんごです"], "果物", "train"), ("b.png", ["青いボール"], "おもちゃ", "val"),
    ]  # fmt: skip
    assert report(dataset)["source"]["encoding"] == "cp932"


def test_csv_without_header_and_with_a_loose_comma(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, ["a.png", "b.png"])
    (source / "tokens.tsv").write_text("a.png#0\tan apple here\na.png#1\ta red apple\nb.png#0\ta blue ball\n")
    assert captions(run(source)) == {"a.png": ["an apple here", "a red apple"], "b.png": ["a blue ball"]}
    (source / "captions.csv").write_text('image,caption\na.png,"red, round"\nb.png,blue, round\n')
    dataset = run(source, tmp_path / "second")
    assert captions(dataset) == {"a.png": ["red, round"]}
    assert reasons(dataset) == {"captions.csv row 3": "unreadable row (3 cells for 2 columns)"}


def test_encodings() -> None:
    for text, encoding in (("naïve café", "utf-8"), ("日本語の文です", "cp932"), ("un café crème", "cp1252")):
        assert read_text(text.encode(encoding), None, "x") == (text, encoding)
    assert read_text("あa".encode("utf-16"), None, "x") == ("あa", "utf-16")
    assert read_text("file,text\na,b".encode("utf-16-le"), None, "x") == ("file,text\na,b", "utf-16-le")
    assert read_text(b"\xef\xbb\xbfa", None, "x") == ("a", "utf-8-sig")
    with pytest.raises(LiftError, match="is not utf-8"):
        read_text(b"\xff\xff", "utf-8", "x")


def test_photo_finder_stays_inside(tmp_path: Path) -> None:
    finder = PhotoFinder(tmp_path, ["a.jpg", "x/b.jpg", "y/b.jpg", "x/c.JPG", "..d.jpg"])
    assert finder.find("./a.jpg") == "a.jpg" and finder.find("x\\b.jpg") == "x/b.jpg"
    assert finder.find("c.jpg") == "x/c.JPG" and finder.find("a") == "a.jpg"
    assert finder.find(str(tmp_path / "a.jpg")) == "a.jpg" and finder.find("..d.jpg") == "..d.jpg"
    for name, reason in {
        "../a.jpg": "outside", "/etc/a.jpg": "outside", "C:\\a.jpg": "outside", "x/../../a.jpg": "outside",
        "file:///a.jpg": "web address", "b.jpg": "ambiguous", "z/a.jpg": "missing",
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=reason):
            finder.find(name)


def test_small_rules() -> None:
    assert count_words("a red apple") == 3 and count_words("赤いりんご") == 2.5
    assert split_name(" Validation ") == "val" and split_name("other") is None
    assert plain("Caption_1") == "caption" and plain("ｷｬﾌﾟｼｮﾝ２") == "キャプション"
    assert texts_in(float("nan")) == [""] and texts_in("[]") == [] and texts_in({"raw": "x"}) == ["x"]
    config = IngestConfig(source=Path(), out=Path())
    with pytest.raises(LiftError, match="no column looks like captions"):
        guess_columns(["image", "n"], [{"image": "a.jpg", "n": 3}], config)


@pytest.mark.parametrize("cells", [[True, False], ["TRUE", "false"], [False, None]])
def test_sentences_marked_false_do_not_become_captions(cells: list[object]) -> None:
    header = ["image", "sentence", "label"]
    rows = [{"image": "a.jpg", "sentence": "a red box", "label": cell} for cell in cells]
    with pytest.raises(LiftError, match="false texts would become captions"):
        guess_columns(header, rows, IngestConfig(source=Path("x"), out=Path("y")))
    for given, found in (("none", None), ("label", "label")):
        config = IngestConfig(source=Path("x"), out=Path("y"), label_column=given)
        assert guess_columns(header, rows, config).label == found
    named = [{"image": "a.jpg", "sentence": "a red box", "label": "box"}]
    assert guess_columns(header, named, IngestConfig(source=Path("x"), out=Path("y"))).label == "label"
