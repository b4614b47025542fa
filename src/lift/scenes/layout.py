"""Drawing lots for a Scene: things, their places without unwanted overlap, background and light."""

from __future__ import annotations

import random
from collections.abc import Sequence

from lift.scenes.scene import (
    BACKGROUNDS,
    COLOURS,
    LIGHTS,
    PIXELS_BY_SIZE,
    REFERENCE,
    SIZES_BY_COUNT,
    Group,
    Place,
    Scene,
    Thing,
    may_overlap,
)
from lift.scenes.silhouettes import KINDS, outline

GROUPS = (1, 2, 2, 2, 2, 3, 3, 3)  # drawn from with equal chances
COUNTS_ALONE = (1, 2, 3, 4, 5)
COUNTS_BESIDE = (1, 1, 2, 2, 3, 3, 4, 5)
ARRANGEMENTS = ("row", "row", "column", "column", "depth", "depth", "depth")
TRIES = 20  # to place things, with sizes drawn anew, before other things are drawn
GRIDS = {
    1: ((1, 1),),
    2: ((1, 2), (2, 1)),
    3: ((1, 3), (3, 1), (2, 2)),
    4: ((2, 2), (1, 4), (4, 1)),
    5: ((2, 3), (3, 2)),
}
MARGIN = 1 / REFERENCE  # to the picture's edge and between things
HIDDEN = (0.12, 0.38)  # share of the thing behind that may be covered


class Block:
    """The objects of one group relative to their top left corner, in pixels of the REFERENCE grid."""

    def __init__(self, lots: random.Random, thing: Thing) -> None:
        pixels = lots.choice(PIXELS_BY_SIZE[thing.size])
        pitch = pixels + lots.choice((1, 2, 3))
        rows, columns = lots.choice(GRIDS[thing.count])
        cells = [(row, column) for row in range(rows) for column in range(columns)]
        self.cells = sorted(lots.sample(cells, thing.count))
        self.thing, self.pixels, self.pitch = thing, pixels, pitch
        self.width, self.height = (columns - 1) * pitch + pixels, (rows - 1) * pitch + pixels
        self.tilts = [(lots.randrange(3), lots.random() < 0.5) for _ in self.cells]

    def at(self, left: int, top: int) -> Group:
        """The group with its block's top left corner at this pixel."""
        places = tuple(
            Place(
                x=(left + column * self.pitch + self.pixels / 2) / REFERENCE,
                y=(top + row * self.pitch + self.pixels / 2) / REFERENCE,
                width=self.pixels / REFERENCE,
                tilt=tilt,
                mirrored=mirrored,
            )
            for (row, column), (tilt, mirrored) in zip(self.cells, self.tilts, strict=True)
        )
        return Group(self.thing, places)


def sample_scene(seed: int, number: int) -> Scene:
    """Scene `number` of the endless series `seed`; depends on nothing else."""
    lots = random.Random(f"lift scenes {seed} {number}")
    number_of_things, arrangement = lots.choice(GROUPS), lots.choice(ARRANGEMENTS)
    placed = None
    while placed is None:
        things = _things(lots, number_of_things, arrangement)
        tries = (_place(lots, _resized(lots, things, arrangement), arrangement) for _ in range(TRIES))
        placed = next((result for result in tries if result is not None), None)
    groups, overlap = placed
    return Scene(groups, overlap, lots.choice(BACKGROUNDS), lots.choice(LIGHTS), lots.getrandbits(32))


def _things(lots: random.Random, number: int, arrangement: str) -> list[Thing]:
    """`number` small things of different kinds; the first two single when one shall cover the other."""
    things = []
    for position, kind in enumerate(lots.sample(KINDS, number)):
        count = lots.choice(COUNTS_ALONE if number == 1 else COUNTS_BESIDE)
        if number > 1 and arrangement == "depth" and position < 2:
            count = 1
        things.append(Thing(kind, lots.choice(COLOURS), "small", count))
    return things


def _resized(lots: random.Random, things: Sequence[Thing], arrangement: str) -> list[Thing]:
    """The things with sizes drawn by lot, such that the first may cover the second where it shall."""
    while True:
        drawn = [thing.with_attribute("size", lots.choice(SIZES_BY_COUNT[thing.count])) for thing in things]
        if len(drawn) == 1 or arrangement != "depth" or may_overlap(drawn[0], drawn[1]):
            return drawn


