"""How fast are batches made, against how fast steps use them up? Everything in turn in one process.

    python benchmarks/loader_speed.py --work /tmp/loader-speed

Each round takes every way of storing the photos with 0, 1 and 2 worker processes, and a bare training step (forward,
loss, backward, clip, update on pixels at hand) of each encoder. Without workers both are also measured in processor
time, which a machine shared with other work leaves alone. Writes benchmarks/results/loader_speed.json.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from lift.artefact import write_json
from lift.data import Dataset
from lift.data.sampling import TextTable
from lift.ingest import IngestConfig, ingest
from lift.scenes import ScenesConfig, scenes
from lift.sharding import ShardConfig, shard
from lift.training import TrainConfig
from lift.training.batches import BatchMaker
from lift.training.cost import machine, versions
from lift.training.resolving import resolve
from lift.training.workers import made_ahead
from training_speed import bare_loop

RESULTS = Path(__file__).parent / "results"
SIZE, LARGE, BATCH, CROP = 64, 256, 128, 0.8


@dataclass(frozen=True)
class LoaderSpeedConfig:
    """Samples per second of the loader against those of training steps."""

    work: Path = Path("loader-speed")
    """Folder for the data."""
    images: int = 2304
    """Drawn pictures; fewer of them are drawn at 256 px."""
    rounds: int = 5
    """Rounds, each of everything."""
    steps: int = 12
    """Batches of each way and round, after the first; a quarter as many training steps."""
    encoders: tuple[str, ...] = ("vit-micro-deep", "vit-micro-conv", "vit-mini-conv")
    """Encoders whose steps are measured."""
    workers: tuple[int, ...] = (0, 1, 2)
    """Numbers of worker processes."""


def stored(config: LoaderSpeedConfig) -> dict[str, Path]:
    """The same drawn pictures in every form, and larger JPEGs that are read in place."""
    work = config.work
    work.mkdir(parents=True, exist_ok=True)
    scenes(ScenesConfig(out=work / "pixels", images=config.images, size=SIZE, workers=2))
    found = {"pixels.npy": work / "pixels"}
    for kind in ("npy", "png", "jpeg"):
        found[f"shards, {kind}"] = work / kind
        shard(ShardConfig(work / "pixels", work / kind, photo_format=kind, photos_per_shard=256))
    scenes(ScenesConfig(out=work / "large", images=config.images // 3, size=LARGE, workers=2))
    shard(ShardConfig(work / "large", work / "large-jpeg", photo_format="jpeg", photos_per_shard=256))
    found[f"in place, JPEG of {LARGE} px"] = work / "placed"
    ingest(IngestConfig(work / "large-jpeg" / "shards", work / "placed", layout="in-place", size=SIZE))
    return found


def loading(dataset: Dataset, workers: int, steps: int, work: Path) -> tuple[float, float]:
    """Samples per second, and per second of this process's time, of batches taken as fast as they come.

    The first one, which starts the workers, is not counted.
    """
    numbers = dataset.split("train")
    rows = [dataset.rows[n] for n in numbers]
    table = TextTable(rows, {text: n for n, text in enumerate({text for row in rows for text in row.texts})})
    config = resolve(
        TrainConfig(images=dataset.address, texts=Path(), out=work, min_crop=CROP, batch_size=BATCH)
    )
    make = BatchMaker(dataset, np.array(numbers), table, config)
    count = 0
    with made_ahead(make, range(steps + 1), replace(config, workers=workers)) as coming:
        next(coming)
        began, busy = time.perf_counter(), time.process_time()
        for batch in coming:
            count += len(batch.images)
        return count / (time.perf_counter() - began), count / (time.process_time() - busy)


def stepping(run: TrainConfig, steps: int) -> tuple[float, float]:
    """Samples per second, and per second of processor time (a long loop less a short one), of bare training steps."""
    spent = []
    rate = 0.0
    for length in (1, steps + 1):
        busy = time.process_time()
        rate = bare_loop(run, SIZE, length)
        spent.append(time.process_time() - busy)
    return rate, steps * BATCH / (spent[1] - spent[0])


def main(config: LoaderSpeedConfig) -> None:
    """Measure in turn and write the JSON."""
    sets = {name: Dataset(folder) for name, folder in stored(config).items()}
    torch.use_deterministic_algorithms(True, warn_only=True)  # as in training
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(config.rounds + 1):
        now: dict[str, tuple[float, float]] = {}
        for encoder in config.encoders:
            run = TrainConfig(
                images=config.work, texts=Path(), out=config.work, image_encoder=encoder, batch_size=BATCH
            )
            now[encoder] = stepping(run, max(2, config.steps // 4))
        for name, dataset in sets.items():
            for workers in config.workers:
                now[f"{name} | {workers}"] = loading(dataset, workers, config.steps, config.work)
        print({name: [round(value) for value in both] for name, both in now.items()}, flush=True)
        if number:  # the first round warms up the files and the machine
            rounds.append(now)
            write(config, rounds)


def write(config: LoaderSpeedConfig, rounds: list[dict[str, tuple[float, float]]]) -> None:
    """The medians and ratios of the rounds so far."""
    ways: dict[str, Any] = {}
    for name in (name for name in rounds[0] if name not in config.encoders):
        ways[name] = {"samples_per_second": middle([now[name][0] for now in rounds])["median"]}
        kinds = {"over_steps": 0}
        if name.endswith("| 0"):  # what workers use is not this process's time
            kinds["over_steps_by_processor_time"] = 1
            ways[name]["samples_per_cpu_second"] = middle([now[name][1] for now in rounds])["median"]
        for kind, place in kinds.items():
            ways[name][kind] = {
                encoder: middle([now[name][place] / now[encoder][place] for now in rounds])
                for encoder in config.encoders
            }
    content = {
        "image_size": SIZE,
        "batch": BATCH,
        "smallest_crop": CROP,
        "rounds": len(rounds),
        "steps_samples_per_second": {
            name: middle([now[name][0] for now in rounds])["median"] for name in config.encoders
        },
        "steps_samples_per_cpu_second": {
            name: middle([now[name][1] for now in rounds])["median"] for name in config.encoders
        },
        "loader": ways,
        "machine": machine(),
        "versions": versions(),
    }
    write_json(RESULTS / "loader_speed.json", content)


def middle(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    median = statistics.median(values)
    return {"median": round(median, 2), "min": round(min(values), 2), "max": round(max(values), 2)}


if __name__ == "__main__":
    main(tyro.cli(LoaderSpeedConfig))
