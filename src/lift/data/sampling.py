"""Which photo, which caption and which crop at which step: pure functions of (seed, epoch, step).

Nothing here keeps state, so a run that is killed and resumed sees exactly what an undisturbed one sees, and LIFT
and CLIP trained with one seed see the same samples in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from lift.data.dataset import Row


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of `count` samples in an epoch: a permutation, int64 (count,)."""
    return np.random.default_rng([seed, epoch, 1]).permutation(count)


def batch_order(seed: int, epoch: int, lengths: np.ndarray, size: int, kind: str) -> np.ndarray:
    """The order of an epoch's samples, cut into batches of `size` by the caller: a permutation, int64 (count,).

    random: as `epoch_order`. by-length: batches of like `lengths` (any unit), in random order. balanced: the samples,
    sorted by length, are cut into `size` strata, and every batch gets one of each, so that all hold the same mix. What
    does not fill a batch stands at the end, the same samples for each kind. Equal lengths fall as the random order has
    them, and a batch's own order is random, so that parts of it are alike too.
    """
    order = epoch_order(seed, epoch, len(lengths))
    batches = len(order) // size
    if kind == "random" or not batches:
        return order
    lots = np.random.default_rng([seed, epoch, 6])
    used, rest = np.split(order, [batches * size])
    used = used[np.argsort(lengths[used], kind="stable")]
    if kind == "balanced":
        made = lots.permuted(used.reshape(size, batches), axis=1).T
    else:
        made = lots.permutation(used.reshape(batches, size))
    return np.concatenate([lots.permuted(made, axis=1).reshape(-1), rest])


def shard_groups(seed: int, epoch: int, shards: np.ndarray, window: int) -> list[np.ndarray]:
    """The shards in the order of an epoch, `window` of them at a time: their samples are mixed with one another."""
    order = np.random.default_rng([seed, epoch, 7]).permutation(len(shards))
    return [shards[order[start : start + window]] for start in range(0, len(shards), window)]


