"""Own pairs: typed hard negatives made by rule from the captions of the very photos that are measured."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lift.artefact import digest
from lift.console import note
from lift.data import Pair, Row
from lift.evaluation.pairs import CONTROLS, PairScores, metrics_of, pair_scores
from lift.evaluation.results import Measurement
from lift.evaluation.subject import NotApplicable, Subject
from lift.negatives import changes_of

SHOWN = 3  # best and worst pairs of each kind among the examples
PROTOCOL = (
    "own pairs: each text of a photo against itself with one fact changed by rule (lift.rewording); share of pairs "
    f"in which the true text has the higher cosine with the photo, a tie half a hit; {CONTROLS}"
)


class Made(NamedTuple):
    """Pairs, the position of each one's photo, how many could be made of each kind, and how many were refused, why."""

    pairs: list[Pair]
    positions: list[int]
    found: Counter[str]
    refused: Counter[str]


def own_pairs(subject: Subject) -> Measurement:
    """Pair accuracy by kind and length on pairs made from the captions of the split, with four controls.

    With --task all only where there are no other pairs, which somebody made who knows more than rules do.
    """
    if subject.config.task == "all" and (subject.config.pairs or subject.dataset.pairs):
        raise NotApplicable(
            "there are pairs already", "use --task own-pairs to make others from the captions by rule"
        )
    made = made_pairs(subject.rows, seed=subject.config.seed, most=subject.config.most)
    if not made.pairs:
        raise NotApplicable(
            "no rule changes any text of the photos", "give pairs of your own: --pairs FILE.jsonl"
        )
    note(
        f"own-pairs: {len(made.pairs):,} pairs; refused as perhaps true: {sum(made.refused.values()):,} of "
        f"{sum(made.found.values()) + sum(made.refused.values()):,}"
    )
    number = np.array(made.positions)
    scores = pair_scores(subject, number, made.pairs)
    return Measurement(
        protocol=f"{PROTOCOL}; {told(made, subject.config.most)}",
        n={"images": len(set(made.positions)), "pairs": len(made.pairs)},
        metrics=metrics_of(scores.outcomes, made.pairs, subject.numbers[number]),
        examples=examples(made.pairs, scores),
        lines=lines(made.pairs, scores),
    )


def told(made: Made, most: int) -> str:
    """What was made and refused, in words, and an id of the pairs: other rules or texts give another."""
    identity = digest([[pair.image, pair.positive, pair.negative] for pair in made.pairs])
    refused = ", ".join(f"{count} {why}" for why, count in sorted(made.refused.items())) or "none"
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(made.found.items()))
    return f"made: {found}; at most {most} of a kind and length are used; refused: {refused}; pairs id {identity}"


def made_pairs(rows: Sequence[Row], *, seed: int, most: int) -> Made:
    """All pairs that the rules make of the photos' texts, but at most `most` of one kind and length, drawn by `seed`.

    Refused is a change that another text of the photo tells: see `lift.negatives.refusal`.
    """
    found: dict[tuple[str, str], list[tuple[int, Pair]]] = {}
    refused: Counter[str] = Counter()
    for position, row in enumerate(rows):
        for length, text, change, why in changes_of(row, seed):
            if why:
                refused[why] += 1
                continue
            pair = Pair(row.key, text, change.text, change.kind, row.split, length)
            found.setdefault((change.kind, length), []).append((position, pair))
    counts: Counter[str] = Counter()
    chosen: list[tuple[int, Pair]] = []
    for (kind, _), made in found.items():
        counts[kind] += len(made)
        chosen += sorted(made, key=lambda one: lot(seed, one[1]))[:most]
    chosen.sort(key=lambda one: one[0])  # stable: by photo, and within it by kind
    return Made([pair for _, pair in chosen], [position for position, _ in chosen], counts, refused)


def lot(seed: int, pair: Pair) -> bytes:
    """The place of a pair in an order that depends on it and the seed alone."""
    words = f"{seed}|{pair.image}|{pair.positive}|{pair.negative}"
    return hashlib.blake2b(words.encode(errors="surrogatepass"), digest_size=8).digest()


def lines(pairs: Sequence[Pair], scores: PairScores) -> list[dict[str, Any]]:
    """Every pair as --pairs reads it, with its margin: cosine of the true text minus that of the false one."""
    return [
        {
            "image": pair.image,
            "positive": pair.positive,
            "negative": pair.negative,
            "kind": pair.kind,
            "length": pair.length,
            "margin": round(float(true - false), 4),
        }
        for pair, true, false in zip(pairs, scores.positive, scores.negative, strict=True)
    ]


def examples(pairs: Sequence[Pair], scores: PairScores) -> list[dict[str, Any]]:
    """Of each kind the pairs with the largest and the smallest margin, marked best and worst."""
    every, shown = lines(pairs, scores), []
    for kind in sorted({pair.kind for pair in pairs}):
        ordered = sorted((line for line in every if line["kind"] == kind), key=lambda line: -line["margin"])
        best = ordered[: min(SHOWN, (len(ordered) + 1) // 2)]
        worst = ordered[max(len(ordered) - SHOWN, len(best)) :][::-1]
        shown += [{"place": "best", **line} for line in best]
        shown += [{"place": "worst", **line} for line in worst]
    return shown
