"""Pairs: does the model prefer the true text to one that is minimally wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lift.data import Pair, Row
from lift.evaluation.controls import SHUFFLED_WORDS, WRONG_PHOTO, bag_of_words, wrong_photos
from lift.evaluation.reading import holds_statements, in_split, read_pairs
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.subject import NotApplicable, Subject
from lift.metrics import pair_outcomes

CONTROLS = (
    f"control text only: the mean photo of the split in place of the photo; {SHUFFLED_WORDS}, so that pairs of the "
    f"same words tie; {WRONG_PHOTO}; control chance: 50"
)
PROTOCOL = (
    "pair accuracy: share of pairs in which the true text has the higher cosine with the photo, a tie half a "
    f"hit; {CONTROLS}"
)


def pairs(subject: Subject) -> Measurement:
    """Pair accuracy by kind and length on --pairs or the DATASET's own pairs, with four controls."""
    file = subject.config.pairs
    if file and holds_statements(file):
        raise NotApplicable(f"{file} holds single sentences with labels", "use --task verification")
    every = read_pairs(file) if file else subject.dataset.pairs
    positions, kept = in_split(subject, every, file)
    if not kept:
        raise NotApplicable("there are no pairs", "give a file: --pairs FILE.jsonl")
    number = np.array(positions)
    outcomes = pair_scores(subject, number, kept).outcomes
    left_out = f"; pairs left out because their photo is outside the split: {len(every) - len(kept)}"
    n = {"images": len(set(positions)), "pairs": len(kept)}
    metrics = metrics_of(outcomes, kept, subject.numbers[number])
    return Measurement(protocol=PROTOCOL + left_out, n=n, metrics=metrics)


class PairScores(NamedTuple):
    """Cosines of the true and the false texts (n,), and outcomes in percent (n,) by prefix of the metric's name."""

    positive: np.ndarray
    negative: np.ndarray
    outcomes: dict[str, np.ndarray]


def pair_scores(subject: Subject, number: np.ndarray, kept: Sequence[Pair]) -> PairScores:
    """The pairs scored against the photos at positions `number`, and against what the controls put there."""
    positive, negative = [pair.positive for pair in kept], [pair.negative for pair in kept]
    bags = [bags_of_words(pair, seed=(subject.config.seed, n)) for n, pair in enumerate(kept)]
    true, false = subject.scores(number, positive), subject.scores(number, negative)
    outcomes = {
        "": pair_outcomes(true, false),
        "control/text_only/": pair_outcomes(subject.blind_scores(positive), subject.blind_scores(negative)),
        "control/shuffled_words/": pair_outcomes(
            subject.scores(number, [bag for bag, _ in bags]), subject.scores(number, [bag for _, bag in bags])
        ),
        "control/chance/": np.full(len(kept), 50.0),
    }
    if len(subject.rows) > 1:
        other = other_photos(subject.rows, number, positive, subject.config.seed)
        outcomes["control/wrong_photo/"] = pair_outcomes(
            subject.scores(other, positive), subject.scores(other, negative)
        )
    return PairScores(true, false, outcomes)


def other_photos(rows: Sequence[Row], own: np.ndarray, positive: Sequence[str], seed: int) -> np.ndarray:
    """wrong_photos of pairs, whose true texts are `positive` (n,), among the photos of `rows`."""
    texts = [set(row.texts) for row in rows]
    for photo, text in zip(own, positive, strict=True):
        texts[photo].add(text)
    return wrong_photos(own, [(text,) for text in positive], texts, seed)


def metrics_of(
    outcomes: dict[str, np.ndarray], kept: Sequence[Pair], clusters: np.ndarray
) -> dict[str, Metric]:
    """Metrics by kind and length of outcomes (n,) by prefix; `clusters` (n,) are the photos."""
    return {
        f"{prefix}{name}": Metric(values[members], clusters[members])
        for prefix, values in outcomes.items()
        for name, members in groups(kept).items()
    }


def groups(pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Metric name -> numbers of its pairs: all, each kind, and both again per length where lengths differ."""
    members: dict[str, list[int]] = {"pair_accuracy/all": list(range(len(pairs)))}
    for kind in sorted({pair.kind for pair in pairs} - {"", "all"}):
        members[f"pair_accuracy/{kind.replace('/', '-')}"] = [
            n for n, pair in enumerate(pairs) if pair.kind == kind
        ]
    lengths = sorted({pair.length for pair in pairs}, reverse=True)  # short before long
    for length in lengths if len(lengths) > 1 else []:
        for name, numbers in list(members.items()):
            if name.count("/") == 1:
                part = [n for n in numbers if pairs[n].length == length]
                members[name.replace("/", f"/{length}/")] = part
    return {name: np.array(numbers) for name, numbers in members.items() if numbers}


def bags_of_words(pair: Pair, seed: tuple[int, int]) -> tuple[str, str]:
    """Both texts of `pair` as bags of words; of the same words they become the same text."""
    return bag_of_words(pair.positive, seed), bag_of_words(pair.negative, seed)
