"""The vectors of a frozen body, computed once per photo and kept in a folder, so that only a head is left to train."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from lift.artefact import digest, sha256_file, write_bytes, write_json
from lift.console import note, progress_bar
from lift.data import Dataset
from lift.image import ImageEncoder
from lift.training.config import TrainConfig
from lift.training.cost import body_flops
from lift.training.optimisation import autocast

SHARD_ROWS, BATCH_ROWS = 1024, 64


class Features:
    """Vectors (W) of photos by row number of the DATASET, memory-mapped; what they cost."""

    def __init__(self, numbers: np.ndarray, shards: list[np.ndarray], seconds: float, flops: int) -> None:
        """`numbers`: the photos of the shards' rows, ascending."""
        self.numbers, self.shards, self.seconds, self.flops = numbers, shards, seconds, flops

    @property
    def cost(self) -> dict[str, Any]:
        """As it stands in run.json."""
        return {"photos": len(self.numbers), "seconds": round(self.seconds, 2), "flops": self.flops}

    def rows(self, numbers: np.ndarray) -> Tensor:
        """Vectors float32 (n, W) of photos, in the order asked for."""
        places = np.searchsorted(self.numbers, numbers)
        out = np.empty((len(numbers), self.shards[0].shape[1]), np.float32)
        for shard in np.unique(places // SHARD_ROWS):
            mine = places // SHARD_ROWS == shard
            out[mine] = self.shards[shard][places[mine] % SHARD_ROWS]
        return torch.from_numpy(out)


def frozen_body(config: TrainConfig) -> bool:
    """Whether the body gives the same vectors in every step, so that they are computed once and kept."""
    return config.tune in ("head", "ridge") and config.min_crop == 1.0 and not config.flip


def keep_features(
    encoder: ImageEncoder, dataset: Dataset, numbers: np.ndarray, config: TrainConfig
) -> Features | None:
    """The body's vectors of the photos `numbers` (any order); None where they change with the step.

    They stay the same when the body is frozen and every photo is seen whole. Finished shards survive a kill, and
    damaged ones are computed again; the folder's name is a hash of all that decides the vectors.
    """
    if not frozen_body(config):
        return None
    numbers = np.unique(numbers)
    key = features_key(encoder, dataset, numbers, config)
    folder = (config.features or config.out / "features") / key
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # several runs may share the folder; a kill lets go
        files, seconds = finished_shards(folder, encoder, dataset, numbers, config)
    shards = [np.load(file, mmap_mode="r") for file in files]
    return Features(numbers, shards, seconds, body_flops(encoder, len(numbers)))


def finished_shards(
    folder: Path, encoder: ImageEncoder, dataset: Dataset, numbers: np.ndarray, config: TrainConfig
) -> tuple[list[Path], float]:
    """The shards' files, computed where they lack, and the seconds that all of them took."""
    count = -(-len(numbers) // SHARD_ROWS)
    files = [folder / f"features-{number:05d}.npy" for number in range(count)]
    seconds = 0.0
    bar_of = progress_bar("frozen backbone over all photos", len(numbers))
    with kept_threads(folder / "threads.json"), bar_of as bar:
        for number, file in enumerate(files):
            part = numbers[number * SHARD_ROWS : (number + 1) * SHARD_ROWS]
            known = read_side(file)
            if known is None:
                known = write_shard(file, encoder, dataset, part, config)
            seconds += known["seconds"]
            bar.advance(len(part))
    return files, seconds


def features_key(encoder: ImageEncoder, dataset: Dataset, numbers: np.ndarray, config: TrainConfig) -> str:
    """Hash of what decides the vectors: the body's weights and form, the photos, the number format."""
    total = hashlib.sha256()
    for name, value in encoder.state_dict().items():
        if not name.startswith("head."):
            total.update(f"{name} {tuple(value.shape)};".encode())
            total.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    settings = {k: v for k, v in encoder.settings.items() if k not in ("dim", "head")}
    if "source" in settings["shape"]:  # a moved folder gives the same vectors
        settings = settings | {"shape": settings["shape"] | {"source": ""}}
    photos = hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()
    kind = config.device.split(":")[0]
    return digest([total.hexdigest(), settings, dataset.id, photos, config.precision, kind])


@contextmanager
def kept_threads(file: Path) -> Iterator[None]:
    """The number of threads that the first shards were computed with, which decides the last digits, inside the block.

    The training that follows has its own again: the folder may have been made by another run.
    """
    threads = torch.get_num_threads()
    if not file.is_file():
        write_json(file, {"threads": threads})
    known = int(json.loads(file.read_text(encoding="utf-8"))["threads"])
    if known != threads:
        note(f"frozen backbone: {known} threads, as before; another number would give other last digits")
        torch.set_num_threads(known)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def read_side(file: Path) -> dict[str, Any] | None:
    """What stands beside a finished, undamaged shard; None otherwise."""
    side = file.with_suffix(".json")
    if not (side.is_file() and file.is_file()):
        return None
    known = json.loads(side.read_text(encoding="utf-8"))
    return known if known["sha256"] == sha256_file(file) else None


@torch.inference_mode()
def write_shard(
    file: Path, encoder: ImageEncoder, dataset: Dataset, numbers: np.ndarray, config: TrainConfig
) -> dict[str, Any]:
    """Compute and write one shard; the small file that declares it finished comes last."""
    began = time.perf_counter()
    parts = []
    for start in range(0, len(numbers), BATCH_ROWS):
        pixels = torch.from_numpy(dataset.pixels[numbers[start : start + BATCH_ROWS]]).to(config.device)
        with autocast(config):
            pooled = encoder.pooled(pixels.permute(0, 3, 1, 2).float().div_(255))
        parts.append(pooled.float().cpu().numpy())
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate(parts))
    write_bytes(file, buffer.getvalue())
    side = {"sha256": sha256_file(file), "seconds": time.perf_counter() - began}
    write_json(file.with_suffix(".json"), side)
    return side
