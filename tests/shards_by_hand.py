"""A DATASET in shards and what a training run makes its batches with, small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift.data import Dataset, ShardCache
from lift.data.sampling import TextTable
from lift.place import Place
from lift.sharding import ShardConfig, shard
from lift.training import TrainConfig
from lift.training.batches import BatchMaker
from lift.training.resolving import resolve


def in_shards(source: Path | str, out: Path | str, **options: Any) -> Dataset:
    """The DATASET `source` in shards of seven photos."""
    return shard(ShardConfig(dataset=source, out=out, **{"photos_per_shard": 7} | options))


def maker(dataset: Dataset, out: Path, part: slice | None = None, **options: Any) -> BatchMaker:
    """Batches of eight of the training photos, crops and mirrors included; no two photos share the number of a text."""
    given = {"batch_size": 8, "min_crop": 0.5, "flip": True, "shuffle_shards": 2, "preset": "smoke"} | options
    config = resolve(TrainConfig(images=dataset.address, texts=Path(), out=out, **given))
    numbers = dataset.split("train")
    rows = [dataset.rows[n] for n in numbers]
    table = TextTable(rows, {text: 0 for row in rows for text in row.texts})
    table.flat = np.arange(len(table.flat))
    table.number_of = {str(number): number for number in table.flat}
    out.mkdir(parents=True, exist_ok=True)
    return BatchMaker(dataset, numbers, table, config, mine=part)


def damage(dataset: Dataset, number: int) -> None:
    """Flip a bit inside a photo of a local DATASET in shards."""
    place = Place(dataset.manifest.get("shards_at") or dataset.address)
    shard_number, offset = (int(value) for value in np.load(dataset.place.local / "members.npy")[number, :2])
    assert place.local is not None
    with (place.local / dataset.manifest["shards"][shard_number]["name"]).open("r+b") as file:
        file.seek(offset + 40)
        [old] = file.read(1)
        file.seek(offset + 40)
        file.write(bytes([old ^ 1]))


def remote(dataset: Path, url: str, cache: Path, gigabytes: float = 1.0, **options: Any) -> Dataset:
    """The same in object storage, with a cache of its own."""
    in_shards(dataset, url, **options)
    return Dataset(url, cache=ShardCache(cache, gigabytes))
