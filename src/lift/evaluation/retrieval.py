"""Retrieval: find the photo of a text and a text of the photo among all of the split."""

from __future__ import annotations

from typing import Any

import numpy as np

from lift.evaluation.hubs import hub_facts, worst_queries
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.subject import NotApplicable, Subject
from lift.metrics import KS, chance_within, recall_of_counts
from lift.ranking import expected_ranks, rank_counts_both_ways

CAPTIONS = 5  # the field's five-caption protocol
EXAMPLES, FOUND = 12, 5


def retrieval(subject: Subject) -> Measurement:
    """Retrieval with every short caption of a photo, up to five."""
    positions = [position for position, row in enumerate(subject.rows) if row.captions]
    captions = [subject.rows[position].captions[:CAPTIONS] for position in positions]
    if not captions:
        raise NotApplicable("the photos have no short captions", "use --task long-retrieval")
    fewest, most = min(map(len, captions)), max(map(len, captions))
    each = f"{most}" if fewest == most else f"{fewest} to {most}"
    protocol = (
        f"retrieval with every short caption up to {CAPTIONS} a photo (here {each}): each caption looks for "
        "its photo, each photo for any of its captions"
    )
    return measure_retrieval(subject, positions, captions, protocol)


def long_retrieval(subject: Subject) -> Measurement:
    """Retrieval with one long text per photo: the given one, else its short captions joined."""
    positions = [position for position, row in enumerate(subject.rows) if row.long_captions]
    if positions:
        texts = [[subject.rows[position].long_captions[0]] for position in positions]
        source = "the first long caption given with the photo"
    else:
        positions = [position for position, row in enumerate(subject.rows) if len(row.captions) > 1]
        texts = [[joined(subject.rows[position].captions[:CAPTIONS])] for position in positions]
        source = f"its short captions, up to {CAPTIONS}, joined into one text"
    if not positions:
        raise NotApplicable(
            "the photos have neither long captions nor several short ones", "use --task retrieval"
        )
    protocol = f"long-text retrieval with one text a photo: {source}"
    return measure_retrieval(subject, positions, texts, protocol)


def joined(captions: list[str]) -> str:
    """One text of several captions, each ending as a sentence."""
    sentences = (caption.strip() for caption in captions)
    return " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in sentences)


def measure_retrieval(
    subject: Subject, positions: list[int], texts: list[list[str]], protocol: str
) -> Measurement:
    """Recall both ways between the photos at `positions` and their `texts`, with chance and examples."""
    images = subject.image_features[positions]
    image_of_text = np.repeat(np.arange(len(texts)), [len(own) for own in texts])
    queries = [text for own in texts for text in own]
    vectors = subject.text_features(queries)
    ids = subject.numbers[positions]
    clusters = {"text_to_image": ids[image_of_text], "image_to_text": ids}
    to_image, to_text = rank_counts_both_ways(images, vectors, image_of_text)
    outcomes = recall_of_counts(to_image, to_text) | chance_outcomes(image_of_text)
    metrics = {
        name: Metric(values, clusters["text_to_image" if "text_to_image" in name else "image_to_text"])
        for name, values in outcomes.items()
    }
    keys = [subject.rows[position].key for position in positions]
    truth = [keys[i] for i in image_of_text]
    ranks = expected_ranks(to_image)
    left_out = len(subject.rows) - len(positions)
    return Measurement(
        protocol=f"{protocol}; only its own photo is right, also where another has the same text; ties "
        f"count for what random order gives; {len(images)} photos searched, "
        f"{left_out} without such a text left out",
        n={"images": len(images), "texts": len(queries)},
        metrics=metrics,
        examples=examples(images, vectors, queries, truth, keys, subject.config.seed),
        details={
            "median_rank": float(np.median(ranks)),
            "worst": worst_queries(ranks, queries, truth),
            "hubs": hub_facts(images, vectors, keys),
        },
    )


def chance_outcomes(image_of_text: np.ndarray) -> dict[str, np.ndarray]:
    """Percent per query that random order would give, named as controls."""
    texts_of_image = np.bincount(image_of_text)
    sides = {
        "text_to_image": (np.ones(len(image_of_text), dtype=np.int64), len(texts_of_image)),
        "image_to_text": (texts_of_image, len(image_of_text)),
    }
    return {
        f"control/chance/{side}/recall@{k}": chance_within(
            np.zeros_like(relevant), np.full_like(relevant, candidates), relevant, k
        )
        for side, (relevant, candidates) in sides.items()
        for k in KS
    }


def examples(
    images: np.ndarray, texts: np.ndarray, queries: list[str], truth: list[str], keys: list[str], seed: int
) -> list[dict[str, Any]]:
    """Up to 12 queries drawn by the seed, each with the keys and scores of its five best photos."""
    drawn = np.random.default_rng(seed).permutation(len(queries))[:EXAMPLES]
    shown = []
    for number in sorted(drawn.tolist()):
        scores = images @ texts[number]
        best = np.argsort(-scores, kind="stable")[:FOUND]
        shown.append(
            {
                "query": queries[number],
                "truth": truth[number],
                "found": [keys[i] for i in best],
                "scores": [round(float(scores[i]), 4) for i in best],
            }
        )
    return shown