def _place(
    lots: random.Random, things: Sequence[Thing], arrangement: str
) -> tuple[tuple[Group, ...], tuple[int, int] | None] | None:
    """Groups in their places and which covers which; None when they do not fit."""
    blocks = [Block(lots, thing) for thing in things]
    if len(blocks) == 1:
        free = _room(blocks[0])
        if min(free) < 0:
            return None
        return (blocks[0].at(1 + lots.randint(0, free[0]), 1 + lots.randint(0, free[1])),), None
    if arrangement == "depth":
        pair = _one_before_other(lots, blocks[0], blocks[1])
    else:
        pair = _side_by_side(lots, blocks[0], blocks[1], down=arrangement == "column")
    if pair is None:
        return None
    if len(blocks) == 3:
        third = _beside(lots, blocks[2], pair)
        if third is None:
            return None
        pair = (*pair, third)
    # Which of the two is named first must not tell which is left, above or in front.
    return pair, ((0, 1) if arrangement == "depth" else None)


def _room(block: Block) -> tuple[int, int]:
    """Pixels left to move a block right and down inside the margins."""
    return REFERENCE - 2 - block.width, REFERENCE - 2 - block.height


def _side_by_side(lots: random.Random, first: Block, second: Block, down: bool) -> tuple[Group, ...] | None:
    """`first` left of `second`, or above it; across that direction mostly level."""
    along = (first.height, second.height) if down else (first.width, second.width)
    across = (first.width, second.width) if down else (first.height, second.height)
    free = REFERENCE - 2 - sum(along) - 1
    if free < 0 or max(across) > REFERENCE - 2:
        return None
    start, end = sorted((lots.randint(0, free), lots.randint(0, free)))
    offsets = (1 + start, 1 + end + along[0] + 1)
    wide = 0 if across[0] >= across[1] else 1
    drift = [0, 0]
    drift[wide] = 1 + lots.randint(0, REFERENCE - 2 - across[wide])
    level = drift[wide] + (across[wide] - across[1 - wide]) // 2
    drift[1 - wide] = level if lots.random() < 0.6 else 1 + lots.randint(0, REFERENCE - 2 - across[1 - wide])
    corners = [(drift[i], offsets[i]) if down else (offsets[i], drift[i]) for i in (0, 1)]
    return first.at(*corners[0]), second.at(*corners[1])


def _one_before_other(lots: random.Random, front: Block, back: Block) -> tuple[Group, ...] | None:
    """`front` covering a visible part, and never most, of `back`; beside or above its middle."""
    shift = round((front.pixels + back.pixels) / 2 * lots.uniform(0.45, 0.85)) * lots.choice((-1, 1))
    sway = lots.choice((-1, 0, 1))
    right, down = (shift, sway) if lots.random() < 0.5 else (sway, shift)
    right += (back.pixels - front.pixels) // 2
    down += (back.pixels - front.pixels) // 2
    low_x, low_y = min(0, right), min(0, down)
    free_x = REFERENCE - 2 - max(back.pixels, right + front.pixels) + low_x
    free_y = REFERENCE - 2 - max(back.pixels, down + front.pixels) + low_y
    if min(free_x, free_y) < 0:
        return None
    low, high = HIDDEN
    if not low <= _covered_share(front, back, right, down) <= high:
        return None
    x, y = 1 - low_x + lots.randint(0, free_x), 1 - low_y + lots.randint(0, free_y)
    return front.at(x + right, y + down), back.at(x, y)


def _covered_share(front: Block, back: Block, right: int, down: int) -> float:
    """Share of `back` under `front`, whose corner is (right, down) pixels from that of `back`."""
    masks = [outline(block.thing.kind, block.pixels, *block.tilts[0]) for block in (front, back)]
    x0, y0 = max(0, right), max(0, down)
    x1, y1 = min(back.pixels, right + front.pixels), min(back.pixels, down + front.pixels)
    under = masks[1][y0:y1, x0:x1] & masks[0][y0 - down : y1 - down, x0 - right : x1 - right]
    return float(under.sum() / masks[1].sum())


def _beside(lots: random.Random, block: Block, others: Sequence[Group]) -> Group | None:
    """`block` at a random place clear of `others`; None when twelve tries find none."""
    free_x, free_y = _room(block)
    if min(free_x, free_y) < 0:
        return None
    for _ in range(12):
        left, top = 1 + lots.randint(0, free_x), 1 + lots.randint(0, free_y)
        box = [(left - 1) / REFERENCE, (top - 1) / REFERENCE]
        box += [(left + block.width + 1) / REFERENCE, (top + block.height + 1) / REFERENCE]
        if not any(
            box[0] < e[2] and e[0] < box[2] and box[1] < e[3] and e[1] < box[3]
            for e in (o.extent for o in others)
        ):
            return block.at(left, top)
    return None
