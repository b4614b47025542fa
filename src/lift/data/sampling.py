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
    rows: slice | None = None,
    total: int | None = None,
) -> Float[Tensor, "B 3 S S"]:
    """Crops of random area (share `scale`) and aspect (3/4..4/3), mirrored in half of the cases when `flip`.

    The area is exact: the aspect stays within what fits into the photo, so that a share of 1 is the whole photo.
    One bilinear resampling of the whole batch; values in 0..1. With `rows` the pixels are these rows of a batch of
    `total`, and get the crops that they get in the whole batch.
    """
    images = pixels.permute(0, 3, 1, 2).float().div_(255)
    if scale == (1.0, 1.0) and not flip:
        return images.contiguous()
    random = np.random.default_rng([seed, step, 3])
    count = len(images) if total is None else total
    area = random.uniform(*scale, size=count)
    most = np.minimum(np.log(4 / 3), -np.log(area))
    aspect = np.exp(random.uniform(-1, 1, size=count) * most)
    wide, high = np.sqrt(area * aspect), np.sqrt(area / aspect)
    shift_x = random.uniform(-1, 1, size=count) * (1 - wide)
    shift_y = random.uniform(-1, 1, size=count) * (1 - high)
    mirror = np.where(random.random(count) < 0.5, -1.0, 1.0) if flip else np.ones(count)
    zero = np.zeros(count)
    affine = np.stack([np.stack([wide * mirror, zero, shift_x], 1), np.stack([zero, high, shift_y], 1)], 1)
    chosen = torch.from_numpy(affine if rows is None else affine[rows]).float()
    grid = F.affine_grid(chosen, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
