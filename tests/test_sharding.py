"""A DATASET in shards is the DATASET that it was made of; a foreign one is read where it lies."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest_cases import captions, picture
from ingest_cases import run as ingest_run
from lift.data import Dataset
from lift.data.packing import encode_photo, ending_of
from lift.errors import LiftError
from lift.keeping import CheckConfig, check
from lift.place import Place
from lift.sharding import ShardConfig, shard
from shards_by_hand import damage, in_shards


def files_of(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


@pytest.mark.parametrize("photo_format", ["png", "webp", "npy"])
def test_shards_hold_the_same_dataset(tiny_dataset: Path, tmp_path: Path, photo_format: str) -> None:
    source = Dataset(tiny_dataset)
    made = in_shards(tiny_dataset, tmp_path / "made", photo_format=photo_format)
    assert np.array_equal(made.pixels, source.pixels) and made.pixels.shape == source.pixels.shape
    assert made.rows == source.rows and made.pairs == source.pairs and made.resize_mode == source.resize_mode
    assert np.array_equal(made.pixels[[5, 2, 40]], source.pixels[[5, 2, 40]])
    assert np.array_equal(made.pixels[-1], source.pixels[-1]) and made.pixels[2:4].shape == (2, 32, 32, 3)
    assert made.split("val").tolist() == source.split("val").tolist() and made.id != source.id
    # 36 training photos in shards of 7 are 6, the last with one; 12 for validation are 2.
    names = [entry["name"] for entry in made.manifest["shards"]]
    assert names == [
        *[f"shards/train-{n:06d}.tar" for n in range(6)],
        *[f"shards/val-{n:06d}.tar" for n in range(2)],
    ]
    again = in_shards(tiny_dataset, tmp_path / "again", photo_format=photo_format, workers=1)
    assert files_of(tmp_path / "again") == files_of(tmp_path / "made") and again.id == made.id


def test_any_reader_of_webdataset_can_read_them(tiny_dataset: Path, tmp_path: Path) -> None:
    made = in_shards(tiny_dataset, tmp_path / "made")
    members, sums = (np.load(tmp_path / "made" / f"{name}.npy") for name in ("members", "sums"))
    row = 0
    for number, entry in enumerate(made.manifest["shards"]):
        with tarfile.open(tmp_path / "made" / entry["name"]) as tar:
            for photo, texts in zip(*[iter(tar)] * 2, strict=True):
                assert photo.name == f"{row:09d}.png" and texts.name == f"{row:09d}.json"
                places = (photo.offset_data, photo.size, texts.offset_data, texts.size)
                assert members[row].tolist() == [number, *places]
                contents = [tar.extractfile(member).read() for member in (photo, texts)]
                assert [hashlib.sha256(one).digest() for one in contents] == [s.tobytes() for s in sums[row]]
                assert json.loads(contents[1])["key"] == made.rows[row].key
                pixels = np.asarray(Image.open(io.BytesIO(contents[0])))
                assert np.array_equal(pixels, made.pixels[row])
                row += 1
    assert row == 48
    back = ingest_run(tmp_path / "made" / "shards", tmp_path / "back", size=32)
    assert sorted(r.captions for r in back.rows) == sorted(r.captions for r in made.rows)
    assert {len(r.long_captions) for r in back.rows} == {1} and back.manifest["splits"] == {
        "train": 36,
        "val": 12,
    }


def test_jpeg_is_near_and_small(tmp_path: Path) -> None:
    pixels = np.asarray(picture(0, 64))
    found = np.asarray(Image.open(io.BytesIO(encode_photo(pixels, "jpeg"))))
    assert np.abs(found.astype(int) - pixels).mean() < 3
    assert len(encode_photo(pixels, "jpeg")) < 0.5 * len(encode_photo(pixels, "png"))
    assert (
        ending_of(encode_photo(pixels, "jpeg")) == "jpg" and ending_of(encode_photo(pixels, "webp")) == "webp"
    )


def test_object_storage_holds_what_a_folder_holds(tiny_dataset: Path, tmp_path: Path) -> None:
    url = f"memory://{tmp_path.name}/photos"
    here, there = in_shards(tiny_dataset, tmp_path / "made"), in_shards(tiny_dataset, url)
    assert there.id == here.id and there.manifest == here.manifest and there.address == url
    place = Place(url)
    for name in ("dataset.json", "rows.jsonl", *[entry["name"] for entry in here.manifest["shards"]]):
        assert place.read(name) == (tmp_path / "made" / name).read_bytes()
    check(CheckConfig(url))
    content = bytearray(place.read("shards/val-000000.tar"))
    content[700] ^= 1
    place.write("shards/val-000000.tar", bytes(content))
    with pytest.raises(LiftError, match="1 faults"):
        check(CheckConfig(url))
    with pytest.raises(LiftError, match="there is no dataset"):
        Dataset(f"{url}/nothing")
    place.write("x/dataset.json", (tiny_dataset / "dataset.json").read_bytes())
    place.write("x/rows.jsonl", (tiny_dataset / "rows.jsonl").read_bytes())
    with pytest.raises(LiftError, match="lift shard DATASET --out URL"):
        Dataset(f"{url}/x")


def test_killed_and_run_again(tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = in_shards(tiny_dataset, tmp_path / "whole")
    write, count = Place.write, [0]

    def killed(self: Place, name: str, *parts: bytes, **how: bool) -> None:
        count[0] += 1
        if count[0] == stop:
            raise KeyboardInterrupt
        write(self, name, *parts, **how)

    monkeypatch.setattr(Place, "write", killed)
    for stop in (1, 2, 5, 10, 14, 15, 99):
        count[0] = 0
        if stop < 99:
            with pytest.raises(KeyboardInterrupt):
                in_shards(tiny_dataset, tmp_path / "made")
            assert not (tmp_path / "made" / "dataset.json").exists()
    assert in_shards(tiny_dataset, tmp_path / "made").id == whole.id
    assert files_of(tmp_path / "made") == files_of(tmp_path / "whole")


def test_what_lies_there_is_respected(tiny_dataset: Path, tmp_path: Path) -> None:
    in_shards(tiny_dataset, tmp_path / "made")
    before = files_of(tmp_path / "made")
    in_shards(tiny_dataset, tmp_path / "made")
    assert files_of(tmp_path / "made") == before
    with pytest.raises(LiftError, match="other settings"):
        in_shards(tiny_dataset, tmp_path / "made", photos_per_shard=20)
    few = in_shards(tiny_dataset, tmp_path / "made", photos_per_shard=20, overwrite=True)
    assert len(few.manifest["shards"]) == len(Place(tmp_path / "made").names("shards")) == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(LiftError, match="is not a DATASET"):
        in_shards(tiny_dataset, tmp_path / "mine", overwrite=True)
    with pytest.raises(LiftError, match="the DATASET itself"):
        in_shards(tiny_dataset, tiny_dataset, overwrite=True)
    with pytest.raises(LiftError, match="not the files of photos"):
        in_shards(tiny_dataset, tmp_path / "x", photo_format="as-is")


def foreign(folder: Path) -> None:
    """Two shards by other means: large JPEGs of odd shapes, texts in .txt and .json."""
    folder.mkdir()
    for name in ("train-0", "val-0"):
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            for number in range(4):
                photo = io.BytesIO()
                picture(number + 10 * len(name), 90).crop((0, 0, 90, 60 + number)).save(photo, "JPEG")
                text = f"{name} number {number}".encode()
                for ending, content in (("jpg", photo.getvalue()), ("txt", text)):
                    info = tarfile.TarInfo(f"{number}.{ending}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


def test_foreign_shards_in_place_give_the_same_pixels(tmp_path: Path) -> None:
    foreign(tmp_path / "tars")
    copied = ingest_run(tmp_path / "tars", tmp_path / "copied", resize_mode="longest")
    placed = ingest_run(tmp_path / "tars", tmp_path / "placed", resize_mode="longest", layout="in-place")
    assert np.array_equal(placed.pixels, copied.pixels) and placed.rows == copied.rows
    assert not (tmp_path / "placed" / "pixels.npy").exists() and placed.id != copied.id
    assert (
        ingest_run(tmp_path / "tars", tmp_path / "placed", resize_mode="longest", layout="in-place").id
        == placed.id
    )
    packed = in_shards(tmp_path / "placed", tmp_path / "packed", photo_format="as-is", photos_per_shard=3)
    assert np.array_equal(packed.pixels, copied.pixels) and captions(packed) == captions(copied)
    with tarfile.open(tmp_path / "packed" / "shards" / "train-000001.tar") as tar:
        assert tar.getnames() == ["000000003.jpg", "000000003.json"]
    small = in_shards(tmp_path / "placed", tmp_path / "small", photo_format="png")
    assert np.array_equal(small.pixels, copied.pixels)  # stored at the training size
    check(CheckConfig(str(tmp_path / "placed")))
    damage(placed, 2)
    with pytest.raises(
        LiftError, match=r"photo train-0.tar:2.jpg in shard .*has changed since it was written"
    ):
        Dataset(tmp_path / "placed").pixels[2]
    with pytest.raises(LiftError, match="1 faults"):
        check(CheckConfig(str(tmp_path / "placed")))
    with pytest.raises(LiftError, match="no folder of them"):
        (tmp_path / "folder").mkdir()
        picture(1).save(tmp_path / "folder" / "a.png")
        (tmp_path / "folder" / "a.txt").write_text("a")
        ingest_run(tmp_path / "folder", tmp_path / "no", layout="in-place")


def test_impossible_options_are_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="must be 1 or more"):
        shard(ShardConfig(dataset=tiny_dataset, out=tmp_path / "x", photos_per_shard=0))
