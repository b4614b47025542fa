"""What is measured: the model of a RUN on one split of a DATASET; every photo and text is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from tyro.conf import Positional

from lift import __version__
from lift.artefact import digest, read_manifest
from lift.console import note, progress_bar
from lift.data import Dataset, Row, is_dataset
from lift.errors import LiftError
from lift.evaluation.caching import VectorCache
from lift.evaluation.home import results_home
from lift.model import load, resizing_note
from lift.predict import exact_scores
from lift.rival import is_rival
from lift.store import EmbeddingStore

IMAGES_AT_ONCE = 1024  # photos read from the memory-mapped pixels together
PRODUCTS_AT_ONCE = 8192  # pairs of vectors multiplied together


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure a RUN on a DATASET: one JSON per result in RUN/results, with n, seed and a 95 % interval."""

    run: Positional[Path]
    """RUN folder, made by `lift train`; or the folder or hub id of a published CLIP, SigLIP or the like"""
    task: Literal[
        "all",
        "retrieval",
        "long-retrieval",
        "pairs",
        "own-pairs",
        "zero-shot",
        "verification",
        "robustness",
    ] = "all"
    """what to measure; `all` takes every task but robustness for which the DATASET has what it needs"""
    dataset: str | Path | None = None
    """DATASET folder (or URL of one in shards); without it the one that the RUN was trained on"""
    split: Literal["train", "val", "test", "all"] = "val"
    """which photos of the DATASET"""
    pairs: Path | None = None
    """JSONL file of {image, positive, negative, kind} for pairs and verification, or of
    {image, sentence, label} for verification; `image` is a key of the DATASET"""
    most: int = 500
    """own-pairs: at most so many pairs of one kind and length"""
    classes: Path | None = None
    """class names for zero-shot, one a line; without it the labels of the DATASET"""
    template: tuple[str, ...] = ()
    """sentences for zero-shot with {} for the class name; without it a small set of our own"""
    texts: str | Path | None = None
    """STORE (folder or fsspec URL) of text vectors, so that texts in it are not encoded again"""
    limit: int | None = None
    """only the first so many photos of the split, for a quick look"""
    seed: int = 0
    """for the bootstrap, the shuffled words, the false captions, the pairs made and the choice of examples"""
    batch_size: int = 256
    """photos or texts encoded together"""
    device: str = "cpu"
    """where to encode: cpu, cuda, cuda:1, mps"""
    cost_missed: float | None = None
    """verification: what an accepted false sentence costs; with the next two gives the cost per 1,000 sentences"""
    cost_false_alarm: float | None = None
    """verification: what a rejected true sentence costs, in the same currency"""
    cost_minute: float | None = None
    """verification: what a minute of a person costs who is asked and always right"""
    minutes: float = 1.0
    """verification: minutes that a person needs for one sentence"""
    false_share: float | None = None
    """verification: how many of 100 sentences are false in daily work (default: as many as in the data)"""
    cache: Path | None = None
    """folder that keeps the vectors of photos for the next evaluation (default: `cache` beside the results)"""
    out: Path | None = None
    """folder for the results of a published model (default: rival-NAME); those of a RUN go into the RUN"""
    overwrite: bool = False
    """measure again also what is already there"""


class NotApplicable(LiftError):
    """The DATASET lacks what a task needs; `--task all` goes on to the next task."""


