"""Measures of search: recall among a benchmark's photos, in one language or several; zero-shot classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift.evaluation.benchmarks.bench import Bench
from lift.evaluation.benchmarks.sheets import ClassSheet, LanguageSheet, SearchSheet
from lift.evaluation.results import Measurement, Metric
from lift.evaluation.retrieval import chance_outcomes
from lift.evaluation.zero_shot import class_metrics
from lift.metrics import mean_per_class, recall_outcomes
from lift.predict import class_features, spoken

RULES = (
    "each text looks for its photo, each photo for any of its texts; only its own photo is right, also where another "
    "has the same text; ties count for what random order gives; control chance: random order"
)


def measure_search(bench: Bench, sheet: SearchSheet) -> Measurement:
    """Recall@1, 5 and 10 in both directions; photos are searched among their own fold."""
    metrics = search_metrics(bench, sheet.texts, sheet.folds)
    taking_part = sum(bool(own) for own in sheet.texts)
    return Measurement(
        protocol=f"{RULES}; {taking_part} photos"
        + ("" if sheet.folds is None else ", searched fold by fold"),
        n={"images": taking_part, "texts": sheet.size},
        metrics=metrics,
    )


def search_metrics(
    bench: Bench, texts: Sequence[Sequence[str]], folds: np.ndarray | None = None
) -> dict[str, Metric]:
    """Recall outcomes and chance of `texts[i]` with photo i; one search per fold, all queries averaged."""
    where = np.zeros(len(texts), np.int64) if folds is None else folds
    parts: dict[str, list[np.ndarray]] = {}
    clusters: dict[str, list[np.ndarray]] = {"text_to_image": [], "image_to_text": []}
    for fold in np.unique(where):
        photos = np.array([i for i, own in enumerate(texts) if own and where[i] == fold], np.int64)
        if not len(photos):
            continue
        image_of_text = np.repeat(np.arange(len(photos)), [len(texts[i]) for i in photos])
        queries = [text for i in photos for text in texts[i]]
        vectors = bench.text_features(queries)
        outcomes = recall_outcomes(bench.image_features[photos], vectors, image_of_text)
        for name, values in (outcomes | chance_outcomes(image_of_text)).items():
            parts.setdefault(name, []).append(values)
        clusters["text_to_image"].append(photos[image_of_text])
        clusters["image_to_text"].append(photos)
    joined = {side: np.concatenate(values) for side, values in clusters.items()}
    return {
        name: Metric(
            np.concatenate(values), joined["text_to_image" if "text_to_image" in name else "image_to_text"]
        )
        for name, values in parts.items()
    }


def measure_languages(bench: Bench, sheet: LanguageSheet) -> Measurement:
    """Recall per language, and the mean over languages, each of which counts as much as any other."""
    found = {language: search_metrics(bench, texts) for language, texts in sheet.texts.items()}
    metrics: dict[str, Metric] = {}
    if len(found) > 1:
        for name in next(iter(found.values())):
            each = [own[name] for own in found.values()]
            number = np.repeat(np.arange(len(each)), [len(metric.values) for metric in each])
            values = mean_per_class(np.concatenate([metric.values for metric in each]), number)
            metrics[name] = Metric(values, np.concatenate([metric.clusters for metric in each]))
    for language, own in found.items():
        for name, metric in own.items():
            control = name.startswith("control/chance/")
            bare = name.removeprefix("control/chance/")
            metrics[f"control/chance/{language}/{bare}" if control else f"{language}/{bare}"] = metric
    taking_part = {i for texts in sheet.texts.values() for i, own in enumerate(texts) if own}
    return Measurement(
        protocol=f"{RULES}; each language is searched by itself: {', '.join(found)}; without a language named: mean "
        f"over languages",
        n={"images": len(taking_part), "texts": sheet.size, "languages": len(found)},
        metrics=metrics,
    )


def measure_classes(bench: Bench, sheet: ClassSheet) -> Measurement:
    """Top-1, top-5 and mean per class over the class names put into the templates."""
    labels = np.array(sheet.labels, np.int64)
    photos = np.flatnonzero(labels >= 0)
    words = class_features(bench.text_features, [spoken(name) for name in sheet.classes], sheet.templates)
    return Measurement(
        protocol=f"{len(sheet.classes)} class names, each the mean vector of {len(sheet.templates)} sentences "
        f"({' | '.join(sheet.templates)}); ties count for what random order gives; control majority class: always the "
        "most frequent class",
        n={"images": len(photos), "classes": len(sheet.classes), "templates": len(sheet.templates)},
        metrics=class_metrics(bench.image_features[photos], words, labels[photos], photos),
    )
