"""An INDEX that changes: photos as files and bytes, queries of text and photo, metadata, another model, watching."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from lift.artefact import sha256_file, write_json
from lift.cli import run as run_verb
from lift.data import decode_image
from lift.errors import LiftError
from lift.indexing import Index, IndexConfig, NewPhoto, Query, SearchConfig, WatchConfig, index, search, watch
from lift.indexing.query import AWAY
from lift.indexing.tables import MetadataTable
from lift.model import Model, load

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return load(tiny_run)


def photo_bytes(seed: int, *, exif: Image.Exif | None = None) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((90, 60)).save(buffer, "JPEG", quality=95, exif=exif or Image.Exif())
    return buffer.getvalue()


def write_photos(folder: Path, seeds: range) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / f"{seed:02d}.jpg").write_bytes(photo_bytes(seed))
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos", range(8))


@pytest.fixture
def made(tmp_path: Path, photos: Path, model: Model) -> Index:
    return Index.build(model, photos, tmp_path / "index")


def test_photos_are_added_as_bytes_and_files_and_found_by_another_reader(
    made: Index, tmp_path: Path, model: Model
) -> None:
    reader = Index.open(made.folder)
    (tmp_path / "elsewhere.jpg").write_bytes(photo_bytes(51))
    done = made.add(
        [
            NewPhoto("../../etc/passwd", image_bytes=photo_bytes(50), captions=("a",), metadata={"price": 3}),
            NewPhoto("file", path=tmp_path / "elsewhere.jpg", metadata={"shop": "tokyo"}),
            NewPhoto("00.jpg", image_bytes=photo_bytes(52)),
            NewPhoto("bad", image_bytes=b"no picture"),
            NewPhoto("gone", path=tmp_path / "nowhere.jpg"),
        ],
        model,
    )
    assert (done.added, done.updated, len(made)) == (2, 1, 10)
    assert [(item.file, bool(item.reason and item.remedy)) for item in done.set_aside] == [
        ("bad", True),
        ("gone", True),
    ]
    assert len(reader) == 8 and "file" not in reader
    assert reader.refresh() and not reader.refresh() and len(reader) == 10
    match = reader.match("../../etc/passwd")
    name = hashlib.sha256(photo_bytes(50)).hexdigest()
    assert match.path == made.folder / "uploads" / name[:2] / name and match.path.read_bytes() == photo_bytes(
        50
    )
    assert (match.captions, match.metadata) == (("a",), {"price": 3})
    assert reader.picture(match).size == (90, 60)
    for key, seed in (("../../etc/passwd", 50), ("file", 51), ("00.jpg", 52), ("01.jpg", 1)):
        best = reader.search(model.encode_image([decode_image(photo_bytes(seed))])[0], 1)[0]
        assert best.key == key and best.score == pytest.approx(1, abs=2e-3)
    alike = reader.search(Query(image=tmp_path / "elsewhere.jpg"), 4, model=model)[1:]
    assert [match.key for match in reader.similar("file", 3)] == [match.key for match in alike]
    assert made.delete(["file", "unknown"]) == 1 and "file" not in made
    with pytest.raises(LiftError, match="no photo 'file'"):
        made.match("file")
    assert run_verb("check", [str(made.folder)]) == 0
    match.path.write_bytes(b"changed")
    assert run_verb("check", [str(made.folder)]) == 1


def test_new_photos_of_the_wrong_form_or_model_are_refused(
    made: Index, tiny_clip_run: Path, model: Model
) -> None:
    for wrong in (
        {"key": "a"},
        {"key": "a", "path": "x", "image_bytes": b""},
        {"key": "", "path": "x"},
        {"key": "a\nb", "path": "x"},
    ):
        with pytest.raises(LiftError):
            NewPhoto(**wrong)
    with pytest.raises(LiftError, match="must not be mixed"):
        made.add([NewPhoto("a", image_bytes=photo_bytes(1))], load(tiny_clip_run))
    made.add([NewPhoto("a", image_bytes=photo_bytes(1), metadata={"price": 3})], model)
    with pytest.raises(LiftError, match="holds numbers"):
        made.add([NewPhoto("b", image_bytes=photo_bytes(1), metadata={"price": "cheap"})], model)
    assert "b" not in Index.open(made.folder)
    assert (
        made.add([NewPhoto("big", image_bytes=photo_bytes(1))], model, max_pixels=100)
        .set_aside[0]
        .reason.startswith("oversized")
    )


def test_an_empty_index_takes_photos(tmp_path: Path, model: Model) -> None:
    opened = Index.create(model, tmp_path / "index")
    assert len(opened) == 0 and opened.search("a dog", model=model) == []
    opened.add([NewPhoto("a", image_bytes=photo_bytes(1))], model)
    assert [match.key for match in opened.search("a dog", model=model)] == ["a"]
    with pytest.raises(LiftError, match="exists"):
        Index.create(model, tmp_path / "index")


def test_a_query_is_the_weighted_sum_less_what_is_not_wanted(model: Model) -> None:
    text, other = model.encode_text(["a red circle", "a blue square"]).astype(np.float64)
    photo = model.encode_image([decode_image(photo_bytes(3))])[0].astype(np.float64)

    def unit(vector: np.ndarray) -> np.ndarray:
        return vector / np.linalg.norm(vector)

    both = Query("a red circle", photo_bytes(3), weight=0.25).vector(model)
    np.testing.assert_allclose(both, unit(0.25 * text + 0.75 * photo), atol=1e-6)
    less = Query("a red circle", without=("a blue square",)).vector(model)
    np.testing.assert_allclose(less, unit(text - AWAY * other), atol=1e-6)
    np.testing.assert_allclose(Query(image=photo).vector(None), photo, atol=1e-6)
    for wrong in ({}, {"text": " "}, {"text": "a", "weight": 2}):
        with pytest.raises(LiftError):
            Query(**wrong)
    with pytest.raises(LiftError, match="not a picture"):
        Query(image=b"x").vector(model)
    with pytest.raises(LiftError, match="model is needed"):
        Query("a").vector(None)


def test_a_photo_turned_upright_is_not_turned_again(model: Model) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_image(photo_bytes(1, exif=exif))
    assert turned.size == (60, 90)
    np.testing.assert_array_equal(model.prepare(turned), model.prepare(photo_bytes(1, exif=exif)))


TABLE = [
    ["photo", "price", "shop", "day", "sold", "code"],
    ["00.jpg", 3, "tokyo", "2026-01-02", "true", "007"],
    ["x/01.jpg", 2.5, "", "2026-02-03", "", "12"],
    ["none.jpg", "", "osaka", "", "false", ""],
]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "xlsx"])
def test_metadata_tables_keep_types_and_find_their_photos(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table.{ending}"
    if ending == "csv":
        path.write_text("\n".join(",".join(map(str, row)) for row in TABLE), encoding="utf-8-sig")
    elif ending == "jsonl":
        lines = [dict(zip(TABLE[0], row, strict=True)) for row in TABLE[1:]]
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    else:
        book = openpyxl.Workbook()
        for row in TABLE:
            book.active.append([None if cell == "" else cell for cell in row])
        book.save(path)
    table = MetadataTable.read(path, ["00.jpg", "01.jpg", "02.jpg"])
    assert table.fields == {"price": "number", "shop": "text", "day": "date", "sold": "bool", "code": "text"}
    assert (
        table.of("00.jpg")["price"] == 3
        and table.of("00.jpg")["code"] == "007"
        and table.of("00.jpg")["sold"] is True
    )
    assert (
        table.of("01.jpg")["price"] == 2.5 and "shop" not in table.of("01.jpg") and table.of("02.jpg") == {}
    )
    with pytest.raises(LiftError, match="no photo is named"):
        MetadataTable.read(path, ["other.jpg"], "photo")
    with pytest.raises(LiftError, match="no column 'name'"):
        MetadataTable.read(path, ["00.jpg"], "name")


def test_photos_alone_leave_the_metadata_that_is_known(tmp_path: Path, tiny_run: Path) -> None:
    folder, table, out = tmp_path / "photos", tmp_path / "table.csv", tmp_path / "index"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(photo_bytes(number))
    table.write_text("file,price\n0.png,3\n1.png,30\n", encoding="utf-8")
    made = index(IndexConfig(tiny_run, folder, out, metadata=table))
    (folder / "0.png").write_bytes(photo_bytes(70))
    (folder / "3.png").write_bytes(photo_bytes(71))
    assert watch(WatchConfig(out, folder, once=True)) == 1
    (folder / "4.png").write_bytes(photo_bytes(72))
    opened = index(IndexConfig(tiny_run, folder, out))
    known = {match.key: match.metadata for match in map(opened.match, opened.keys())}
    assert known == {"0.png": {"price": 3}, "1.png": {"price": 30}, "2.png": {}, "3.png": {}, "4.png": {}}
    vectors = [one.view.vector(one.view.find("0.png") or 0) for one in (made, opened)]
    assert not np.array_equal(*vectors)  # the changed photo was encoded anew


def test_lift_index_with_a_table_and_search_where(
    tmp_path: Path, photos: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "index"
    table.write_text("file,price\n00.jpg,3\n01.jpg,30\n02.jpg,5\n", encoding="utf-8")
    index(IndexConfig(tiny_run, photos, out, metadata=table))
    assert "3 of 8 photos have a row in it; fields: price (number)" in capsys.readouterr().err
    [found] = search(SearchConfig(out, ("a dog",), where=("price<20",), json=True))
    assert sorted(match.key for match in found) == ["00.jpg", "02.jpg"]
    assert json.loads(capsys.readouterr().out.splitlines()[0])["metadata"]["price"] in (3, 5)
    before = Index.open(out).search("a dog", 8)
    table.write_text("file,price\n00.jpg,3\n01.jpg,3\n", encoding="utf-8")
    opened = index(IndexConfig(tiny_run, photos, out, metadata=table))
    assert "0 photos added, 2 updated, 0 taken out" in capsys.readouterr().out
    assert opened.match("02.jpg").metadata == {} and opened.match("01.jpg").metadata == {"price": 3}
    assert {(m.key, m.score) for m in opened.search("a dog", 8)} == {(m.key, m.score) for m in before}
    [found] = search(SearchConfig(out, (), image=photos / "01.jpg", top=1))
    assert found[0].key == "01.jpg"
    assert run_verb("search", [str(out), "a dog", "--where", "prize<2"]) == 1
    assert "known: price" in capsys.readouterr().err


def test_another_model_is_made_beside_the_first_and_switched_to(
    made: Index, photos: Path, model: Model, tiny_clip_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.add([NewPhoto("up", image_bytes=photo_bytes(60), metadata={"price": 3})], model)
    place = str(made.folder)
    assert run_verb("manage", ["switch", place]) == 1 and "no second line" in capsys.readouterr().err
    assert run_verb("manage", ["reindex", place, "--run", str(tiny_clip_run)]) == 0
    assert "9 photos encoded" in capsys.readouterr().out
    made.add([NewPhoto("late", image_bytes=photo_bytes(61))], model)
    made.delete(["02.jpg"])
    assert len(made.search("a dog", 20, model=model)) == 9  # searched as before all the while
    assert run_verb("manage", ["switch", place]) == 1 and "late" in capsys.readouterr().err
    assert run_verb("manage", ["reindex", place, "--run", str(tiny_clip_run)]) == 0
    assert run_verb("manage", ["switch", place]) == 0
    other, opened = load(tiny_clip_run), Index.open(made.folder)
    keys = {"up", "late", *(f"{n:02d}.jpg" for n in range(8) if n != 2)}
    assert set(opened.keys()) == keys and opened.match("up").metadata == {"price": 3}
    opened.check_model(other)
    for key, content in (("up", photo_bytes(60)), ("05.jpg", photo_bytes(5))):
        best = opened.search(Query(image=content), 1, model=other)[0]
        assert best.key == key and best.score == pytest.approx(1, abs=2e-3)
    with pytest.raises(LiftError, match="switched to the model"):
        made.add([NewPhoto("x", image_bytes=photo_bytes(1))], model)
    [name] = opened.snapshots()
    opened.rollback(name)
    opened.check_model(model)
    assert set(opened.keys()) == keys and run_verb("check", [place]) == 0
    (photos / "03.jpg").unlink()
    assert run_verb("manage", ["reindex", place, "--run", str(tiny_clip_run)]) == 0
    assert run_verb("manage", ["switch", place]) == 1 and "03.jpg" in capsys.readouterr().err
    assert run_verb("manage", ["switch", place, "--drop-missing"]) == 0
    assert set(Index.open(made.folder).keys()) == keys - {"03.jpg"}
    for command in (["info", place], ["snapshot", place, "mine"], ["gc", place], ["delete", place, "up"]):
        assert run_verb("manage", command) == 0
    assert run_verb("check", [place]) == 0


def test_near_duplicates_are_listed(made: Index, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    made.add([NewPhoto("copy", image_bytes=photo_bytes(4))], model)
    groups = made.near_duplicates(0.9999)
    assert [[match.key for match in group] for group in groups] == [["04.jpg", "copy"]]
    assert run_verb("manage", ["duplicates", str(made.folder), "--threshold", "0.9999", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["04.jpg", "copy"]


def test_a_folder_is_watched(made: Index, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "new.jpg").write_bytes(photo_bytes(70))
    (photos / "00.jpg").unlink()
    assert watch(WatchConfig(made.folder, photos, once=True)) == 1
    assert "1 added, 0 updated, 1 taken out; 8 photos" in capsys.readouterr().out
    assert watch(WatchConfig(made.folder, photos, once=True)) == 0
    stop = threading.Event()
    follower = threading.Thread(target=watch, args=(WatchConfig(made.folder, photos, wait=0.2), stop))
    follower.start()
    try:
        content = photo_bytes(71)
        with (photos / "grows.jpg").open("wb") as file:
            for part in (content[:500], content[500:]):
                file.write(part)
                file.flush()
                time.sleep(0.3)
        wait_for(lambda: made.refresh() and "grows.jpg" in made)
    finally:
        stop.set()
        follower.join(20)
    assert not follower.is_alive()
    best = made.search(Query(image=content), 1, model=made.load_model())[0]
    assert best.key == "grows.jpg" and best.score == pytest.approx(1, abs=2e-3)
    with pytest.raises(LiftError, match="lies inside"):
        watch(WatchConfig(made.folder, made.folder.parent))


def wait_for(fulfilled: object, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not fulfilled():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def test_a_second_folder_is_watched_under_its_name(made: Index, tmp_path: Path) -> None:
    watch(WatchConfig(made.folder, write_photos(tmp_path / "more", range(2)), once=True))
    made.refresh()
    assert len(made) == 10 and made.match("more/00.jpg").path == tmp_path / "more" / "00.jpg"


def test_an_index_of_format_1_is_searched_but_not_changed(
    tmp_path: Path,
    made: Index,
    model: Model,
    photos: Path,
    tiny_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    names = made.keys()
    np.save(old / "vectors.npy", made.vectors)
    lines = [json.dumps({"key": key, "path": key, "captions": []}) + "\n" for key in names]
    (old / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    sums = {name: sha256_file(old / name) for name in ("vectors.npy", "rows.jsonl")}
    write_json(old / "index.json", {**made.manifest, "format": 1, "rows": 8, "sha256": sums})
    opened = Index.open(old)
    assert opened.search("a dog", 5, model=model) == made.search("a dog", 5, model=model)
    assert "03.jpg" in opened and not opened.refresh() and run_verb("check", [str(old)]) == 0
    for change in (
        lambda: opened.delete(["03.jpg"]),
        lambda: opened.add([NewPhoto("a", image_bytes=photo_bytes(1))], model),
    ):
        with pytest.raises(LiftError, match="format 1") as caught:
            change()
        assert "--overwrite" in caught.value.remedy
    for verb in (["switch"], ["reindex", "--run", str(tiny_run)], ["rollback", "x"]):
        assert run_verb("manage", [verb[0], str(old), *verb[1:]]) == 1
        assert "format 1" in capsys.readouterr().err
    (photos / "00.jpg").unlink()
    with pytest.raises(LiftError, match="other settings"):
        index(IndexConfig(tiny_run, photos, old))
    assert len(index(IndexConfig(tiny_run, photos, old, overwrite=True))) == 7


def test_a_killed_writer_loses_no_acknowledged_photo(made: Index, tiny_run: Path) -> None:
    script = PROJECT / "benchmarks" / "index_kills.py"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, str(script), "--writer", str(made.folder), str(tiny_run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(25)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    said = [line.split() for line in lines if line.endswith("\n")]
    keys = {verb: {key for v, key in said if v == verb} for verb in ("added", "deleting", "deleted")}
    opened = Index.open(made.folder)
    there = set(opened.keys())
    assert (
        len(keys["added"]) >= 10 and keys["added"] - keys["deleting"] <= there and not keys["deleted"] & there
    )
    assert run_verb("check", [str(made.folder)]) == 0
    key = max(keys["added"] - keys["deleting"])
    assert (
        opened.add([NewPhoto(key, image_bytes=photo_bytes(1))], load(tiny_run)).updated == 1
    )  # and it goes on
