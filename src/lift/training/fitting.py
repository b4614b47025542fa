"""Whether a training fits into this machine: memory and disk by part, refused before time is spent."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import torch

from lift.console import note
from lift.data import Dataset, Row
from lift.data.dataset import distinct_texts
from lift.errors import LiftError
from lift.losses import LOSSES
from lift.store import EmbeddingStore
from lift.text import WordBag
from lift.training.config import TrainConfig
from lift.training.features import frozen_body
from lift.training.footprint import (
    SAMPLE,
    VOCABULARY,
    bytes_of,
    empty_encoder,
    image_bytes,
    loss_bytes,
    text_bytes,
)
from lift.training.towers import tower_shape
from lift.training.validation import seen_photos

FLOAT = 4
GROWING = ("activations", "passing tensors", "allocator", "loss", "batch")  # parts that grow with the batch
#: glibc does not give all that is freed back to the system: a step of vit-mini-conv (200 photos, fp32) takes 445 MB
#: when every large tensor is mapped by itself, but 638 MB as it is; three other steps took 1.23 to 1.31 times their
#: tensors.
SLACK = 0.3

Bytes = dict[str, int]  # by part


def memory_of(
    config: TrainConfig,
    dataset: Dataset,
    store: EmbeddingStore,
    numbers: np.ndarray,
    more: Sequence[str] = (),
    processes: int = 1,
) -> Bytes:
    """Memory of a step by part, beside what the process has taken before it; of one of `processes`.

    numbers: the training photos. more: texts of hard negatives and sentences. The peak is at the end of the forward
    pass, when the gradients of the step before are still there: weights, gradients, both moments of AdamW and all that
    is kept for the way back stand side by side. On the way back activations go as gradients come; what passes through
    then is told from the largest tensor.
    """
    rows = [dataset.rows[n] for n in numbers]
    batch, size, dim = config.batch_size or 0, dataset.image_size, dim_of(config, rows, store)
    share = -(-batch // processes)
    part = -(-share // config.accumulate)  # what an encoder computes at once
    if config.tune == "ridge":
        return memory_of_ridge(config, dataset, store, numbers)
    sides = [image_bytes(of_encoder(config), size, dim, part)]
    learns = config.method in ("clip", "lit")
    if learns:
        sides.append(text_bytes(config, rows, dim, part))
    weights, learnt, activations, largest = (sum(side[n] for side in sides) for n in range(4))
    own = config.hard_negatives + config.neighbours
    width = tower_shape(config).width
    photos = share * FLOAT * (width if frozen_body(config) else 3 * size * size)
    ahead = 1 if config.device == "cpu" else 2  # an accelerator has the next one at hand
    texts = len({*distinct_texts(rows), *more}) if config.method == "lift" else 0
    met = batch if LOSSES[config.loss].knows_negatives else part  # rows that the loss takes at once
    weighed = config.hard_negatives if config.hard_weight else 0
    loss = loss_bytes(config.loss, config.cosine_weight, met, dim, own, config.mask_similar, learns, weighed)
    slack = SLACK if config.device == "cpu" else 0
    return {
        "weights": weights,
        "gradients": learnt,
        "AdamW's moments": 2 * learnt,
        "averaged weights": 2 * learnt
        if config.ema is not None
        else 0,  # and a copy while validation looks at them
        "activations": activations,
        "passing tensors": 2 * largest,
        "allocator": round(slack * (activations + 2 * largest + loss)),
        "loss": loss,
        "batch": ahead * photos + met * (1 + own) * dim * FLOAT,
        "text vectors": texts * dim * FLOAT,
    }


def dim_of(config: TrainConfig, rows: Sequence[Row], store: EmbeddingStore) -> int:
    """Numbers of a vector that the loss compares; of words as many as there are in a sample of the texts, or more."""
    if config.method == "words":
        texts = distinct_texts(rows)
        sample = texts[:: -(-len(texts) // SAMPLE)]
        return WordBag.fit(sample).dim if len(sample) == len(texts) else VOCABULARY
    if config.method == "lit" and config.head == "none":
        return tower_shape(config).width
    return store.dim


def memory_of_ridge(
    config: TrainConfig, dataset: Dataset, store: EmbeddingStore, numbers: np.ndarray
) -> Bytes:
    """Of a map in closed form: all vectors of both sides at once, as they are and in float64."""
    encoder = empty_encoder(config, dataset.image_size, store.dim, "meta")
    pairs = len(numbers) * (encoder.shape.width + store.dim)
    return {"weights": bytes_of(list(encoder.parameters())), "vectors": 3 * FLOAT * pairs}


def of_encoder(config: TrainConfig) -> TrainConfig:
    """What of the configuration decides the image side of a step: so that equal sides are measured once."""
    chosen = {
        name: getattr(config, name)
        for name in (
            "image_encoder",
            "image_pooling",
            "head",
            "tune",
            "precision",
            "device",
            "min_crop",
            "flip",
            "checkpointing",
        )
    }
    return replace(TrainConfig(images=Path(), texts="", out=Path()), **chosen)


def disk_of(config: TrainConfig, dataset: Dataset, numbers: np.ndarray, memory: Bytes) -> Bytes:
    """Disk that the RUN takes at most, by part. A new resume state is written before the old one goes."""
    learnt = memory.get("gradients", 0)
    average = learnt if config.ema is not None else 0
    width = tower_shape(config).width
    photos = len(seen_photos(dataset, numbers, config)) if frozen_body(config) else 0
    return {
        "checkpoint": memory["weights"],
        "resume state, twice while it is renewed": 2 * (3 * learnt + average),
        "vectors of the frozen body": photos * width * FLOAT,
    }


def available_memory(device: str) -> int | None:
    """Bytes that can still be taken: of the machine and of the container's limit on a CPU; None where nobody tells."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device != "cpu":
        return None
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        free = min(free, limit - int(used["anon"]))
    return free


