"""Which crops and texts a step sees: a pure function of the step."""

from __future__ import annotations

import contextlib
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lift.console import note
from lift.data import BadImage, Dataset, ShardPixels
from lift.data.sampling import TextTable, random_crop, shard_groups, windowed_order
from lift.errors import LiftError
from lift.training.captions import Epochs, Runs
from lift.training.config import TrainConfig
from lift.training.features import Features
from lift.training.negatives import NegativeTable

UNREADABLE = "unreadable.jsonl"  # in the RUN: photos of shards that others had to stand in for
IN_A_ROW = 16  # unreadable neighbours that end a run,
SHARE, FEW = 0.01, 10  # or such a share of all, but a few at least


class Batch(NamedTuple):
    """What one step sees: crops (B, 3, S, S) in 0..1, the number of each photo's text (B,).

    With many processes the crops are those of one process's rows, texts and negatives those of all.

    And with hard negatives the numbers (B, K) of the texts that are false of each photo, -1 for none.
    """

    images: Tensor
    texts: np.ndarray
    negatives: np.ndarray | None = None
    agreed: bool = True  # whether all processes know the same texts: each finds its own unreadable photos


class Wanted(NamedTuple):
    """The rows (b,) that a step needs, and the shards that will be needed soon: all that a worker is told."""

    step: int
    rows: np.ndarray
    shards: tuple[int, ...]


class Seen(NamedTuple):
    """What a worker gives back: images, the rows they show, and the photos that could not be read, with the reason."""

    step: int
    images: Tensor
    rows: np.ndarray
    unreadable: tuple[tuple[str, str], ...]


class Epoch(NamedTuple):
    """The order of an epoch, text number and negatives of each row, the groups of shards and where each ends."""

    order: np.ndarray
    texts: np.ndarray
    negatives: np.ndarray | None
    groups: list[np.ndarray]
    ends: np.ndarray


