"""Zero-shot: name the class of a photo by the class name alone, without a training example of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lift.data.reading import read_text
from lift.errors import LiftError
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.selective import PROTOCOL as SELECTIVE
from lift.evaluation.selective import class_decisions, curve_of, selective_metrics
from lift.evaluation.subject import NotApplicable, Subject
from lift.metrics import hit_chances, mean_per_class
from lift.predict import DEFAULT_TEMPLATES, class_features, spoken


class Labelled(NamedTuple):
    """Photos with a label: positions in the split (n,), labels (n,); unit vectors (c, D) of all classes."""

    positions: np.ndarray
    labels: np.ndarray
    vectors: np.ndarray
    templates: tuple[str, ...]


def zero_shot(subject: Subject) -> Measurement:
    """Top-1, top-5 and mean-per-class accuracy over class names put into sentences, and selective prediction."""
    positions, labels, vectors, templates = labelled(subject)
    file, images = subject.config.classes, subject.image_features[positions]
    photos = subject.numbers[positions]
    decisions = class_decisions(images, vectors, labels, photos)
    left_out = len(subject.rows) - len(positions)
    return Measurement(
        protocol=f"zero-shot over {len(vectors)} class names ({file.name if file else 'the DATASET'}), "
        f"each the mean vector of {len(templates)} sentences ({' | '.join(templates)}); underscores read as "
        "spaces; ties count for what random order gives; control majority class: always the most frequent "
        f"class; {left_out} photos without such a label left out; {SELECTIVE}, sure by the distance to the second "
        "best class",
        n={"images": len(positions), "classes": len(vectors), "templates": len(templates)},
        metrics=class_metrics(images, vectors, labels, photos) | selective_metrics(decisions),
        details={"risk_coverage": curve_of(decisions)},
    )


def labelled(subject: Subject) -> Labelled:
    """The photos and classes to tell apart; NotApplicable where there are none."""
    file, templates = subject.config.classes, subject.config.template or DEFAULT_TEMPLATES
    for template in templates:
        if "{}" not in template:
            raise LiftError(f"the template {template!r} has no {{}}", "write {} where the class name goes")
    if all(row.label is None for row in subject.rows):
        raise NotApplicable("the photos have no class labels", "ingest photos with a class column or folders")
    classes = read_classes(file) if file else sorted({row.label for row in subject.dataset.rows if row.label})
    number_of = {name: number for number, name in enumerate(classes)}
    positions = [position for position, row in enumerate(subject.rows) if row.label in number_of]
    if not positions:
        first = next(row.label for row in subject.rows if row.label is not None)
        raise LiftError(
            f"no photo has a label that {file} lists (one has {first!r})",
            "write the class names as they are in the DATASET",
        )
    if len(classes) < 2:
        raise NotApplicable("there is one class only", "name more classes: --classes FILE")
    words = class_features(subject.text_features, [spoken(name) for name in classes], templates)
    labels = np.array([number_of[subject.rows[position].label or ""] for position in positions])
    return Labelled(np.array(positions), labels, words, tuple(templates))


def read_classes(file: Path) -> list[str]:
    """Class names of a text file, one a line; empty lines and repeats are ignored."""
    lines = read_text(file.read_bytes(), None, file.name)[0].splitlines()
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def class_metrics(
    images: np.ndarray, classes: np.ndarray, labels: np.ndarray, photos: np.ndarray
) -> dict[str, Metric]:
    """Accuracies of image vectors (n, D) against class vectors (c, D), and what guessing would get."""
    ks = [k for k in (1, 5) if k < len(classes)]
    hits = hit_chances(images, classes, (np.arange(len(images)), labels), ks)
    metrics = {f"top{k}": Metric(values, photos) for k, values in hits.items()}
    metrics["mean_per_class"] = Metric(mean_per_class(hits[1], labels), photos)
    sizes = np.bincount(labels, minlength=len(classes))
    guess = np.where(labels == sizes.argmax(), 100.0, 0.0)
    for k in ks:
        metrics[f"control/chance/top{k}"] = Metric(np.full(len(labels), 100.0 * k / len(classes)), photos)
    present = np.count_nonzero(sizes)
    metrics["control/chance/mean_per_class"] = Metric(np.full(len(labels), 100.0 / len(classes)), photos)
    metrics["control/majority_class/top1"] = Metric(guess, photos)
    metrics["control/majority_class/mean_per_class"] = Metric(np.full(len(labels), 100.0 / present), photos)
    return metrics
