"""Verification: how well does the score tell true sentences about a photo from false ones?"""

from __future__ import annotations

import numpy as np

from lift.evaluation.reading import Statement, in_split, read_statements
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.subject import NotApplicable, Subject
from lift.metrics import auroc, auroc_placements, weighted_auroc, weighted_average_precision

PROTOCOL = (
    "verification: chance in percent that the score (cosine) of a true sentence is above that of a false "
    "one, ties half; auroc over all photos together, auroc_within_photo among sentences of the same photo, "
    "averaged over photos that have both; control text only: the mean photo of the split replaces the photo"
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
    scored = {
        "": subject.scores(np.array(positions), texts),
        "control/text_only/": subject.blind_scores(texts),
    }
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
    return Measurement(
        protocol=f"{PROTOCOL}; {source}; {len(every) - len(kept)} left out (photo outside the split)",
        n={"images": len(set(positions)), "true": int(labels.sum()), "false": int((~labels).sum())},
        metrics=metrics,
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
