"""INDEX: made from folders and DATASETs, searched exactly, refused when unfit; the picture grid."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import write_photos
from lift.cli import run as run_verb
from lift.data import Dataset
from lift.errors import LiftError
from lift.indexing import Index, IndexConfig, SearchConfig, index, search
from lift.indexing.grid import Section, find_font, wrap, write_grid
from lift.indexing.photos import list_photos
from lift.model import Model, load

JAPANESE = "海辺/夕焼け の写真.jpg"
NAMES = ["a.png", "b/c/deep.PNG", "b/z.jpg", JAPANESE]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four photos at several depths, two broken ones, and files that are no photos."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, NAMES, cut="b/cut.jpg")
    (folder / "link.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "notes.txt").write_text("not a photo", encoding="utf-8")
    (folder / ".hidden.png").write_bytes((folder / "a.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return load(tiny_run)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photos: Path, model: Model) -> Path:
    """An INDEX of `photos`."""
    out = tmp_path_factory.mktemp("made") / "index"
    Index.build(model, photos, out)
    return out


def test_photos_are_listed_at_any_depth_sorted_and_without_hidden_files(photos: Path) -> None:
    listed = [path.as_posix() for path in list_photos(photos)]
    assert listed == ["a.png", "b/c/deep.PNG", "b/cut.jpg", "b/z.jpg", "link.jpg", "none.png", JAPANESE]


def test_index_holds_the_good_photos_and_reports_the_bad(made: Path, photos: Path, model: Model) -> None:
    opened = Index.open(made)
    assert opened.keys() == NAMES
    assert opened.vectors.dtype == np.float16 and opened.vectors.shape == (4, model.dim)
    np.testing.assert_allclose(np.linalg.norm(opened.vectors.astype(np.float32), axis=1), 1, atol=1e-3)
    expected = model.encode_image([photos / name for name in NAMES])
    np.testing.assert_allclose(opened.vectors, expected, atol=1e-3)
    report = json.loads((made / "report.json").read_text(encoding="utf-8"))
    assert (report["photos"], report["indexed"]) == (7, 4)
    assert [item["file"] for item in report["set_aside"]] == ["b/cut.jpg", "link.jpg", "none.png"]
    assert all(item["reason"] and item["remedy"] for item in report["set_aside"])
    assert sum(report["set_aside_by_reason"].values()) == 3


def test_every_photo_finds_itself_first(made: Path, photos: Path, model: Model) -> None:
    opened = Index.open(made)
    for name in NAMES:
        best = opened.search(model.encode_image([photos / name])[0], top=1)
        assert [match.key for match in best] == [name]
        assert best[0].score == pytest.approx(1, abs=2e-3)
        assert best[0].path == photos / name and best[0].path.is_file()


def test_search_is_a_full_exact_sort(made: Path, model: Model) -> None:
    opened = Index.open(made)
    sentences = ["a red ball on grass", "夕焼けの海"]
    found = opened.search_many(sentences, top=3, model=model)
    for sentence, matches in zip(sentences, found, strict=True):
        query = model.encode_text([sentence])[0].astype(np.float64)
        scores = (opened.vectors.astype(np.float64) * query).sum(axis=1)
        order = np.argsort(-scores, kind="stable")[:3]
        assert [match.key for match in matches] == [NAMES[row] for row in order]
        np.testing.assert_allclose([match.score for match in matches], scores[order], atol=1e-6)
    assert opened.search("夕焼けの海", 3, model=model) == found[1]


def test_the_same_command_is_skipped_and_a_changed_folder_noticed(
    tmp_path: Path, photos: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(photos, folder, symlinks=True)
    config = IndexConfig(tiny_run, folder, tmp_path / "index")
    index(config)
    shown = capsys.readouterr()
    assert "4 of 7 photos indexed" in shown.out and "b/cut.jpg" in shown.err
    before = contents(config.out)
    index(config)
    assert "already done" in capsys.readouterr().out and contents(config.out) == before
    Image.new("RGB", (50, 50), "red").save(folder / "new.png")
    Image.new("RGB", (50, 50), "blue").save(folder / "b" / "z.jpg")
    (folder / "a.png").unlink()
    opened = index(config)
    assert "1 photos added, 1 updated, 1 taken out" in capsys.readouterr().out
    assert sorted(opened.keys()) == sorted(["new.png", "b/z.jpg", "b/c/deep.PNG", JAPANESE])
    for name in ("new.png", "b/z.jpg"):
        best = opened.search(load(tiny_run).encode_image([folder / name])[0], 1)[0]
        assert (best.key, best.path) == (name, folder / name) and best.score == pytest.approx(1, abs=2e-3)
    report = json.loads((config.out / "report.json").read_text(encoding="utf-8"))
    assert (report["photos"], report["indexed"], report["added"]) == (7, 4, 1)
    (folder / "new.png").unlink()
    shutil.copy2(photos / "a.png", folder / "a.png")
    shutil.copy2(photos / "b" / "z.jpg", folder / "b" / "z.jpg")
    index(IndexConfig(tiny_run, folder, tmp_path / "index", overwrite=True))
    assert contents(config.out) == before


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_nothing_is_written_when_no_photo_can_be_read(tmp_path: Path, tiny_run: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(LiftError, match=r"none of the 1 photos.*x\.jpg"):
        index(IndexConfig(tiny_run, tmp_path / "photos", tmp_path / "index"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_an_index_of_another_run_is_refused_with_both_names_and_the_remedy(
    made: Path, model: Model, tiny_clip_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = load(tiny_clip_run)
    with pytest.raises(LiftError) as caught:
        search(SearchConfig(made, ("a dog",), run=tiny_clip_run))
    for word in (
        model.id, other.id, model.fingerprint.name, model.fingerprint.digest,
        other.fingerprint.name, other.fingerprint.digest,
    ):  # fmt: skip
        assert word in caught.value.problem
    assert "lift index" in caught.value.remedy and str(model.run.resolve()) in caught.value.remedy
    with pytest.raises(LiftError):
        Index.open(made).search("a dog", model=other)
    assert run_verb("search", [str(made), "a dog", "--run", str(tiny_clip_run)]) == 1
    assert "what to do" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["vectors.npy", "rows.arrow", "keys.npy"])
def test_a_flipped_bit_or_a_missing_file_is_noticed(tmp_path: Path, made: Path, name: str) -> None:
    copy = tmp_path / "index"
    shutil.copytree(made, copy)
    [file] = (copy / "segments").glob(f"*.{name}")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(LiftError, match=f"{name} has changed") as caught:
        Index.open(copy)
    assert "lift index" in caught.value.remedy and "--overwrite" in caught.value.remedy
    file.unlink()
    with pytest.raises(LiftError, match=f"{name} is missing"):
        Index.open(copy)


def test_a_run_that_has_moved_is_asked_for(tmp_path: Path, made: Path) -> None:
    copy = tmp_path / "index"
    shutil.copytree(made, copy)
    [commit] = (copy / "commits").iterdir()
    content = json.loads(commit.read_text(encoding="utf-8"))
    commit.write_text(json.dumps({**content, "run": str(tmp_path / "gone")}), encoding="utf-8")
    with pytest.raises(LiftError, match="gone") as caught:
        search(SearchConfig(copy, ("a dog",)))
    assert "--run" in caught.value.remedy


def test_search_prints_json_lines(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = search(SearchConfig(made, ("夕焼け", "a dog"), top=2, json=True))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and '"夕焼け"' in lines[0]
    shown = [json.loads(line) for line in lines]
    assert [(line["query"], line["rank"]) for line in shown] == [
        ("夕焼け", 1),
        ("夕焼け", 2),
        ("a dog", 1),
        ("a dog", 2),
    ]
    assert shown[2]["key"] == found[1][0].key and shown[2]["score"] == pytest.approx(
        found[1][0].score, abs=1e-6
    )


def test_search_prints_ranks_scores_and_paths_and_writes_the_grid(
    tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "new" / "grid.png"
    found = search(SearchConfig(made, ("a dog", "犬"), top=3, grid=grid))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a dog" and lines[4] == "犬"
    assert lines[1].split() == ["1", f"{found[0][0].score:.3f}", *str(found[0][0].path).split()]
    with Image.open(grid) as image:
        assert image.size == (12 + 3 * 212, 2 * (12 + 30 + 12 + 236) + 12)


def test_a_photo_that_is_gone_leaves_a_grey_tile(
    tmp_path: Path, photos: Path, model: Model, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(photos, folder, symlinks=True)
    Index.build(model, folder, tmp_path / "index")
    (folder / "a.png").unlink()
    search(SearchConfig(tmp_path / "index", ("a dog",), grid=tmp_path / "grid.png"))
    shown = capsys.readouterr().err
    assert "not shown in the grid" in shown and "a.png" in shown
    with Image.open(tmp_path / "grid.png") as image:
        assert image.size == (12 + 4 * 212, 12 + 30 + 12 + 236 + 12)
        colours = dict(
            (colour, count) for count, colour in image.convert("RGB").getcolors(maxcolors=1_000_000)
        )
        assert colours[(0xDA, 0xDC, 0xE0)] > 30_000  # most of one tile of 200 x 200


@pytest.mark.parametrize("sentences", [(), ("",), ("a dog", " ")])
def test_search_asks_for_a_sentence(made: Path, sentences: tuple[str, ...]) -> None:
    with pytest.raises(LiftError, match="no sentence"):
        search(SearchConfig(made, sentences))


def test_a_split_of_a_dataset_is_indexed_from_its_pixels(
    tmp_path: Path, tiny_dataset: Path, tiny_run: Path, model: Model
) -> None:
    dataset = Dataset(tiny_dataset)
    opened = index(IndexConfig(tiny_run, tiny_dataset, tmp_path / "index", split="val"))
    numbers = dataset.split("val")
    assert opened.keys() == [dataset.rows[n].key for n in numbers]
    assert list(opened.match(opened.keys()[0]).captions) == dataset.rows[numbers[0]].texts
    np.testing.assert_allclose(opened.vectors, model.encode_image(dataset.pixels[numbers]), atol=1e-3)
    best = opened.search(model.encode_image(dataset.pixels[numbers[:1]])[0], 1)[0]
    np.testing.assert_array_equal(
        np.asarray(opened.picture(best)), dataset.pixels[dataset.index_of[best.key]]
    )


def test_grid_size_is_that_of_its_tiles(tmp_path: Path) -> None:
    tile = Image.new("RGB", (30, 10), "red")
    section = Section("seven", [tile] * 7, [str(rank) for rank in range(1, 8)])
    assert write_grid([section], tmp_path / "grid.png") == (12 + 5 * 212, 12 + 30 + 12 + 2 * 236 + 12)
    with Image.open(tmp_path / "grid.png") as image:
        assert image.getpixel((12 + 100, 54 + 100)) == (255, 0, 0)  # the middle of the first tile
        assert image.getpixel((12 + 100, 54 + 10)) == (255, 255, 255)  # a flat photo leaves room above


def test_right_photos_get_a_green_frame_and_the_legend_stands_on_top(tmp_path: Path) -> None:
    tile = Image.new("RGB", (10, 10), "red")
    section = Section("two", [tile, tile], ["1", "2"], [False, True])
    width, height = write_grid([section], tmp_path / "grid.png", "In a green frame: right.")
    assert (width, height) == (12 + 2 * 212, 12 + 28 + 12 + 30 + 12 + 236 + 12)
    with Image.open(tmp_path / "grid.png") as image:
        found = [image.getpixel((12 + number * 212 + 2, 94 + 100)) for number in range(2)]
        assert found == [(255, 0, 0), (24, 128, 56)]
        assert image.getpixel((14, 14)) == (24, 128, 56)  # the frame that the legend explains


def test_long_titles_are_wrapped_within_the_width() -> None:
    font = find_font(22, False)
    for text in (
        "one two three four five six seven eight",
        "夕焼けの海辺を歩く犬と子供たちの長い長い文",
        "x" * 90,
    ):
        lines = wrap(text, font, 200)
        assert len(lines) > 1 and all(font.getlength(line) <= 200 for line in lines)
        assert "".join("".join(lines).split()) == "".join(text.split())
    words = "one two three four five six seven eight"
    assert wrap(words, font, font.getlength("one two three")) == [
        "one two three",
        "four five six",
        "seven eight",
    ]


def test_the_example_program_runs(tmp_path: Path, photos: Path, tiny_run: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos", symlinks=True)
    project = Path(__file__).resolve().parents[1]
    command = [
        sys.executable,
        project / "examples" / "search.py",
        tiny_run,
        tmp_path / "photos",
        "a dog",
        "犬",
    ]
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 photos, indexed by ") and "most like" in done.stdout
    assert (tmp_path / "photos.index" / "index.json").is_file()
