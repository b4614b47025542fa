"""Lights on what the texts of the data are to one another: same-item retrieval, repeats in a batch."""

from __future__ import annotations

import numpy as np

from lift import metrics
from lift.auditing.examinee import Examinee
from lift.auditing.light import Measured
from lift.auditing.measures import (
    false_negative_share,
    near_meeting_share,
    near_pairs,
    related,
    same_item_outcomes,
)

NEAR = 0.98  # cosine from which two texts are told apart by rounding more than by content
FEWEST_QUERIES = 20


def same_item(examinee: Examinee) -> list[Measured]:
    """Recall@10 of a text's companions among all other texts, with chance and a bootstrap interval by item."""
    corpus = examinee.corpus
    relevant = related(corpus.member_texts, corpus.member_items)
    with_companion = len(np.unique(relevant[0]))
    if with_companion < FEWEST_QUERIES:
        why = (
            "every item has a single text"
            if not with_companion
            else f"only {with_companion} texts have a companion at their item ({FEWEST_QUERIES} are needed)"
        )
        return [Measured("same_item", skipped=f"{why}, so there is no second one to find")]
    queries, outcomes, chance = same_item_outcomes(examinee.text_features, relevant)
    clusters = corpus.item_of[queries]
    at_chance = float(chance[10].mean())
    shares = {k: _from_chance(outcomes[k], float(chance[k].mean())) for k in (1, 10)}
    both = (shares[1] + shares[10]) / 2  # @10 alone is near 100 for every good encoder
    low, high = metrics.bootstrap_interval(outcomes[10], clusters, examinee.seed)
    at_1 = metrics.bootstrap_interval(outcomes[1], clusters, examinee.seed)
    value, first = float(outcomes[10].mean()), float(outcomes[1].mean())
    return [
        Measured(
            "same_item",
            value,
            low,
            high,
            len(queries),
            "%",
            f"{value:.0f} of 100 texts find another text of their item among the first ten of "
            f"{len(corpus.texts) - 1:,}, {first:.0f} at once; guessing would find {at_chance:.1f}.",
            judged=float(shares[10].mean()),
            normalised=float(np.clip(both.mean() / 100.0, 0.0, 1.0)),
            outcomes=(both, clusters),
            details={
                "recall@1": [first, *at_1],
                "recall@10": [value, low, high],
                "chance@1": float(chance[1].mean()),
                "chance@10": at_chance,
                "items": len(np.unique(clusters)),
            },
        )
    ]


def _from_chance(outcomes: np.ndarray, chance: float) -> np.ndarray:
    """Percent of the way from chance (0) to perfect (100), so that sets of any size can be judged alike."""
    return 100.0 * (outcomes - chance) / max(1e-9, 100.0 - chance)


def duplicates(examinee: Examinee) -> list[Measured]:
    """Expected percent of rows of a batch with a false negative: identical texts exactly, near ones estimated."""
    corpus = examinee.corpus
    items = len(np.unique(corpus.all_items))
    batch = min(examinee.batch_size, items)
    identical = false_negative_share(corpus.all_texts, corpus.all_items, batch)
    pairs = near_pairs(examinee.text_features, NEAR)
    companions = set(
        zip(*(part.tolist() for part in related(corpus.member_texts, corpus.member_items)), strict=True)
    )
    apart = [(i, j) for i, j in pairs.tolist() if (i, j) not in companions]
    neighbours = np.bincount(np.array(apart, dtype=np.int64).ravel(), minlength=len(corpus.texts))
    near = near_meeting_share(neighbours, batch)
    both = 100.0 - (100.0 - identical) * (100.0 - near) / 100.0
    of_text = np.bincount(corpus.all_texts)
    repeated = float(100.0 * of_text[of_text > 1].sum() / of_text.sum())
    said = f"In a batch of {batch:,}, {both:.1f} of 100 rows would hold a false negative"
    return [
        Measured(
            "duplicates",
            both,
            n=items,
            unit="%",
            meaning=f"{said} ({identical:.1f} by the very same text, {near:.1f} by one that is nearly the same to "
            "this encoder).",
            details={
                "batch_size": batch,
                "identical": identical,
                "near_identical": near,
                "near_identical_texts_in_sample": int((neighbours > 0).sum()),
                "near_means_cosine_above": NEAR,
                "percent_of_captions_that_repeat": repeated,
                "examples": [[corpus.texts[i], corpus.texts[j]] for i, j in apart[:5]],
            },
        )
    ]
