"""The built-in data set: drawn scenes with short captions, long captions and typed hard negatives.

A Scene is drawn by lot as data; its picture, its captions and its false texts are pure functions of it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lift import artefact, console
from lift.data import Dataset, DatasetWriter, Pair, Row
from lift.errors import LiftError
from lift.scenes.captions import long_captions, short_captions, short_statements
from lift.scenes.drawing import draw
from lift.scenes.layout import sample_scene
from lift.scenes.pairs import PAIR_KINDS, StatementPair, statement_pairs
from lift.scenes.scene import Scene
from lift.scenes.statements import Statement, is_true

__all__ = [
    "PAIR_KINDS",
    "Scene",
    "ScenesConfig",
    "Statement",
    "StatementPair",
    "caption_truth",
    "draw",
    "is_true",
    "long_captions",
    "make_picture",
    "sample_scene",
    "scenes",
    "short_captions",
    "statement_pairs",
]  # fmt: skip

EDITION = 1  # raise it when equal settings no longer give equal pictures or texts
CHUNK = 100  # pictures that a process makes at a time
SMALLEST = 16  # pixels; below, nothing can be told apart


@dataclass(frozen=True)
class ScenesConfig:
    """Make the built-in data set: drawn scenes with short and long captions and typed hard negatives."""

    out: Path
    """Folder of the DATASET to make."""
    images: int = 4000
    """Number of pictures, those for validation included."""
    size: int = 64
    """Width and height of a picture in pixels."""
    seed: int = 0
    """Another seed gives other pictures; equal seeds give equal bytes."""
    val_fraction: float = 0.1
    """Share of the pictures that is kept for validation."""
    workers: int = 1
    """Processes that draw at the same time; the result is the same for any number."""
    overwrite: bool = False
    """Replace what is in the folder already."""


class Picture(NamedTuple):
    """One finished picture: uint8 (size, size, 3) pixels, its row, its pairs."""

    pixels: np.ndarray
    row: Row
    pairs: list[Pair]


def make_picture(config: ScenesConfig, number: int) -> Picture:
    """Picture `number` with its texts; depends on seed, size and val_fraction only."""
    scene = sample_scene(config.seed, number)
    key = f"scene-{number:06d}"
    split = "val" if int((number + 1) * config.val_fraction) > int(number * config.val_fraction) else "train"
    row = Row(key, short_captions(scene), split, long_captions(scene))
    pairs = [Pair(key, *pair.texts, pair.kind, split, pair.length) for pair in statement_pairs(scene)]
    return Picture(draw(scene, config.size), row, pairs)


def scenes(config: ScenesConfig) -> Dataset:
    """Write the DATASET of drawn scenes to `config.out` and open it; skipped when it is there already."""
    _check(config)
    request = {
        "verb": "scenes",
        "edition": EDITION,
        "images": config.images,
        "size": config.size,
        "seed": config.seed,
        "val_fraction": config.val_fraction,
    }
    if artefact.already_done(config.out, "dataset", request, config.overwrite):
        console.say(f"{config.out}: already done")
        return Dataset(config.out)
    counts: dict[str, int] = dict.fromkeys(PAIR_KINDS, 0)
    with artefact.new_folder(config.out) as folder, _pictures(config) as pictures:
        writer = DatasetWriter(folder, name="scenes", image_size=config.size, resize_mode="squash")
        for picture in console.track(pictures, "drawing scenes", config.images):
            writer.add(picture.pixels, picture.row)
            for pair in picture.pairs:
                writer.add_pair(pair)
                counts[pair.kind] += 1
        report = {"images": config.images, "set_aside": [], "pairs": counts}
        writer.close(request=request, report=report, source=f"drawn by lift scenes, seed {config.seed}")
    dataset = Dataset(config.out)
    splits = ", ".join(f"{count} {split}" for split, count in dataset.manifest["splits"].items())
    console.say(f"{config.out}: {len(dataset)} pictures ({splits}), {dataset.manifest['texts']} captions")
    console.show_table("hard negatives", ("kind", "pairs"), counts.items())
    return dataset


def caption_truth(dataset: Dataset, told: np.ndarray, shown: np.ndarray) -> dict[str, np.ndarray] | None:
    """For each short caption of the pictures `told`: of which of the pictures `shown` it is true, bool (shown,).

    None unless the DATASET was drawn by this edition of `lift scenes`, for then nobody knows. Where people could
    disagree ("a ball" before two balls) a caption does not count as true.
    """
    request = dataset.manifest["request"]
    if request.get("verb") != "scenes" or request.get("edition") != EDITION:
        return None
    scene_of = {int(number): sample_scene(request["seed"], int(number)) for number in {*told, *shown}}
    claims = {text: claim for n in told for text, claim in short_statements(scene_of[int(n)]).items()}
    return {
        text: np.array([is_true(statement, scene_of[int(n)]) is True for n in shown])
        for text, statement in claims.items()
    }


def _check(config: ScenesConfig) -> None:
    if config.images < 1:
        raise LiftError(f"{config.images} pictures make no data set", "give --images 1 or more")
    if config.size < SMALLEST:
        raise LiftError(
            f"nothing can be told apart at {config.size} pixels", f"give --size {SMALLEST} or more"
        )
    if not 0 <= config.val_fraction <= 1:
        raise LiftError(f"{config.val_fraction} is not a share", "give --val-fraction between 0 and 1")
    if config.workers < 1:
        raise LiftError(f"{config.workers} processes draw nothing", "give --workers 1 or more")


@contextmanager
def _pictures(config: ScenesConfig) -> Iterator[Iterable[Picture]]:
    """All pictures in order, made here or by several processes."""
    if config.workers == 1:
        yield (make_picture(config, number) for number in range(config.images))
        return
    # A forked process would inherit the locks of torch's threads, which may be held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.workers, mp_context=context) as pool:
        parts = pool.map(_chunk, ((config, start) for start in range(0, config.images, CHUNK)))
        yield (picture for part in parts for picture in part)


def _chunk(job: tuple[ScenesConfig, int]) -> list[Picture]:
    config, start = job
    return [make_picture(config, number) for number in range(start, min(start + CHUNK, config.images))]
