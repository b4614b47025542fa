"""Pairs of a true and a false text of a scene, of nine kinds, checked before they are handed out."""

from __future__ import annotations

import random
from dataclasses import dataclass

from lift.scenes.grammar import long_text, short_text
from lift.scenes.negatives import DRAFTS, Draft
from lift.scenes.scene import Scene
from lift.scenes.statements import Statement, is_plausible, is_true

# How often a picture is asked for a kind, measured such that all kinds come out about equally often.
KIND_WEIGHTS = {
    "replace_object": 0.8, "replace_attribute": 1.0, "replace_relation": 1.2, "swap_object": 1.1,
    "swap_attribute": 1.1, "add_object": 1.1, "add_attribute": 0.8, "count": 2.6, "negation": 0.8,
}  # fmt: skip
PAIR_KINDS = tuple(KIND_WEIGHTS)
PAIRS_PER_PICTURE = 5
LONG_SHARE = 0.4
ATTEMPTS = 3  # at a pair of one kind


@dataclass(frozen=True)
class StatementPair:
    """A true and a false statement on one scene; worded by one `seed`, short or long."""

    kind: str
    length: str
    positive: Statement
    negative: Statement
    seed: int

    @property
    def texts(self) -> tuple[str, str]:
        """Wording of the true and of the false statement."""
        word = long_text if self.length == "long" else short_text
        return word(self.positive, self.seed), word(self.negative, self.seed)


def statement_pairs(scene: Scene) -> list[StatementPair]:
    """Up to five pairs of different kinds, short ones and long ones, known to be true and false."""
    lots = random.Random(f"pairs {scene.grain}")
    order = sorted(PAIR_KINDS, key=lambda kind: lots.random() ** (1 / KIND_WEIGHTS[kind]), reverse=True)
    pairs: list[StatementPair] = []
    for kind in order:
        if len(pairs) == PAIRS_PER_PICTURE:
            break
        is_long = lots.random() < LONG_SHARE
        drafts = (_draft(kind, lots, scene, is_long) for _ in range(ATTEMPTS))
        if (draft := next((d for d in drafts if d is not None), None)) is not None:
            pairs.append(StatementPair(kind, "long" if is_long else "short", *draft, lots.getrandbits(32)))
    return pairs


def _draft(kind: str, lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    """One attempt at a pair: None unless one is true, the other false, and neither absurd."""
    draft = DRAFTS[kind](lots, scene, is_long)
    if draft is None or not all(map(is_plausible, draft)):
        return None
    positive, negative = draft
    return draft if is_true(positive, scene) is True and is_true(negative, scene) is False else None
