"""Example searches as picture grids: the sentence, the photos each run found, the right one marked."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from lift.data import Dataset
from lift.errors import LiftError
from lift.report.reading import Result, Run
from lift.report.wording import SECTIONS, section_of, section_rank

QUERIES, MORE_QUERIES = 8, 4  # of the first gallery and of each later one; more would bury the page
FOUND = 5
SIDE = 128  # pixels; photos in a DATASET are often larger than a grid shows them
QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """One photo of a grid: its key, base64 JPEG, what it shows in words, and whether it is the right one."""

    key: str
    jpeg: str
    words: str
    right: bool


@dataclass(frozen=True)
class Search:
    """One sentence: its own photo, and for every run (by number) the photos found, best first."""

    query: str
    truth: Picture
    found: list[tuple[int, list[Picture]]]


@dataclass(frozen=True)
class Gallery:
    """The example searches of one DATASET, or a note on why they cannot be shown."""

    title: str
    searches: list[Search]
    note: str


def galleries(runs: Sequence[Run]) -> list[Gallery]:
    """One Gallery per DATASET and task for which some run kept examples."""
    by_group: dict[tuple[str, str, str, str], dict[int, Result]] = {}
    for number, run in enumerate(runs):
        for result in run.results:
            if "query" in next(
                iter(result.content.get("examples") or [{}])
            ):  # other examples are no searches
                by_group.setdefault(result.group, {})[number] = result
    order = sorted(by_group, key=lambda key: (section_rank(key[0], key[3]), key))
    return [
        _gallery(by_group[key], runs, MORE_QUERIES if place else QUERIES) for place, key in enumerate(order)
    ]


def _gallery(results: dict[int, Result], runs: Sequence[Run], queries: int) -> Gallery:
    first = next(iter(results.values()))
    title = f"{SECTIONS[section_of(first.task, first.variant)]}: {first.dataset} ({first.split})"
    wanted = first.content["dataset"].get("id")
    same = {
        number: result for number, result in results.items() if result.content["dataset"].get("id") == wanted
    }
    dataset = _find_dataset(runs, wanted)
    if dataset is None:
        note = (
            f"The photos are not shown, because the DATASET {first.dataset} (id {wanted}) is not where the "
            "runs were trained from; put it back there and compare again."
        )
        return Gallery(title, [], note)
    searches = [
        search
        for example in first.content["examples"]
        if (search := _search(example["query"], example["truth"], same, dataset)) is not None
    ][:queries]
    return Gallery(title, searches, "" if searches else "The runs kept no example search in common.")


def _find_dataset(runs: Sequence[Run], wanted: str | None) -> Dataset | None:
    """The DATASET with the id `wanted` among those the runs were trained on; None when it is gone."""
    for folder in dict.fromkeys(run.images_folder for run in runs):
        if folder is None:
            continue
        try:
            dataset = Dataset(folder)
        except LiftError:  # a damaged DATASET costs the pictures, not the report
            continue
        if dataset.id == wanted:
            return dataset
    return None


def _search(query: str, truth: str, results: dict[int, Result], dataset: Dataset) -> Search | None:
    """The example of `query` in all results; None when one lacks it or names a photo the DATASET has not."""
    found = []
    for number, result in results.items():
        example = next(
            (e for e in result.content["examples"] if e["query"] == query and e["truth"] == truth), None
        )
        if example is None or not {truth, *example["found"]} <= dataset.index_of.keys():
            return None
        found.append((number, [_picture(dataset, key, key == truth) for key in example["found"][:FOUND]]))
    return Search(query, _picture(dataset, truth, True), found)


def _picture(dataset: Dataset, key: str, right: bool) -> Picture:
    number = dataset.index_of[key]
    photo = Image.fromarray(dataset.pixels[number])
    if max(photo.size) > SIDE:
        photo = photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY)
    texts = dataset.rows[number].texts
    return Picture(key, base64.b64encode(file.getvalue()).decode(), texts[0] if texts else key, right)