def windowed_order(
    seed: int, epoch: int, shard_of: np.ndarray, window: int
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The order of samples that lie in shards, int64 (n,), the groups of shards it goes through, and where each ends.

    A permutation: shards in random order, and inside each group of `window` shards all samples in random order. Only
    one group is read at a time, whatever the number of workers or ranks.
    """
    shards, position, counts = np.unique(shard_of, return_inverse=True, return_counts=True)
    groups = shard_groups(seed, epoch, np.arange(len(shards)), window)
    group_of = np.empty(len(shards), np.uint16 if len(groups) < 1 << 16 else np.int64)  # 16 bits sort fastest
    for number, group in enumerate(groups):
        group_of[group] = number
    mixed = np.random.default_rng([seed, epoch, 8]).permutation(len(shard_of))
    order = mixed[np.argsort(group_of[position[mixed]], kind="stable")]
    ends = np.cumsum([counts[group].sum() for group in groups])
    return order, [shards[group] for group in groups], ends


def caption_turn(seed: int, epoch: int, counts: np.ndarray) -> np.ndarray:
    """Which caption each row uses in `epoch`: int64, row i in 0..counts[i]-1.

    Every row starts at a random caption and goes through all of its captions before one returns.
    """
    start = np.random.default_rng([seed, 2]).integers(0, 1 << 30, size=len(counts))
    return (start + epoch) % counts


def mixed_turn(seed: int, epoch: int, short: np.ndarray, long: np.ndarray, share: float) -> np.ndarray:
    """Which text each row uses in `epoch`, of `short` short ones followed by `long` long ones: int64 (rows,).

    A row that has both uses a long one in `share` of its epochs, evenly spread, and goes through either kind in turn;
    a row that has one kind only uses it as `caption_turn` says.
    """
    lots = np.random.default_rng([seed, 2])
    start = lots.integers(0, 1 << 30, size=len(short))
    phase = lots.random(len(short))
    before, now = (np.floor(e * share + phase).astype(np.int64) for e in (epoch, epoch + 1))
    long_turn = short + (start + before) % np.maximum(long, 1)
    short_turn = (start + epoch - before) % np.maximum(short, 1)
    mixed = np.where(now > before, long_turn, short_turn)
    return np.where((short > 0) & (long > 0), mixed, (start + epoch) % (short + long))


class TextTable:
    """Texts of the rows by number: `ids` of row i are flat[starts[i] : starts[i] + counts[i]]."""

    def __init__(self, rows: Sequence[Row], number_of: dict[str, int]) -> None:
        """number_of: the number (row of a STORE, or of a token table) of each text."""
        self.number_of = number_of
        self.counts = np.array([len(row.texts) for row in rows], dtype=np.int64)
        self.short = np.array([len(row.captions) for row in rows], dtype=np.int64)
        self.starts = np.cumsum(self.counts) - self.counts
        self.flat = np.array([number_of[text] for row in rows for text in row.texts], dtype=np.int64)

    def places(self, seed: int, epoch: int, long_share: float | None = None) -> np.ndarray:
        """Where in `flat` the text stands that each row uses in `epoch`: int64 (rows,)."""
        if long_share is None:
            return self.starts + caption_turn(seed, epoch, self.counts)
        return self.starts + mixed_turn(seed, epoch, self.short, self.counts - self.short, long_share)

    def of_epoch(self, seed: int, epoch: int) -> np.ndarray:
        """The text number each row uses in `epoch`: int64 (rows,)."""
        return self.flat[self.places(seed, epoch)]


def drawn(seed: int, epoch: int, there: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` columns of each row of `there` (bool, n x C), at random by epoch: int64 (n, count), -1 for none."""
    lots = np.random.default_rng([seed, epoch, 4]).random(there.shape)
    lots[~there] = 2.0
    chosen = np.argsort(lots, axis=1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(there, chosen, 1), chosen, -1)


def random_crop(
    pixels: UInt8[Tensor, "B S S 3"],
    seed: int,
    step: int,
    *,
    scale: tuple[float, float],
    flip: bool,
    first: int = 0,
    total: int | None = None,
) -> Float[Tensor, "B 3 S S"]:
    """Crops of random area (share `scale`) and aspect (3/4..4/3), mirrored in half of the cases when `flip`.

    The area is exact: the aspect stays within what fits into the photo, so that a share of 1 is the whole photo.
    One bilinear resampling of the whole batch; values in 0..1. first, total: the photos are those from `first` on of
    a batch of `total`, and get the crops that they get when the whole batch is made at once.
    """
    images = pixels.permute(0, 3, 1, 2).float().div_(255)
    if scale == (1.0, 1.0) and not flip:
        return images.contiguous()
    boxes = crop_boxes(seed, step, total or len(images), scale=scale, flip=flip)
    grid = crop_grid(torch.from_numpy(boxes[first : first + len(images)]).float(), images.shape[-1])
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def crop_boxes(seed: int, step: int, count: int, *, scale: tuple[float, float], flip: bool) -> np.ndarray:
    """Width (negative: mirrored), height, x and y of the middle of the crops of a step, in -1..1: (count, 4)."""
    random = np.random.default_rng([seed, step, 3])
    area = random.uniform(*scale, size=count)
    most = np.minimum(np.log(4 / 3), -np.log(area))
    aspect = np.exp(random.uniform(-1, 1, size=count) * most)
    wide, high = np.sqrt(area * aspect), np.sqrt(area / aspect)
    shift_x = random.uniform(-1, 1, size=count) * (1 - wide)
    shift_y = random.uniform(-1, 1, size=count) * (1 - high)
    mirror = np.where(random.random(count) < 0.5, -1.0, 1.0) if flip else np.ones(count)
    return np.stack([wide * mirror, high, shift_x, shift_y], 1)


def crop_grid(boxes: Float[Tensor, "B 4"], size: int) -> Float[Tensor, "B S S 2"]:
    """Where each pixel of the crops is taken from, as `F.affine_grid` says it, in a fifth of its time.

    A crop is not turned, so that x depends on the column alone. Number by number, unlike the matrix product of
    `affine_grid`: a part of a batch cannot differ from the same part of the whole in a last bit.
    """
    middles = torch.linspace(-1, 1, size) * (size - 1) / size
    x = middles * boxes[:, 0, None] + boxes[:, 2, None]
    y = middles * boxes[:, 1, None] + boxes[:, 3, None]
    grid = torch.empty(len(boxes), size, size, 2)
    grid[..., 0] = x[:, None, :]
    grid[..., 1] = y[:, :, None]
    return grid
