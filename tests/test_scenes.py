"""Drawn scenes: deterministic, varied, and with texts that are true and false as promised."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from lift.data import Dataset
from lift.errors import LiftError
from lift.scenes import (
    PAIR_KINDS,
    Scene,
    ScenesConfig,
    draw,
    scenes,
)
from lift.scenes.drawing import COLOUR_VALUES, painting_order
from lift.scenes.scene import (
    BACKGROUNDS,
    COLOURS,
    LIGHTS,
    RELATIONS,
    SIZES,
    relation_holds,
    true_relations,
)
from lift.scenes.silhouettes import KINDS, outline
from scenes_by_hand import group, sample


def read_folder(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_equal_settings_give_equal_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    for name, workers in (("a", 1), ("b", 1), ("c", 2)):
        scenes(ScenesConfig(tmp_path / name / "set", images=130, size=32, seed=4, workers=workers))
    first, second, third = (read_folder(tmp_path / name / "set") for name in "abc")
    assert first == second == third
    assert set(first) == {"dataset.json", "rows.jsonl", "pixels.npy", "pairs.jsonl", "report.json"}


def test_a_picture_depends_on_its_number_not_on_how_many_there_are(tmp_path: Path) -> None:
    few = scenes(ScenesConfig(tmp_path / "few", images=5, size=32))
    more = scenes(ScenesConfig(tmp_path / "more", images=9, size=32))
    assert few.rows == more.rows[:5]
    assert np.array_equal(few.pixels, more.pixels[:5])
    other = scenes(ScenesConfig(tmp_path / "other", images=5, size=32, seed=1))
    assert other.rows != few.rows


def test_the_dataset_is_complete(tmp_path: Path) -> None:
    dataset = scenes(ScenesConfig(tmp_path / "set", images=40, size=48, val_fraction=0.1))
    dataset.check()
    assert dataset.pixels.shape == (40, 48, 48, 3)
    assert dataset.rows[12].key == "scene-000012"
    assert [n for n, row in enumerate(dataset.rows) if row.split == "val"] == [9, 19, 29, 39]
    for row in dataset.rows:
        assert len(set(row.captions)) == 3
        assert 1 <= len(row.long_captions) <= 2
    for pair in dataset.pairs:
        assert pair.split == dataset.rows[dataset.index_of[pair.image]].split
        assert pair.kind in PAIR_KINDS
        assert pair.length in ("short", "long")
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert sum(report["pairs"].values()) == len(dataset.pairs) == dataset.manifest["pairs"]


def test_done_work_is_skipped_and_other_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ScenesConfig(tmp_path / "set", images=3, size=32)
    scenes(config)
    before = (tmp_path / "set" / "dataset.json").stat().st_mtime_ns
    assert isinstance(scenes(config), Dataset)
    assert "already done" in capsys.readouterr().out
    assert (tmp_path / "set" / "dataset.json").stat().st_mtime_ns == before
    with pytest.raises(LiftError, match="other settings"):
        scenes(ScenesConfig(tmp_path / "set", images=4, size=32))
    assert len(scenes(ScenesConfig(tmp_path / "set", images=4, size=32, overwrite=True))) == 4


@pytest.mark.parametrize("wrong", [{"images": 0}, {"size": 4}, {"val_fraction": 1.5}, {"workers": 0}])
def test_senseless_settings_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(LiftError):
        scenes(ScenesConfig(tmp_path / "set", **wrong))  # type: ignore[arg-type]
    assert not (tmp_path / "set").exists()


def test_nothing_is_in_two_opposite_relations_and_slanting_ones_stay_open() -> None:
    slanting = Scene(
        (group("ball", "red", "small", (0.2, 0.2)), group("cup", "blue", "small", (0.7, 0.3))),
        None,
        "sky",
        "dim",
        1,
    )
    assert relation_holds(slanting, 0, "left of", 1) is True
    assert relation_holds(slanting, 0, "above", 1) is None
    opposite = {"left of": "right of", "above": "below", "in front of": "behind"}
    for scene in sample()[:300]:
        for first, relation, second in true_relations(scene):
            assert relation_holds(scene, second, relation, first) is False
            if relation in opposite:
                assert relation_holds(scene, second, opposite[relation], first) is True


def test_things_overlap_only_where_the_scene_says_so() -> None:
    for scene in sample()[:400]:
        masks = []
        for one in scene.groups:
            mask = np.zeros((64, 64), bool)
            for place in one.places:
                width = round(place.width * 64)
                left, top = round(place.x * 64 - width / 2), round(place.y * 64 - width / 2)
                assert min(left, top) >= 0 and max(left, top) + width <= 64
                part = mask[top : top + width, left : left + width]
                shape = outline(one.thing.kind, width, place.tilt, place.mirrored)
                assert not (part & shape).any()
                part |= shape
            masks.append(mask)
        for a, b in combinations(range(len(masks)), 2):
            common = int((masks[a] & masks[b]).sum())
            if scene.overlap in ((a, b), (b, a)):
                front, back = scene.overlap
                assert 0.1 < common / masks[back].sum() < 0.4
                assert painting_order(scene).index(front) > painting_order(scene).index(back)
            else:
                assert common == 0


def test_scenes_are_varied() -> None:
    things = [g.thing for scene in sample() for g in scene.groups]
    assert len(KINDS) >= 12 and {t.kind for t in things} == set(KINDS)
    assert len(COLOURS) == 10 and {t.colour for t in things} == set(COLOURS) == set(COLOUR_VALUES)
    assert {t.size for t in things} == set(SIZES) and len(SIZES) == 3
    assert {t.count for t in things} == {1, 2, 3, 4, 5}
    assert {r for scene in sample() for _, r, _ in true_relations(scene)} == set(RELATIONS) and len(
        RELATIONS
    ) >= 6
    assert {scene.background for scene in sample()} == set(BACKGROUNDS)
    assert {scene.light for scene in sample()} == set(LIGHTS)
    assert {len(scene.groups) for scene in sample()} == {1, 2, 3}


@pytest.mark.parametrize("colour", COLOURS)
def test_a_ball_has_its_colour(colour: str) -> None:
    scene = Scene((group("ball", colour, "large", (0.5, 0.5), width=0.45),), None, "wall", "bright", 5)
    shown = draw(scene)[30:36, 30:36].reshape(-1, 3).astype(float).mean(axis=0)
    distances = {name: np.abs(shown - value).sum() for name, value in COLOUR_VALUES.items()}
    assert min(distances, key=distances.__getitem__) == colour


def test_a_red_ball_is_reddish_and_dim_light_is_darker() -> None:
    ball = (group("ball", "red", "large", (0.5, 0.5), width=0.45),)
    red, green, blue = map(int, draw(Scene(ball, None, "wall", "bright", 5))[32, 32])
    assert red > 150 and max(green, blue) < 100
    assert (
        draw(Scene(ball, None, "wall", "dim", 5)).mean()
        < 0.8 * draw(Scene(ball, None, "wall", "bright", 5)).mean()
    )
    lit = draw(Scene(ball, None, "wall", "left", 5)).astype(float)
    assert lit[:, :16].mean() > lit[:, 48:].mean() + 40


@pytest.mark.parametrize("size", [24, 64, 112])
def test_pictures_come_in_any_size(size: int) -> None:
    picture = draw(sample()[0], size)
    assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
    assert np.array_equal(picture, draw(sample()[0], size))
