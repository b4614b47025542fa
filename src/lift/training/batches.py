"""Which crops and texts a step sees: a pure function of the step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lift.data import Dataset
from lift.data.sampling import TextTable, random_crop
from lift.training.captions import Epochs, Runs
from lift.training.config import TrainConfig
from lift.training.features import Features
from lift.training.negatives import NegativeTable


class Batch(NamedTuple):
    """What one step sees: crops (B, 3, S, S) in 0..1, the number of each photo's text (B,).

    With many processes the crops are those of one process's rows, texts and negatives those of all.

    And with hard negatives the numbers (B, K) of the texts that are false of each photo, -1 for none.
    """

    images: Tensor
    texts: np.ndarray
    negatives: np.ndarray | None = None


def batch_maker(
    dataset: Dataset,
    numbers: np.ndarray,
    table: TextTable,
    config: TrainConfig,
    features: Features | None = None,
    negatives: NegativeTable | None = None,
    runs: Runs | None = None,
    mine: slice | None = None,
) -> Callable[[int], Batch]:
    """A pure function from the step to its batch: resuming needs no more than the number of the step.

    With `features` a batch holds the frozen body's vectors (B, W) in place of crops. `runs`: sentences of the texts.
    `mine`: rows of each batch that this process computes; the crops are those of the whole batch.
    """
    size = config.batch_size or 0
    per_epoch = len(numbers) // size
    epochs = Epochs(config, table, negatives, runs or [])
    order: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray | None]] = {}

    def make(step: int) -> Batch:
        epoch, position = divmod(step, per_epoch)
        if epoch not in order:
            order.clear()
            order[epoch] = epochs.make(epoch)
        permutation, texts, own = order[epoch]
        rows = permutation[position * size : (position + 1) * size]
        false = None if own is None else own[rows]
        photos = numbers[rows if mine is None else rows[mine]]
        if features is not None:
            return Batch(features.rows(photos).to(config.device), texts[rows], false)
        images = random_crop(
            torch.from_numpy(dataset.pixels[photos]),
            config.seed,
            step,
            scale=(config.min_crop or 1.0, 1.0),
            flip=config.flip,
            rows=mine,
            total=size,
        )
        return Batch(images.to(config.device), texts[rows], false)

    return make


def ahead(make: Callable[[int], Batch], steps: range, device: str) -> Iterator[Batch]:
    """The batches of `steps` in order; for an accelerator the next one is made while this one is computed.

    Not on a CPU: a second thread there only takes the cores away from the step (0.79 of the bare loop's speed
    instead of more than 0.9, see benchmarks/training_speed.py).
    """
    if device == "cpu":
        yield from map(make, steps)
        return
    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(make, step) for step in steps[:1])
        for step in steps:
            if step + 1 in steps:
                coming.append(pool.submit(make, step + 1))
            yield coming.popleft().result()
