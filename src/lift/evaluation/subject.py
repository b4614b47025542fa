"""What is measured: the model of a RUN on one split of a DATASET; every photo and text is encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from tyro.conf import Positional

from lift.artefact import read_manifest
from lift.console import note, progress_bar
from lift.data import Dataset, Row
from lift.errors import LiftError
from lift.model import load
from lift.store import EmbeddingStore

IMAGES_AT_ONCE = 1024  # photos read from the memory-mapped pixels together
PRODUCTS_AT_ONCE = 8192  # pairs of vectors multiplied together


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure a RUN on a DATASET: one JSON per result in RUN/results, with n, seed and a 95 % interval."""

    run: Positional[Path]
    """RUN folder, made by `lift train`"""
    task: Literal["all", "retrieval", "long-retrieval", "pairs", "own-pairs", "zero-shot", "verification"] = (
        "all"
    )
    """what to measure; `all` takes every task for which the DATASET has what it needs"""
    dataset: Path | None = None
    """DATASET folder; without it the one that the RUN was trained on"""
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
    overwrite: bool = False
    """measure again also what is already there"""


class NotApplicable(LiftError):
    """The DATASET lacks what a task needs; `--task all` goes on to the next task."""


class Subject:
    """A model and the photos it is measured on; `rows[i]` belongs to `image_features[i]`."""

    def __init__(self, config: EvaluateConfig, vectors: dict[str, np.ndarray] | None = None) -> None:
        """Open RUN, DATASET and STORE of the config; `vectors` are those of texts that are known already."""
        self.config = config
        self.dataset = Dataset(config.dataset or _trained_on(config.run))
        self.model = load(config.run, device=config.device)
        self.store = EmbeddingStore(config.texts) if config.texts else None
        learnt_from = read_manifest(config.run, "run")["dataset"]["id"]
        if config.dataset is None and self.dataset.id != learnt_from:
            note(
                f"{self.dataset.folder} is no longer the DATASET that {config.run} was trained on ({learnt_from})"
            )
        self.numbers: np.ndarray = self.dataset.split(config.split)[: config.limit]
        self.rows: list[Row] = [self.dataset.rows[number] for number in self.numbers]
        self._vectors: dict[str, np.ndarray] = {} if vectors is None else vectors
        if self.dataset.resize_mode != self.model.resize_mode:
            note(
                f"{self.dataset.folder} holds photos resized by {self.dataset.resize_mode!r}, the model was "
                f"trained on {self.model.resize_mode!r}; expect lower numbers than with an equal ingest"
            )

    @cached_property
    def position_of(self) -> dict[str, int]:
        """Position in `rows` by key."""
        return {row.key: position for position, row in enumerate(self.rows)}

    @cached_property
    def image_features(self) -> np.ndarray:
        """Unit vectors (n, D) of the photos."""
        parts = []
        with progress_bar("encoding photos", len(self.numbers)) as bar:
            for start in range(0, len(self.numbers), IMAGES_AT_ONCE):
                numbers = self.numbers[start : start + IMAGES_AT_ONCE]
                pixels = self.dataset.pixels[numbers]
                parts.append(self.model.encode_image(pixels, batch_size=self.config.batch_size))
                bar.advance(len(numbers))
        return np.concatenate(parts)

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
        """Dot products (m,) of features[rows] and texts; equal texts tie, as in no matrix product."""
        products = np.empty(len(texts), dtype=np.float32)
        self.encode(texts)
        for start in range(0, len(texts), PRODUCTS_AT_ONCE):
            part = slice(start, start + PRODUCTS_AT_ONCE)
            products[part] = (features[rows[part]] * self.text_features(texts[part])).sum(axis=1)
        return products


def _trained_on(run: Path) -> Path:
    """The DATASET folder that run.json records; LiftError when there is none any more."""
    recorded = read_manifest(run, "run").get("config", {}).get("images")
    places = (Path(recorded), run.parent / Path(recorded).name) if recorded else ()
    for place in places:  # beside the RUN as well, since folders are moved together
        if (place / "dataset.json").is_file():
            return place
    raise LiftError(
        f"the photos that {run} was trained on ({recorded or 'not recorded'}) are not there",
        "name the DATASET folder: lift evaluate RUN --dataset DATASET",
    )
