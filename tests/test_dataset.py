"""DATASET folders: what is written is what is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lift.artefact import new_folder
from lift.data import Dataset, DatasetWriter, Pair, Row
from lift.data.dataset import distinct_texts
from lift.errors import LiftError


def write(out: Path) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name="three", image_size=8, resize_mode="squash")
        writer.add(pixels[0], Row("a", ["one", "two"], "train", ["a long one"], "cat", "a.jpg"))
        writer.add(pixels[1], Row("写真", ["two"], "val"))
        writer.add(pixels[2], Row("c", [], "train"))
        writer.add_pair(Pair("a", "one", "none", "negation", "train"))
        writer.close(request={"x": 1}, report={"counts": {}}, source="here")
    return pixels


def test_round_trip(tmp_path: Path) -> None:
    pixels = write(tmp_path / "d")
    dataset = Dataset(tmp_path / "d")
    assert np.array_equal(dataset.pixels, pixels)
    assert dataset.rows[0] == Row("a", ["one", "two"], "train", ["a long one"], "cat", "a.jpg")
    assert dataset.pairs == [Pair("a", "one", "none", "negation", "train", "short")]
    assert dataset.split("train").tolist() == [0, 2] and dataset.split("all").tolist() == [0, 1, 2]
    assert dataset.index_of["写真"] == 1 and distinct_texts(dataset.rows) == ["one", "two", "a long one"]
    assert dataset.manifest["splits"] == {"train": 2, "val": 1} and dataset.manifest["texts"] == 4
    with pytest.raises(LiftError, match=r"use one of: train \(2\), val \(1\), all"):
        dataset.split("test")


def test_equal_content_gives_the_equal_id(tmp_path: Path) -> None:
    write(tmp_path / "d")
    write(tmp_path / "e")
    assert Dataset(tmp_path / "d").id == Dataset(tmp_path / "e").id


def test_damage_is_found(tmp_path: Path) -> None:
    write(tmp_path / "d")
    Dataset(tmp_path / "d").check()
    with (tmp_path / "d" / "pixels.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\x00\x01\x02")
    with pytest.raises(LiftError, match=r"pixels\.npy has changed"):
        Dataset(tmp_path / "d").check()
    lines = (tmp_path / "d" / "rows.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "d" / "rows.jsonl").write_text("".join(lines[:2]), "utf-8")
    with pytest.raises(LiftError, match="2 rows for 3 photos"):
        Dataset(tmp_path / "d")


def test_the_writer_refuses_what_cannot_be_right(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, name="x", image_size=8, resize_mode="squash")
    good = np.zeros((8, 8, 3), np.uint8)
    writer.add(good, Row("a", ["x"], "train"))
    with pytest.raises(ValueError, match="added twice"):
        writer.add(good, Row("a", ["x"], "train"))
    with pytest.raises(ValueError, match="pixels must be uint8"):
        writer.add(good.astype(np.float32), Row("b", ["x"], "train"))
    with pytest.raises(ValueError, match="split must be"):
        writer.add(good, Row("b", ["x"], "dev"))
    with pytest.raises(ValueError, match="unknown photo"):
        writer.add_pair(Pair("b", "x", "y", "count", "train"))