def check_start(
    config: TrainConfig,
    dataset: Dataset,
    store: EmbeddingStore,
    numbers: np.ndarray,
    more: Sequence[str],
    processes: int = 1,
) -> None:
    """LiftError before a training begins, or --overwrite deletes anything, that will not fit."""
    if config.overwrite or not (config.out / "run.json").is_file():  # a finished one needs nothing more
        memory = memory_of(config, dataset, store, numbers, more, processes)
        check_fits(config, memory, disk_of(config, dataset, numbers, memory))


def check_fits(config: TrainConfig, memory: Bytes, disk: Bytes) -> None:
    """LiftError when memory or disk will not do; with --force they are only told."""
    free, needed = available_memory(config.device), sum(memory.values())
    if free is not None and needed > free:
        largest = max(memory, key=lambda part: memory[part])
        growing = sum(memory.get(part, 0) for part in GROWING)
        fits = int((config.batch_size or 0) * max(0, free - needed + growing) / max(growing, 1))
        smaller = f"--batch-size {fits} or less" if fits >= 2 else "a smaller --image-encoder"
        _refuse(
            config,
            f"a step needs about {gigabytes(needed)} of memory on {config.device} ({gigabytes(memory[largest])} for "
            f"{largest}), and {gigabytes(free)} are free",
            f"give {smaller}, --accumulate {2 * config.accumulate}, --tune head on a pre-trained backbone, or another "
            "--device",
        )
    place = next(folder for folder in (config.out, *config.out.resolve().parents) if folder.is_dir())
    free, needed = shutil.disk_usage(place).free, sum(disk.values())
    if needed > free:
        _refuse(
            config,
            f"{config.out} needs about {gigabytes(needed)} of disk, and {gigabytes(free)} are free",
            "free some space, or give another --out",
        )


def _refuse(config: TrainConfig, problem: str, remedy: str) -> None:
    if not config.force:
        raise LiftError(problem, f"{remedy}; --force begins all the same")
    note(f"{problem}; beginning all the same (--force)")


def gigabytes(count: float) -> str:
    """Bytes as MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