class Subject:
    """A model and the photos it is measured on; `rows[i]` belongs to `image_features[i]`."""

    def __init__(self, config: EvaluateConfig, vectors: dict[str, np.ndarray] | None = None) -> None:
        """Open RUN, DATASET and STORE of the config; `vectors` are those of texts that are known already."""
        self.config = config
        published = is_rival(config.run)
        if published and config.dataset is None:
            raise LiftError(f"{config.run} is no RUN, so its photos are not known", "add --dataset DATASET")
        self.dataset = Dataset(config.dataset or _trained_on(config.run))
        self.model = load(config.run, device=config.device)
        self.home = results_home(config.run, self.model, config.out)
        self.store = EmbeddingStore(config.texts) if config.texts else None
        if config.dataset is None:
            _say_if_changed(self.dataset, config.run)
        self.numbers: np.ndarray = self.dataset.split(config.split)[: config.limit]
        self.rows: list[Row] = [self.dataset.rows[number] for number in self.numbers]
        self._vectors: dict[str, np.ndarray] = {} if vectors is None else vectors
        self._passing: list[VectorCache] = []
        if warning := resizing_note(self.model, self.dataset):
            note(warning)

    @cached_property
    def position_of(self) -> dict[str, int]:
        """Position in `rows` by key."""
        return {row.key: position for position, row in enumerate(self.rows)}

    @cached_property
    def image_features(self) -> np.ndarray:
        """Unit vectors (n, D) of the photos."""
        return self.changed_features("", lambda pixels, numbers: pixels)

    def changed_features(
        self, change: str, changed: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Unit vectors (n, D) of the photos after `changed`(uint8 (b, S, S, 3), row numbers (b,)).

        `change` names what it does: vectors are kept under that name, in parts, each as soon as it is there.
        """
        cache, parts = self._cache_of(change), []
        if change:
            self._passing.append(cache)
        with progress_bar(f"encoding photos {change}".rstrip(), len(self.numbers)) as bar:
            for start in range(0, len(self.numbers), IMAGES_AT_ONCE):
                numbers = self.numbers[start : start + IMAGES_AT_ONCE]
                vectors = cache.read(start // IMAGES_AT_ONCE)
                if vectors is None:
                    pixels = changed(self.dataset.pixels[numbers], numbers)
                    vectors = self.model.encode_image(pixels, batch_size=self.config.batch_size)
                    if len(numbers) == IMAGES_AT_ONCE or self.config.limit is None:
                        cache.write(start // IMAGES_AT_ONCE, vectors)
                parts.append(vectors[: len(numbers)])
                bar.advance(len(numbers))
        return np.concatenate(parts)

    def drop_changed(self) -> None:
        """Remove the kept vectors of changed photos, which are many and of no use once the result is written."""
        for cache in self._passing:
            cache.remove()
        self._passing.clear()

    def _cache_of(self, change: str) -> VectorCache:
        """Kept vectors of this model, these photos in this split, and `change`."""
        config = self.config
        decides = [__version__, self.model.id, self.dataset.id, config.split, change, config.batch_size]
        decides.append(config.device.partition(":")[0])
        return VectorCache((config.cache or self.home / "cache") / digest(decides))

    def encode(self, texts: Sequence[str]) -> None:
        """Encode those of `texts` that were not seen before."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            vectors = self.model.encode_text(
                new, batch_size=self.config.batch_size, progress=True, store=self.store
            )
            self._vectors.update(zip(new, vectors, strict=True))

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (m, D) of `texts`."""
        self.encode(texts)
        return np.stack([self._vectors[text] for text in texts])

    def blind_scores(self, texts: Sequence[str]) -> np.ndarray:
        """Scores (m,) of `texts` against the mean photo: what can be told from the text alone."""
        mean = self.image_features.mean(axis=0, keepdims=True)
        return self._products(mean, np.zeros(len(texts), dtype=np.int64), texts)

    def scores(self, positions: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Cosine (m,) of each text with the photo at its position."""
        return self._products(self.image_features, positions, texts)

    def _products(self, features: np.ndarray, rows: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Dot products (m,) of features[rows] and texts, exact in float64: equal texts tie, as in no matrix product."""
        products = np.empty(len(texts))
        self.encode(texts)
        for start in range(0, len(texts), PRODUCTS_AT_ONCE):
            part = slice(start, start + PRODUCTS_AT_ONCE)
            products[part] = exact_scores(features[rows[part]], self.text_features(texts[part]))
        return products


def _say_if_changed(dataset: Dataset, run: Path) -> None:
    learnt_from = read_manifest(run, "run")["dataset"]["id"]
    if dataset.id != learnt_from:
        note(f"{dataset.folder} is no longer the DATASET that {run} was trained on ({learnt_from})")


def _trained_on(run: Path) -> Path | str:
    """The DATASET folder that run.json records; LiftError when there is none any more."""
    recorded = read_manifest(run, "run").get("config", {}).get("images")
    places = (recorded, run.parent / Path(recorded).name) if recorded else ()
    for place in places:  # beside the RUN as well, since folders are moved together
        if is_dataset(place):
            return place
    raise LiftError(
        f"the photos that {run} was trained on ({recorded or 'not recorded'}) are not there",
        "name the DATASET folder: lift evaluate RUN --dataset DATASET",
    )
