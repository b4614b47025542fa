"""What a query encoder keeps of the recall of the encoder it stands in for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lift.data import Dataset
from lift.errors import LiftError
from lift.metrics import hit_chances, statistic_interval
from lift.model import load
from lift.predict import top_k
from lift.store import EmbeddingStore

CAPTIONS = 5
SEARCHED = 200_000  # stored vectors among which neighbours are looked for


@dataclass(frozen=True)
class Kept:
    """Shares (0 to 1) of the original's recall@1 and recall@10 that the student keeps; 95 % interval of the second.

    recall1 is None where the original's own recall@1 is 0.
    """

    recall1: float | None
    recall10: float
    low: float
    high: float
    n: int
    protocol: str

    def asdict(self) -> dict[str, object]:
        """The fields, shares rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def kept_neighbours(vectors: np.ndarray, held: np.ndarray, own: np.ndarray, seed: int) -> Kept:
    """Does the student find what the original ranks first?

    vectors: the original's unit vectors (n, D); held: rows that the student never learnt from; own: the student's
    vectors (m, D) of those rows. Relevant is the stored text that the original finds nearest to the query, the
    query itself apart; so the original's own recall is 1.
    """
    pool = vectors[:SEARCHED]
    held, own = held[held < len(pool)], own[held < len(pool)]
    nearest, _ = top_k(pool, pool[held], 2)
    relevant = np.where(nearest[:, 0] == held, nearest[:, 1], nearest[:, 0])
    found, _ = top_k(pool, own, 11)
    ranks = [
        [row for row in rows.tolist() if row != itself][:10] for rows, itself in zip(found, held, strict=True)
    ]
    first = np.array([goal in rows[:1] for goal, rows in zip(relevant, ranks, strict=True)], float)
    ten = np.array([goal in rows for goal, rows in zip(relevant, ranks, strict=True)], float)
    return summary(
        (first, ten),
        (np.ones_like(first), np.ones_like(ten)),
        np.arange(len(held)),
        seed,
        f"held-out texts look for the stored text that the original ranks first, among {len(pool):,}",
    )


def kept_photos(
    run: Path,
    dataset_folder: Path,
    store: EmbeddingStore,
    encode: Callable[[list[str]], np.ndarray],
    seed: int,
) -> Kept:
    """Recall of the validation photos by their captions, with the student and with the original text vectors."""
    model, dataset = load(run), Dataset(dataset_folder)
    if not model.fingerprint.matches(store.fingerprint):
        raise LiftError(
            f"{run} was trained on {model.fingerprint}, the STORE was made by {store.fingerprint}",
            "give the RUN that was trained on this STORE",
        )
    numbers = [n for n in dataset.split("val") if dataset.rows[n].captions]
    captions = [dataset.rows[n].captions[:CAPTIONS] for n in numbers]
    texts = [text for own in captions for text in own]
    owner = np.repeat(np.arange(len(captions)), [len(own) for own in captions])
    images = model.encode_image(dataset.pixels[np.array(numbers)])
    pairs = (np.arange(len(texts)), owner)
    student = hit_chances(encode(texts), images, pairs, (1, 10))
    original = hit_chances(model.encode_text(texts, store=store), images, pairs, (1, 10))
    return summary(
        (student[1], student[10]),
        (original[1], original[10]),
        owner,
        seed,
        f"captions look for their photo among {len(images):,} of the split val",
    )


def summary(
    student: tuple[np.ndarray, ...],
    original: tuple[np.ndarray, ...],
    clusters: np.ndarray,
    seed: int,
    protocol: str,
) -> Kept:
    """Ratios of the means of per-query outcomes, the second with its interval over resampled clusters."""
    if not original[1].any():
        raise LiftError(
            "the original finds none of them itself", "train the RUN longer, or measure without --run"
        )
    ratios = [float(a.mean() / b.mean()) if b.any() else None for a, b in zip(student, original, strict=True)]
    assert ratios[1] is not None
    low, high = statistic_interval(
        lambda weights: (weights @ student[1]) / np.maximum(weights @ original[1], 1e-12), clusters, seed
    )
    return Kept(ratios[0], ratios[1], low, high, len(student[0]), protocol)
