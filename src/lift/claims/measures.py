"""What a claim is measured by: outcomes in percent of one RUN, item by item, with the photo of each, and a control."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Result:
    """One result of a RUN: content of the JSON and arrays of the npz."""

    content: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, run: Path, content: dict[str, Any]) -> Result:
        """The result that `lift evaluate` returned, with its arrays."""
        with np.load(run / "results" / content["per_item"], allow_pickle=False) as arrays:
            return cls(content, {key: arrays[key] for key in arrays.files})

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.content["task"]

    @property
    def given(self) -> bool:
        """Whether it was measured on sentences of a file."""
        return bool(self.content["request"]["files"].get("pairs"))

    def items(self, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Outcomes (n,) in percent and photos (n,) of a metric; None when it was not measured."""
        key = metric.replace("/", "__")
        return (self.arrays[key], self.arrays[f"{key}__image"]) if key in self.arrays else None

    def control(self, metric: str, *which: str) -> float:
        """The highest of these controls in percent; those that were not measured count 0."""
        metrics = self.content["metrics"]
        found = [metrics[name]["value"] for one in which if (name := f"control/{one}/{metric}") in metrics]
        return max(found, default=0.0)


class Outcomes(NamedTuple):
    """Percent (n,) of each item, its photo (n,), and what a model that does not see would get, in percent and words."""

    values: np.ndarray
    photos: np.ndarray
    control: float
    words: str


BLIND: Final = "choosing without the right photo"
Measure = Callable[[Sequence[Result], int], Outcomes | None]


def _search(task: str) -> Measure:
    """Recall both ways, as one number per photo: the mean of its texts' outcomes and its own, halved."""

    def measure(results: Sequence[Result], k: int) -> Outcomes | None:
        for result in results:
            if result.task == task:
                names = (f"text_to_image/recall@{k}", f"image_to_text/recall@{k}")
                values, photos = both_ways(*(result.items(name) for name in names))  # type: ignore[arg-type]
                chances = [result.control(name, "chance") for name in names]
                return Outcomes(values, photos, sum(chances) / 2, "guessing")
        return None

    return measure


def both_ways(
    to_image: tuple[np.ndarray, np.ndarray], to_text: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """One value per photo (p,) from outcomes of its texts and of itself, and the photos (p,), ascending."""
    photos, place = np.unique(to_image[1], return_inverse=True)
    of_texts = np.bincount(place, weights=to_image[0]) / np.bincount(place)
    of_photo = to_text[0][np.argsort(to_text[1], kind="stable")]
    return (of_texts + of_photo) / 2, photos


def _classes(results: Sequence[Result], k: int) -> Outcomes | None:
    for result in results:
        if result.task == "zero-shot" and (items := result.items("top1")) is not None:
            control = result.control("top1", "chance", "majority_class")
            return Outcomes(*items, control, "always naming the most frequent class")
    return None


ORDER: Final = {"order", "swap", "swapped", "role"}
ATTRIBUTE: Final = {"attribute", "att", "colour", "color", "size", "material"}
RELATION: Final = {"relation", "rel", "left", "right", "position", "place", "spatial"}


def group_of(kind: str) -> str:
    """order, attribute, relation or other: which claim a kind of pair speaks to, by the words of its name."""
    words = set(re.findall(r"[a-z]+", kind.lower()))
    groups = {"order": ORDER, "attribute": ATTRIBUTE, "relation": RELATION}
    return next((group for group, known in groups.items() if words & known), "other")


def _pairs(group: str | None) -> Measure:
    """Pair accuracy over the kinds of a group, or over all, on pairs of the DATASET, of files, and made by rule."""

    def measure(results: Sequence[Result], k: int) -> Outcomes | None:
        found: list[tuple[np.ndarray, np.ndarray, float]] = []
        for result in results:
            if result.task not in ("pairs", "own-pairs"):
                continue
            names = [n for n in result.content["metrics"] if re.fullmatch(r"pair_accuracy/[^/]+", n)]
            kinds = [n.partition("/")[2] for n in names]
            wanted = ["all"] if group is None else [kind for kind in kinds if group_of(kind) == group]
            for kind in wanted:
                name = f"pair_accuracy/{kind}"
                if (items := result.items(name)) is not None:
                    found.append((*items, result.control(name, "text_only", "wrong_photo")))
        if not found:
            return None
        sizes = [len(values) for values, _, _ in found]
        control = float(np.average([value for _, _, value in found], weights=sizes))
        values, photos = (np.concatenate([one[i] for one in found]) for i in (0, 1))
        return Outcomes(values, photos, max(control, 50.0), BLIND)

    return measure


def _sentences(results: Sequence[Result], k: int) -> Outcomes | None:
    for result in results:
        if result.task == "verification" and result.given and (items := result.items("auroc")) is not None:
            return Outcomes(*items, max(50.0, result.control("auroc", "text_only")), BLIND)
    return None


#: Measure of a claim -> (outcomes of a RUN's results, words; {k}: --recall, why it may be missing).
MEASURES: Final[dict[str, tuple[Measure, str, str]]] = {
    "short": (_search("retrieval"), "right one among the first {k}, mean of both ways", "no short captions"),
    "long": (_search("long-retrieval"), "right one among the first {k}, mean of both ways", "no long texts"),
    "classes": (_classes, "right class named first", "the photos have no class labels"),
    "order": (_pairs("order"), "true sentence preferred", "no pairs of changed word order"),
    "attribute": (_pairs("attribute"), "true sentence preferred", "no pairs of changed attributes"),
    "relation": (_pairs("relation"), "true sentence preferred", "no pairs of changed relations"),
    "changed": (_pairs(None), "true sentence preferred, all kinds", "no pairs"),
    "sentences": (_sentences, "true above false (AUROC)", "no --sentences with true and false ones"),
}
FEWEST: Final = 30  # items below which nothing is judged
