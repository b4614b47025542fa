"""Searches to look at, and how many of them are right: so that nobody has to take our word."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import write_json
from lift.console import say, show_table
from lift.data import Dataset
from lift.indexing import Index, picture_grid
from lift.scenes import caption_truth
from lift.store import EmbeddingStore

TOLD, DRAWN, TOP = 1000, 6, 10  # photos whose captions are searched for, captions drawn, photos shown
FIRST = (1, 5, 10)
KNOWN = "a photo of which the sentence is true (the pictures were drawn, so this is known)"
OWN = "the photo the sentence was written for (others may fit as well; nobody has said so)"


def show(opened: Index, dataset: Dataset, store: Path, out: Path, seed: int) -> tuple[str, ...]:
    """Search for every held-out caption; write search.json and, for six drawn by `seed`, search.png.

    Returns the six. The INDEX must hold the validation photos, the STORE the vectors of their captions.
    """
    numbers = dataset.split("val")
    keys = [dataset.rows[number].key for number in numbers]
    right, meaning = right_photos(dataset, numbers[:TOLD], numbers)
    texts = sorted(right)
    model = opened.load_model()
    vectors = model.encode_text(texts, store=EmbeddingStore(store))
    place = {key: number for number, key in enumerate(keys)}
    found = opened.search_many(vectors, TOP)
    marks = [
        [place[match.key] in right[text] for match in matches]
        for text, matches in zip(texts, found, strict=True)
    ]
    chosen = np.random.default_rng(seed).permutation(len(texts))[:DRAWN]  # drawn, not picked
    sentences = tuple(texts[i] for i in chosen)
    picture_grid(
        opened,
        sentences,
        [found[i] for i in chosen],
        out / "search.png",
        right=[marks[i] for i in chosen],
        legend=f"In a green frame: {meaning}.",
    )
    counts = [len(right[text]) for text in texts]
    rows = []
    for first in FIRST:
        hits = [any(mark[:first]) for mark in marks]
        rows.append(
            {
                "first": first,
                "right_drawn": sum(hits[i] for i in chosen),
                "right_all": round(100 * float(np.mean(hits)), 1),
                "chance": round(100 * chance(counts, len(keys), first), 1),
            }
        )
    write_json(
        out / "search.json",
        {
            "right": meaning,
            "photos": len(keys),
            "captions": len(texts),
            "drawn": list(sentences),
            "seed": seed,
            "model": model.id,
            "rows": rows,
        },
    )
    tell(sentences, [marks[i] for i in chosen], rows, meaning, len(texts), len(keys))
    return sentences


def right_photos(dataset: Dataset, told: np.ndarray, shown: np.ndarray) -> tuple[dict[str, set[int]], str]:
    """Which of the photos `shown` (by place) are right for each short caption of `told`, and what right means."""
    known = caption_truth(dataset, told, shown)
    if known is not None:
        return {text: set(np.flatnonzero(true).tolist()) for text, true in known.items()}, KNOWN
    place = {int(number): i for i, number in enumerate(shown)}
    own: dict[str, set[int]] = {}
    for number in told:
        row = dataset.rows[number]
        for text in row.captions or row.texts:
            own.setdefault(text, set()).add(place[int(number)])
    return own, OWN


def chance(right: Sequence[int], photos: int, first: int) -> float:
    """Mean share of queries with a right photo among `first` drawn blindly; `right` counts them per query."""
    first = min(first, photos)
    return float(np.mean([1 - comb(photos - n, first) / comb(photos, first) for n in right]))


def tell(
    sentences: tuple[str, ...],
    marks: list[list[bool]],
    rows: list[dict[str, Any]],
    meaning: str,
    captions: int,
    photos: int,
) -> None:
    """Say where the first right photo of each drawn query stands, and how often there is one, against chance."""
    say(f"Searches for {len(sentences)} captions of unseen photos, drawn by lot. Right is {meaning}.")
    for sentence, mark in zip(sentences, marks, strict=True):
        where = f"right at {mark.index(True) + 1}" if True in mark else f"not in {len(mark)}"
        say(f"  {where:>11}   {sentence}")
    show_table(
        f"a right photo among the first … of {photos:,}",
        ("first", f"of these {len(sentences)}", f"of all {captions:,} captions", "by chance"),
        [(r["first"], r["right_drawn"], f"{r['right_all']} %", f"{r['chance']} %") for r in rows],
    )
