"""What goes wrong with an INDEX in people's hands: photos that come back, folders that vanish, tables that change."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lift.catalogue.commits import writing
from lift.cli import run as run_verb
from lift.errors import LiftError
from lift.indexing import Index, IndexConfig, NewPhoto, Query, WatchConfig, index, updating, watch
from lift.indexing.tables import MetadataTable
from lift.model import Model, load


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return load(tiny_run)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        write_photo(folder / f"{seed}.png", seed)
    return folder


def write_photo(path: Path, seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


@pytest.fixture
def made(tmp_path: Path, photos: Path, model: Model) -> Index:
    return Index.build(model, photos, tmp_path / "index")


def test_a_photo_that_came_back_is_encoded_by_the_next_reindex(
    made: Index, photos: Path, tiny_clip_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, away = str(made.folder), photos.parent / "away.png"
    (photos / "2.png").rename(away)
    assert run_verb("manage", ["reindex", place, "--run", str(tiny_clip_run)]) == 0
    assert "3 photos encoded, 1 could not be read" in capsys.readouterr().out
    assert run_verb("manage", ["switch", place]) == 1
    away.rename(photos / "2.png")
    assert run_verb("manage", ["reindex", place, "--run", str(tiny_clip_run)]) == 0
    assert run_verb("manage", ["switch", place]) == 0 and len(Index.open(place)) == 4


def test_an_index_that_was_made_anew_is_seen_by_those_who_have_it_open(
    made: Index, photos: Path, tiny_run: Path, model: Model
) -> None:
    (photos / "0.png").unlink()
    index(IndexConfig(tiny_run, photos, made.folder, overwrite=True))
    assert made.view.commit.number == 1 and len(made) == 4  # the new one's number is the same
    assert made.refresh() and not made.refresh() and made.keys() == ["1.png", "2.png", "3.png"]
    best = made.search(Query(image=photos / "3.png"), 1, model=model)[0]
    assert best.key == "3.png" and best.score == pytest.approx(1, abs=2e-3)


def test_an_index_is_not_replaced_in_the_midst_of_a_change(made: Index, photos: Path, tiny_run: Path) -> None:
    again = threading.Thread(target=index, args=(IndexConfig(tiny_run, photos, made.folder, overwrite=True),))
    with writing(made.folder):
        again.start()
        again.join(1.5)
        assert again.is_alive() and (made.folder / ".lock").is_file() and not made.refresh()
    again.join(20)
    assert not again.is_alive() and made.refresh() and len(made) == 4


def test_photos_kept_inside_an_index_are_not_overwritten_and_a_damaged_one_is_brought_back(
    made: Index, photos: Path, tiny_run: Path, model: Model
) -> None:
    content = write_photo(photos.parent / "up.png", 9)
    made.add([NewPhoto("up", image_bytes=content), NewPhoto("up", image_bytes=content)], model)
    assert len(made) == 5
    with pytest.raises(LiftError, match="only copies"):
        index(IndexConfig(tiny_run, photos, made.folder, overwrite=True))
    path = made.match("up").path
    path.write_bytes(b"damaged")
    assert run_verb("check", [str(made.folder)]) == 1
    assert made.add([NewPhoto("up", image_bytes=content)], model).updated == 1
    assert path.read_bytes() == content and run_verb("check", [str(made.folder)]) == 0


def test_exact_is_a_plain_switch(made: Index, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("search", [str(made.folder), "a dog", "--exact", "--top", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path: Path, tiny_run: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff"))
    odd.mkdir()
    write_photo(odd / "0.png", 0)
    with pytest.raises(LiftError, match="not valid UTF-8"):
        index(IndexConfig(tiny_run, odd, tmp_path / "out"))
    with pytest.raises(LiftError, match="not valid UTF-8"):
        watch(WatchConfig(tmp_path / "out", odd))


def test_letters_that_are_none_are_refused_and_in_no_key(made: Index, model: Model) -> None:
    assert "0.png\udcff" not in made and made.delete(["0.png\udcff"]) == 0
    for ask in ("dog \udcff", "\ud800"):
        with pytest.raises(LiftError, match="no valid Unicode"):
            made.search(ask, model=model)
        with pytest.raises(LiftError, match="no valid Unicode"):
            Query("a dog", without=(ask,))


def test_no_queries_no_answers_and_captions_are_a_list_of_texts(made: Index, model: Model) -> None:
    assert made.search_many([], model=model) == []
    wrongs: tuple[Any, ...] = ("a dog", ("\ud800",), (3,))
    for captions in wrongs:
        with pytest.raises(LiftError, match="no list of texts"):
            NewPhoto("a", image_bytes=b"x", captions=captions)


def test_metadata_of_many_photos_are_changed_in_several_commits(
    tmp_path: Path, photos: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "RETOLD", 2)
    table, out = tmp_path / "table.csv", tmp_path / "out"
    index(IndexConfig(tiny_run, photos, out))
    vectors = {key: Index.open(out).view.vector(row) for row, key in enumerate(Index.open(out).keys())}
    table.write_text("file,n,empty\n" + "".join(f"{n}.png,{n},\n" for n in range(4)), encoding="utf-8")
    opened = index(IndexConfig(tiny_run, photos, out, metadata=table))
    assert [opened.match(f"{n}.png").metadata for n in range(4)] == [{"n": n} for n in range(4)]
    assert opened.fields == {"n": "number"} and opened.view.commit.number == 3  # an empty column is no field
    for key, vector in vectors.items():
        np.testing.assert_array_equal(opened.view.vector(opened.view.find(key) or 0), vector)
    table.write_text("file,n\n0.png,many\n", encoding="utf-8")
    with pytest.raises(LiftError, match="holds numbers, not 'many'"):
        index(IndexConfig(tiny_run, photos, out, metadata=table))
    assert Index.open(out).match("3.png").metadata == {"n": 3}


def test_tables_with_long_cells_empty_lines_and_rare_letters(tmp_path: Path) -> None:
    lines = '{"file": "a.jpg", "n": "x\u2028y"}\n\n{"file": "b.jpg", "n": "z"}\n'
    (tmp_path / "t.jsonl").write_text(lines, encoding="utf-8")
    assert MetadataTable.read(tmp_path / "t.jsonl", ["a.jpg"]).of("a.jpg") == {"n": "x\u2028y"}
    (tmp_path / "t.csv").write_text(f"file,n\na.jpg,{'x' * 200_000}\n", encoding="utf-8")
    assert MetadataTable.read(tmp_path / "t.csv", ["a.jpg"]).of("a.jpg") == {"n": "x" * 200_000}


def test_an_emptied_folder_takes_nothing_out(made: Index, photos: Path) -> None:
    for path in photos.iterdir():
        path.unlink()
    with pytest.raises(LiftError, match="holds no photos"):  # an unmounted disk looks the same
        watch(WatchConfig(made.folder, photos, once=True))
    assert not made.refresh() and len(made) == 4


def test_watching_outlives_names_that_are_not_utf8_and_a_folder_made_anew(made: Index, photos: Path) -> None:
    stop, ended = threading.Event(), list[BaseException]()

    def follow() -> None:
        try:
            watch(WatchConfig(made.folder, photos, wait=0.2), stop)
        except LiftError as error:
            ended.append(error)

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        time.sleep(0.5)
        (Path(os.fsdecode(os.fsencode(photos) + b"/bad\xff.png"))).write_bytes(b"x")
        time.sleep(0.5)
        write_photo(photos / "new.png", 20)
        wait_for(lambda: made.refresh() and "new.png" in made)
        photos.rename(photos.with_name("old"))
        photos.mkdir()
        write_photo(photos / "other.png", 21)
        wait_for(lambda: made.refresh() and made.keys() == ["other.png"])
        (photos / "other.png").unlink()
        photos.rmdir()
        follower.join(20)
    finally:
        stop.set()
        follower.join(20)
    assert "is gone" in str(ended[0]) and len(made) == 1


def wait_for(fulfilled: object, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not fulfilled():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.3)
