"""Measures of truth: true against false sentences, and agreement with people's ratings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lift.errors import LiftError
from lift.evaluation.benchmarks.bench import Bench
from lift.evaluation.benchmarks.scoring import weighted_kendall
from lift.evaluation.benchmarks.sheets import ClaimSheet, RatingSheet
from lift.evaluation.controls import SHUFFLED_WORDS, bag_of_words
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.verification import verification_metrics

CONTROLS = f"control text only: the mean photo in place of the photos; {SHUFFLED_WORDS}"
LEAST_TAU = -100.0


def measure_claims(bench: Bench, sheet: ClaimSheet) -> Measurement:
    """AUROC of true against false sentences, over all and within groups of one sentence, and average precision."""
    labels = np.array([item.label for item in sheet.items], dtype=bool)
    if labels.all() or not labels.any():
        raise LiftError(
            f"all sentences that are left are {'true' if labels.all() else 'false'}",
            "use a larger --limit, or a complete copy of the pictures",
        )
    names = {name: number for number, name in enumerate(dict.fromkeys(item.group for item in sheet.items))}
    groups = np.array([names[item.group] for item in sheet.items])
    texts = [item.sentence for item in sheet.items]
    bags = [bag_of_words(text, (bench.seed, int(group))) for text, group in zip(texts, groups, strict=True)]
    scored = {
        "": _mean_scores(bench, sheet, texts),
        "control/text_only/": bench.blind_scores(texts),
        "control/shuffled_words/": _mean_scores(bench, sheet, bags),
    }
    if len(names) > 1:
        scored["control/wrong_photo/"] = _mean_scores(
            bench, with_other_photos(sheet, groups, bench.seed), texts
        )
    metrics: dict[str, Metric] = {}
    for prefix, scores in scored.items():
        for name, metric in verification_metrics(scores, labels, groups).items():
            metrics[f"{prefix}{name.replace('within_photo', 'within_sentence')}"] = metric
    for name in ("auroc", "auroc_within_sentence"):
        if name in metrics:
            values = np.full_like(metrics[name].values, 50.0)
            metrics[f"control/chance/{name}"] = Metric(values, metrics[name].clusters)
    metrics["control/chance/average_precision"] = Metric(np.where(labels, 100.0, 0.0), groups)
    used = {photo for item in sheet.items for photo in item.photos}
    return Measurement(
        protocol="chance in percent that a true item scores above a false one, ties half; auroc_within_sentence: among "
        "photos of the same sentence, averaged over sentences that have true and false ones; no threshold is chosen; "
        f"control chance: random scores; {CONTROLS} (by construction 50 within a sentence); control wrong photo: "
        "the same sentences with photos of another sentence, drawn by the seed",
        n={"images": len(used), "true": int(labels.sum()), "false": int((~labels).sum())},
        metrics=metrics,
    )


def with_other_photos(sheet: ClaimSheet, groups: np.ndarray, seed: int) -> ClaimSheet:
    """The sheet with the photos of an item of another group, drawn by the seed, in place of each item's own."""
    generator = np.random.default_rng((seed, len(groups)))
    items = []
    for item, group in zip(sheet.items, groups, strict=True):
        others = np.flatnonzero(groups != group)
        items.append(item._replace(photos=sheet.items[int(generator.choice(others))].photos))
    return replace(sheet, items=items)


def _mean_scores(bench: Bench, sheet: ClaimSheet, texts: list[str]) -> np.ndarray:
    """Mean cosine float64 (n,) of each text with the photos of its item."""
    counts = [len(item.photos) for item in sheet.items]
    photos = np.array([photo for item in sheet.items for photo in item.photos])
    repeated = [text for text, count in zip(texts, counts, strict=True) for _ in range(count)]
    starts = np.cumsum([0, *counts[:-1]])
    sums = np.add.reduceat(bench.scores(photos, repeated).astype(np.float64), starts)
    return sums / np.array(counts)


def measure_ratings(bench: Bench, sheet: RatingSheet) -> Measurement:
    """Kendall's tau-b and tau-c between the score of a text with its photo and what people thought of it."""
    photos = np.array([item.photo for item in sheet.items])
    ratings = np.array([item.rating for item in sheet.items])
    texts = [sheet.prefix + item.text for item in sheet.items]
    bags = [sheet.prefix + bag_of_words(item.text, (bench.seed, 0)) for item in sheet.items]
    scored = {
        "": bench.scores(photos, texts),
        "control/text_only/": bench.blind_scores(texts),
        "control/shuffled_words/": bench.scores(photos, bags),
    }
    metrics: dict[str, Metric] = {}
    for prefix, scores in scored.items():
        kept = np.maximum(scores, 0.0) if sheet.clip else scores
        for variant in ("b", "c"):
            metrics[f"{prefix}kendall_tau_{variant}"] = _tau(kept, ratings, photos, variant)
    for variant in ("b", "c"):
        metrics[f"control/chance/kendall_tau_{variant}"] = Metric(np.zeros(len(ratings)), photos)
    return Measurement(
        protocol="Kendall's tau times 100 between score and rating, tau-b (ties corrected) and tau-c (Stuart), every "
        f"rating an item of its own; 0 where all scores are equal; {CONTROLS}",
        n={"images": len(set(photos.tolist())), "ratings": len(ratings)},
        metrics=metrics,
    )


def _tau(scores: np.ndarray, ratings: np.ndarray, photos: np.ndarray, variant: str) -> Metric:
    statistic = weighted_kendall(scores, ratings, variant)
    if np.isnan(statistic(np.ones((1, len(ratings)), np.int64))[0]):  # constant scores agree with nothing
        return Metric(np.zeros(len(ratings)), photos)
    return Metric(ratings, photos, statistic, per_item=False, least=LEAST_TAU)
