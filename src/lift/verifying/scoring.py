"""Labelled pairs scored by a model; which photos are the same one, and which the model was trained on."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lift.console import progress_bar
from lift.data import BadImage, Dataset, is_dataset
from lift.errors import LiftError
from lift.model import Model, Rival
from lift.predict import exact_scores
from lift.sentences import count_words
from lift.verifying.fitting import Scored
from lift.verifying.labelled import Labelled
from lift.verifying.photos import Photos
from lift.verifying.tables import Unread

BATCH = 64


class PairScores(NamedTuple):
    """Cosine by (photo, text); of each photo its unit vector (D,) and a digest of its pixels; photos not readable."""

    scores: dict[tuple[str, str], float]
    features: dict[str, np.ndarray]
    same: dict[str, bytes]
    lost: list[Unread]


def score_pairs(model: Model | Rival, pairs: list[Labelled], photos: Photos) -> PairScores:
    """Encode every photo and every text once."""
    keys = list(dict.fromkeys(pair.photo for pair in pairs))
    found = PairScores({}, {}, {}, [])
    with progress_bar("encoding photos", len(keys)) as bar:
        for start in range(0, len(keys), BATCH):
            seen: dict[str, np.ndarray] = {}
            for key in keys[start : start + BATCH]:
                try:
                    seen[key] = photos.see(key, model).pixels
                except BadImage as error:
                    found.lost.append(Unread(0, f"{error.reason}: {key}", error.remedy))
            if seen:
                found.features.update(
                    zip(seen, model.encode_pixels(np.stack(list(seen.values()))), strict=True)
                )
            found.same.update({key: _digest(pixels) for key, pixels in seen.items()})
            bar.advance(len(keys[start : start + BATCH]))
    kept = [pair for pair in pairs if pair.photo in found.features]
    texts = list(dict.fromkeys(pair.text for pair in kept))
    vectors = dict(zip(texts, model.encode_text(texts, progress=True), strict=True))
    for pair in kept:
        cosine = exact_scores(vectors[pair.text][None], found.features[pair.photo])[0]
        found.scores[pair.photo, pair.text] = float(cosine)
    return found


def arrays_of(pairs: list[Labelled], scores: dict[tuple[str, str], float], same: dict[str, bytes]) -> Scored:
    """Pairs as arrays, in their order. Copies of a photo under other names have its number: they count once."""
    number = {sum_: place for place, sum_ in enumerate(dict.fromkeys(same[pair.photo] for pair in pairs))}
    return Scored(
        np.array([scores[pair.photo, pair.text] for pair in pairs]),
        np.array([pair.label for pair in pairs]),
        np.array([number[same[pair.photo]] for pair in pairs]),
        np.array([count_words(pair.text) for pair in pairs]),
        np.array([pair.doubtful for pair in pairs]),
    )


def trained_on(model: Model | Rival, keys: list[str], photos: Photos) -> list[str]:
    """Those of the photos that the model was trained on: of the same file name and with the same pixels.

    Empty where the DATASET of the RUN is not at hand, so nothing found is no proof.
    """
    folder = model.config.get("images")
    if folder is None or not is_dataset(Path(folder)):
        return []
    try:
        trained = Photos(Path(folder))
        dataset = Dataset(folder)
        rows = [dataset.rows[number] for number in dataset.split(model.config.get("train_split", "train"))]
    except LiftError:
        return []
    by_name: dict[str, list[str]] = {}
    for row in rows:
        by_name.setdefault(Path(row.source or row.key).name.lower(), []).append(row.key)
    found = []
    for key in keys:
        alike = by_name.get(Path(_source(photos, key)).name.lower(), [])
        if alike and any(_same(trained, other, photos, key, model) for other in alike):
            found.append(key)
    return found


def _same(trained: Photos, other: str, photos: Photos, key: str, model: Model | Rival) -> bool:
    try:
        return np.array_equal(trained.see(other, model).pixels, photos.see(key, model).pixels)
    except BadImage:
        return False


def _source(photos: Photos, key: str) -> str:
    if photos.dataset is None:
        return key
    return photos.dataset.rows[photos.dataset.index_of[key]].source or key


def _digest(pixels: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16).digest()