class BatchMaker:
    """A pure function from the step to its batch: resuming needs no more than the number of the step.

    `wanted` and `complete` look into the tables of texts and stay in the process that trains; `look` reads and crops
    photos, and may be called in any process.
    """

    def __init__(
        self,
        dataset: Dataset,
        numbers: np.ndarray,
        table: TextTable,
        config: TrainConfig,
        features: Features | None = None,
        negatives: NegativeTable | None = None,
        runs: Runs | None = None,
        mine: slice | None = None,
    ) -> None:
        """`runs`: sentences of the texts. `mine`: make the images of these rows of each batch only, as in the whole."""
        self.dataset, self.numbers, self.config = dataset, numbers, config
        self.features, self.tables = features, Epochs(config, table, negatives, runs or [])
        self.size = config.batch_size or 0
        self.per_epoch = len(numbers) // self.size
        self.mine = mine or slice(0, self.size)
        self.unreadable: dict[str, str] = {}
        self._epochs: OrderedDict[int, Epoch] = OrderedDict()
        pixels = dataset.pixels
        self._shards = pixels if isinstance(pixels, ShardPixels) and features is None else None
        if self._shards is not None:
            self._shard_of = np.ascontiguousarray(self._shards.members[:, 0])[numbers]
            self._known = np.unique(self._shard_of)
            check_cache(self._shards, config.shuffle_shards, self._known)
            self.unreadable = unreadable_photos(config.out)

    def __call__(self, step: int) -> Batch:
        return self.complete(self.look(self.wanted(step)))

    def wanted(self, step: int) -> Wanted:
        """The rows of a step, and the shards of the group it reads and of the next one."""
        number, position = divmod(step, self.per_epoch)
        epoch = self.epoch(number)
        start = position * self.size
        rows = epoch.order[start : start + self.size][self.mine]
        if not epoch.groups:
            return Wanted(step, rows, ())
        at = int(np.searchsorted(epoch.ends, start, "right"))
        groups = epoch.groups[at : at + 2]
        if len(groups) < 2:
            groups = [*groups, shard_groups(self.config.seed, number + 1, self._known, self.window)[0]]
        return Wanted(step, rows, tuple(int(shard) for group in groups for shard in group))

    def look(self, wanted: Wanted) -> Seen:
        """Read and crop the photos of a step; or look up their vectors (b, W) of a frozen body."""
        if self.features is not None:
            return Seen(wanted.step, self.features.rows(self.numbers[wanted.rows]), wanted.rows, ())
        rows, unreadable = wanted.rows, []
        if self._shards is None:
            pixels = self.dataset.pixels[self.numbers[rows]]
        else:
            self._shards.prefetch(wanted.shards)
            rows = rows.copy()
            pixels = np.empty((len(rows), *self._shards.shape[1:]), np.uint8)
            for place in range(len(rows)):
                rows[place], pixels[place], failed = self._readable(self._shards, int(rows[place]))
                unreadable += failed
        images = random_crop(
            torch.from_numpy(pixels),
            self.config.seed,
            wanted.step,
            scale=(self.config.min_crop or 1.0, 1.0),
            flip=self.config.flip,
            first=self.mine.start,
            total=self.size,
        )
        return Seen(wanted.step, images, rows, tuple(unreadable))

    def complete(self, seen: Seen) -> Batch:
        """The batch with its texts, on the device; photos that could not be read are counted and told."""
        for key, reason in seen.unreadable:
            self._tell(key, reason)
        number, position = divmod(seen.step, self.per_epoch)
        epoch = self.epoch(number)
        rows = epoch.order[position * self.size : (position + 1) * self.size].copy()
        rows[self.mine] = seen.rows  # what stands in for unreadable photos brings its own text
        images = seen.images.to(self.config.device, non_blocking=seen.images.is_pinned())
        false = None if epoch.negatives is None else epoch.negatives[rows]
        return Batch(images, epoch.texts[rows], false, agreed=self._shards is None)

    def listed(self, step: int) -> list[tuple[str, int, np.ndarray]]:
        """Key, number of the text and numbers of the negatives of each photo of the whole batch, for a person."""
        number, position = divmod(step, self.per_epoch)
        epoch = self.epoch(number)
        rows = epoch.order[position * self.size : (position + 1) * self.size]
        if self._shards is not None and (lost := unreadable_photos(self.config.out)):
            rows = np.array([self._stand_in(int(row), lost) for row in rows])
        none = np.empty(0, np.int64)
        false = [none if epoch.negatives is None else epoch.negatives[row] for row in rows]
        keys = [self.dataset.rows[number].key for number in self.numbers[rows]]
        return [
            (key, int(epoch.texts[row]), own[own >= 0])
            for key, row, own in zip(keys, rows, false, strict=True)
        ]

    @property
    def window(self) -> int:
        """Shards whose photos are mixed."""
        return self.config.shuffle_shards

    def epoch(self, number: int) -> Epoch:
        """The tables of an epoch; two are kept, since batches are made ahead."""
        if number not in self._epochs:
            order, texts, own = self.tables.make(number)
            groups: list[np.ndarray] = []
            ends = np.empty(0)
            if self._shards is not None:
                order, groups, ends = windowed_order(self.config.seed, number, self._shard_of, self.window)
            self._epochs[number] = Epoch(order, texts, own, groups, ends)
            if len(self._epochs) > 2:
                self._epochs.popitem(last=False)
        return self._epochs[number]

    def _readable(self, shards: ShardPixels, row: int) -> tuple[int, np.ndarray, list[tuple[str, str]]]:
        """The row itself, or the next training photo that can be read, its pixels, and those that could not."""
        failed: list[tuple[str, str]] = []
        while True:
            number = int(self.numbers[row])
            try:
                return row, shards.read(number), failed
            except BadImage as error:
                failed.append((self.dataset.rows[number].key, error.reason))
                if len(failed) >= min(IN_A_ROW, len(self.numbers)):
                    raise shards.unreadable(number, error) from error
            row = (row + 1) % len(self.numbers)

    def _stand_in(self, row: int, lost: dict[str, str]) -> int:
        """The row that was seen in place of `row`: what `_readable` found, told from the photos that are known lost."""
        for _ in range(len(self.numbers)):
            if self.dataset.rows[int(self.numbers[row])].key not in lost:
                break
            row = (row + 1) % len(self.numbers)
        return row

    def _tell(self, key: str, reason: str) -> None:
        if key in self.unreadable:
            return
        self.unreadable[key] = reason
        note(f"photo {key} cannot be read ({reason}): another stands in for it")
        if self.config.dry_run:  # writes nothing
            return
        with (self.config.out / UNREADABLE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "reason": reason}, ensure_ascii=False) + "\n")
        if len(self.unreadable) > max(FEW, SHARE * len(self.numbers)):
            raise LiftError(
                f"{len(self.unreadable):,} of {len(self.numbers):,} training photos cannot be read any more",
                f"see {self.config.out / UNREADABLE}, bring the shards back from a copy, and run the command again",
            )


batch_maker = BatchMaker


def unreadable_photos(run: Path) -> dict[str, str]:
    """Key and reason of every photo that others had to stand in for, once each: several processes may have met it."""
    file, found = run / UNREADABLE, {}
    for line in file.read_text("utf-8").splitlines() if file.is_file() else ():
        with contextlib.suppress(json.JSONDecodeError):  # the line a kill cut in two
            entry = json.loads(line)
            found[entry["key"]] = entry["reason"]
    return found


def check_cache(pixels: ShardPixels, window: int, shards: np.ndarray) -> None:
    """LiftError when the cache cannot hold the shards that are mixed and those fetched ahead."""
    if not pixels.remote:
        return
    sizes = sorted((pixels.shards[number].bytes for number in shards), reverse=True)
    needed = sum(sizes[: 2 * window + 1])
    if needed > pixels.cache.most_bytes:
        raise LiftError(
            f"{min(window, len(sizes))} shards being mixed and as many fetched ahead take {needed / 1e9:.3f} GB, "
            f"more than the cache of {pixels.cache.most_bytes / 1e9:.3f} GB",
            f"give --cache-gb {needed / 1e9 + 0.001:.3f} or more, or a smaller --shuffle-shards",
        )


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
