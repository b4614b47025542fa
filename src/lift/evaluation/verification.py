"""Verification: how well does the score tell true sentences about a photo from false ones?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lift.evaluation.controls import SHUFFLED_WORDS, bag_of_words, wrong_photos
from lift.evaluation.reading import Statement, in_split, read_statements
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.selective import PROTOCOL as SELECTIVE
from lift.evaluation.selective import curve_of, selective_metrics, threshold_decisions
from lift.evaluation.subject import EvaluateConfig, NotApplicable, Subject
from lift.evaluation.working_cost import Costs, expected_cost
from lift.metrics import auroc, auroc_placements, weighted_auroc, weighted_average_precision

PROTOCOL = (
    "verification: chance in percent that the score (cosine) of a true sentence is above that of a false "
    "one, ties half; auroc over all photos together, auroc_within_photo among sentences of the same photo, "
    "averaged over photos that have both; control text only: the mean photo of the split replaces the photo; control "
    "wrong photo: the same sentences with another photo, drawn by the seed, that does not have them"
)
DECIDED = (
    "accuracy: sentences called true above a threshold that gets most right on the photos of four other fifths; "
    f"{SELECTIVE}, sure by the distance to that threshold"
)
RANDOM_CAPTIONS = (
    "each short caption with its photo as true, and as many with the photo as false, each drawn from the "
    "captions of another photo of the split chosen at random (easy to tell)"
)


def verification(subject: Subject) -> Measurement:
    """AUROC of true against false sentences, from --pairs or with captions of other photos as false ones."""
    file = subject.config.pairs
    if file:
        every = read_statements(file)
        source = f"sentences of {file.name}"
    else:
        every = captions_of_others(subject)
        source = RANDOM_CAPTIONS
    positions, kept = in_split(subject, every, file)
    labels = np.array([statement.label for statement in kept], dtype=bool)
    if not labels.any() or labels.all():
        raise NotApplicable(
            "there are no true and false sentences to tell apart", "give a file: --pairs FILE.jsonl"
        )
    texts = [statement.sentence for statement in kept]
    clusters = subject.numbers[positions]
    number = np.array(positions)
    scored = {
        "": subject.scores(number, texts),
        "control/text_only/": subject.blind_scores(texts),
    }
    if (
        file
    ):  # the bags of all captions would take as long to encode as they did, for a test that is easy anyway
        source = f"{source}; {SHUFFLED_WORDS}"
        bags = [
            bag_of_words(text, (subject.config.seed, n)) for text, n in zip(texts, positions, strict=True)
        ]
        scored["control/shuffled_words/"] = subject.scores(number, bags)
    if len(subject.rows) > 1:
        scored["control/wrong_photo/"] = subject.scores(photos_without(subject, number, texts), texts)
    metrics = {
        f"{prefix}{name}": metric
        for prefix, scores in scored.items()
        for name, metric in verification_metrics(scores, labels, clusters).items()
    }
    for name in ("auroc", "auroc_within_photo"):
        if name in metrics:
            metrics[f"control/chance/{name}"] = Metric(
                np.full_like(metrics[name].values, 50.0), metrics[name].clusters
            )
    metrics["control/chance/average_precision"] = Metric(np.where(labels, 100.0, 0.0), clusters)
    decided, details = decided_metrics(scored[""], labels, clusters, subject.config)
    return Measurement(
        protocol=f"{PROTOCOL}; {source}; {len(every) - len(kept)} left out (photo outside the split); {DECIDED}",
        n={"images": len(set(positions)), "true": int(labels.sum()), "false": int((~labels).sum())},
        metrics=metrics | decided,
        details=details,
    )


def photos_without(subject: Subject, own: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Positions (n,) of other photos, drawn by the seed, that have none of the sentences `texts` (n,) as captions."""
    captions = [set(row.texts) for row in subject.rows]
    for photo, text in zip(own, texts, strict=True):
        captions[photo].add(text)
    return wrong_photos(own, [(text,) for text in texts], captions, subject.config.seed)


def decided_metrics(
    scores: np.ndarray, labels: np.ndarray, photos: np.ndarray, config: EvaluateConfig
) -> tuple[dict[str, Metric], dict[str, Any]]:
    """What becomes of the scores when they must decide: accuracy, selective prediction, and cost where it is asked."""
    decisions = threshold_decisions(scores, labels, photos, config.seed)
    if decisions is None:
        return {}, {}
    most = max(labels.mean(), 1 - labels.mean())
    metrics = {
        "accuracy": Metric(np.where(decisions.wrong, 0.0, 100.0), photos),
        "control/majority_class/accuracy": Metric(np.full(len(labels), 100.0 * most), photos),
        **selective_metrics(decisions),
    }
    details: dict[str, Any] = {"risk_coverage": curve_of(decisions)}
    costs = costs_of(config)
    cost = expected_cost(scores, labels, photos, costs, config.seed) if costs else None
    return metrics, details | ({"cost": cost} if cost else {})


def costs_of(config: EvaluateConfig) -> Costs | None:
    """The costs that the config names; None where it names none."""
    if config.cost_missed is None or config.cost_false_alarm is None or config.cost_minute is None:
        return None
    return Costs(
        missed=config.cost_missed,
        false_alarm=config.cost_false_alarm,
        ask=config.cost_minute * config.minutes,
        false_share=config.false_share,
    )


def captions_of_others(subject: Subject) -> list[Statement]:
    """Each short caption as true, and one random caption of another photo of the split as false."""
    rows = [row for row in subject.rows if row.captions]
    generator = np.random.default_rng(subject.config.seed)
    statements = []
    for number, row in enumerate(rows):
        for caption in row.captions:
            statements.append(Statement(row.key, caption, True))
            if len(rows) < 2:
                continue
            other = rows[(number + generator.integers(1, len(rows))) % len(rows)]
            foreign = other.captions[generator.integers(len(other.captions))]
            if foreign not in row.captions:  # else it would be true of this photo as well
                statements.append(Statement(row.key, foreign, False))
    return statements


def verification_metrics(scores: np.ndarray, labels: np.ndarray, photos: np.ndarray) -> dict[str, Metric]:
    """AUROC over all, average precision, and AUROC within each photo, of scores (n,) and bool labels (n,)."""
    metrics = {
        "auroc": Metric(auroc_placements(scores, labels), photos, weighted_auroc(scores, labels)),
        "average_precision": Metric(
            scores, photos, weighted_average_precision(scores, labels), per_item=False
        ),
    }
    names, within = within_photo(scores, labels, photos)
    if len(names):
        metrics["auroc_within_photo"] = Metric(within, names)
    return metrics


def within_photo(scores: np.ndarray, labels: np.ndarray, photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photos (p,) that have sentences of both labels, and the AUROC in percent within each (p,)."""
    order = np.argsort(photos, kind="stable")
    names, starts = np.unique(photos[order], return_index=True)
    found = [
        (name, auroc(scores[members], labels[members]))
        for name, members in zip(names, np.split(order, starts[1:]), strict=True)
        if labels[members].any() and not labels[members].all()
    ]
    return np.array([name for name, _ in found]), np.array([area for _, area in found])
