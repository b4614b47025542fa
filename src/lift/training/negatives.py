"""Negatives that a fixed text space makes cheap: changed captions and nearest captions, all known beforehand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lift.checkpoint import load_tensors, save_tensors
from lift.console import note, progress_bar
from lift.data import Dataset, Row
from lift.data.dataset import distinct_texts
from lift.data.sampling import TextTable, drawn
from lift.errors import LiftError
from lift.losses import OwnNegatives
from lift.negatives import Negative, count_kinds, hard_negatives, texts_of
from lift.rewording import bare, same_meaning
from lift.store import EmbeddingStore
from lift.training.arms import Arm, LiftArm
from lift.training.config import TrainConfig

SAME = 0.9999  # the cosine from which on an encoder, stored in float16, tells nothing of a difference
CHUNK_NUMBERS = 1 << 24  # cosines in memory at once
SPARE = 16  # neighbours looked for beyond those wanted: some say the same as a text of the photo itself

Found = list[list[list[Negative]]]


def find_hard_negatives(config: TrainConfig, dataset: Dataset, numbers: Sequence[int]) -> Found:
    """The hard negatives of the training photos `numbers`; empty without --hard-negatives, LiftError if none exist."""
    if not config.hard_negatives:
        return []
    found = hard_negatives(dataset, numbers, config.hard_kinds)
    if not any(text for photo in found for text in photo):
        raise LiftError(
            "no caption of the training photos has a hard negative"
            + (f" of these kinds ({', '.join(config.hard_kinds)})" if config.hard_kinds else ""),
            "name other --hard-kinds, or use --neighbours instead of --hard-negatives",
        )
    return found


def check_vectors_of(config: TrainConfig, dataset: Dataset, store: EmbeddingStore, found: Found) -> None:
    """LiftError unless the STORE holds a vector for every hard negative: no text is encoded during training."""
    texts = texts_of(found)
    missing = store.missing(texts)
    if missing:
        kinds = f" --hard-kinds {' '.join(config.hard_kinds)}" if config.hard_kinds else ""
        raise LiftError(
            f"{len(missing):,} of {len(texts):,} hard negatives have no vector in {store.folder}, "
            f"the first: {missing[0][:80]!r}",
            f"run `lift embed {dataset.folder} --out {store.folder} --hard-negatives{kinds}`, with the STORE's encoder",
        )


class NegativeTable:
    """The negatives of every text of every photo, by place in a TextTable and by number of the text."""

    def __init__(self, config: TrainConfig, rows: Sequence[Row], arm: LiftArm, found: Found) -> None:
        """Look up the changed captions `found`, and search the neighbours, or read those a killed run has found."""
        table = TextTable(rows, arm.number_of)
        self.count, self.seconds, self.flops = config.hard_negatives, 0.0, 0
        self.apart = config.hard_weight > 0 and config.neighbours > 0
        self.changed, unseen = changed_numbers(table.flat, found, arm)
        self.near = np.zeros((len(table.flat), 0), np.int64)
        self.facts: dict[str, Any] = {}
        if found:
            share = (self.changed >= 0).any(1).mean()
            kinds = count_kinds(found)
            self.facts["hard"] = {
                "captions": round(float(share), 4),
                "kinds": kinds,
                "same_vector": unseen,
            }
            note(
                f"{share:.0%} of {len(table.flat):,} captions have hard negatives: "
                + ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
                + (f"; {unseen:,} that the text encoder cannot tell apart were left out" if unseen else "")
            )
        if config.neighbours:
            self.near = self._neighbours(config, rows, table, arm)
            self.facts["neighbours"] = {"captions": round(float((self.near >= 0).any(1).mean()), 4)}

    @property
    def cost(self) -> dict[str, Any]:
        """Of finding the neighbours, as it stands in run.json."""
        return {"seconds": round(self.seconds, 2), "flops": self.flops}

    def of_epoch(self, seed: int, epoch: int, places: np.ndarray) -> np.ndarray:
        """Numbers of the negatives of the texts at `places`, in `epoch`: int64 (n, K), neighbours last, -1 for none."""
        changed = self.changed[places]
        chosen = drawn(seed, epoch, changed >= 0, self.count)
        picked = np.where(chosen >= 0, np.take_along_axis(changed, chosen.clip(0), 1), -1)
        if self.apart:  # the first `count` columns have a loss of their own, which is none of the neighbours'
            picked = np.pad(picked, ((0, 0), (0, self.count - picked.shape[1])), constant_values=-1)
        return np.concatenate([picked, self.near[places]], axis=1)

    def _neighbours(
        self, config: TrainConfig, rows: Sequence[Row], table: TextTable, arm: LiftArm
    ) -> np.ndarray:
        kept = config.out / "resume" / "neighbours"
        if kept.is_dir():
            groups, facts = load_tensors(kept)
            self.seconds, self.flops = facts["seconds"], facts["flops"]
            return groups["neighbours"]["numbers"].numpy()
        began = time.perf_counter()
        texts = distinct_texts(rows)
        vectors = arm.vectors[: len(texts)]
        most = int(table.counts.max())
        similar = min(SAME, config.mask_similar or SAME)
        nearest = nearest_rows(vectors, config.neighbours + most + SPARE, similar)
        found = neighbours_of(rows, table, texts, nearest, config.neighbours)
        self.seconds = time.perf_counter() - began
        self.flops = 2 * len(texts) ** 2 * vectors.shape[1]
        keep(kept, found, self.seconds, self.flops)
        return found


def changed_numbers(flat: np.ndarray, found: Found, arm: LiftArm) -> tuple[np.ndarray, int]:
    """Numbers of the changed captions of each text of `flat`: int64 (texts, most), -1 for none.

    And how many were left out because their vector is that of the text they were made from.
    """
    of_text = [text for photo in found for text in photo]
    most = max((len(text) for text in of_text), default=0)
    numbers = np.full((len(flat), most), -1, np.int64)
    for place, text in enumerate(of_text):
        numbers[place, : len(text)] = [arm.number_of[one.text] for one in text]
    unseen = 0
    for column in range(most):
        there = np.flatnonzero(numbers[:, column] >= 0)
        for part in np.array_split(there, -(-len(there) // 16384) or 1):
            one, two = arm.text_features(flat[part]), arm.text_features(numbers[part, column])
            same = part[((one * two).sum(-1) > SAME).cpu().numpy()]
            numbers[same, column] = -1
            unseen += len(same)
    return numbers, unseen


def nearest_rows(vectors: Tensor, count: int, similar: float) -> np.ndarray:
    """The `count` nearest other rows of each of the unit vectors (N, D), nearest first: int64 (N, count), -1 for none.

    Exact, by all cosines, a part of the rows at a time. Rows with a cosine above `similar` are passed over.
    """
    total = len(vectors)
    count = min(count, total)
    out = np.empty((total, count), np.int64)
    step = max(1, CHUNK_NUMBERS // max(total, 1))
    with progress_bar("nearest captions", total) as bar:
        for start in range(0, total, step):
            cosines = vectors[start : start + step] @ vectors.T
            cosines.masked_fill_(cosines > similar, -2.0)
            cosines[torch.arange(len(cosines)), torch.arange(start, start + len(cosines))] = -2.0
            value, index = cosines.topk(count, dim=1)
            index[value < -1.5] = -1
            out[start : start + step] = index.cpu().numpy()
            bar.advance(len(cosines))
    return out


def neighbours_of(
    rows: Sequence[Row], table: TextTable, texts: Sequence[str], nearest: np.ndarray, count: int
) -> np.ndarray:
    """The `count` nearest texts of other photos for each place of the table: int64 (places, count), -1 for none.

    What is a text of the same photo, or one paraphrase of such a text, is passed over.
    """
    out = np.full((len(table.flat), count), -1, np.int64)
    bares = [bare(text) for text in texts]
    place = 0
    for row in rows:
        true: set[str] = set().union(*(same_meaning(text) for text in row.texts))
        for _ in row.texts:
            candidates = nearest[table.flat[place]]
            chosen = [n for n in candidates if n >= 0 and bares[n] not in true][:count]
            out[place, : len(chosen)] = chosen
            place += 1
    return out


def keep(folder: Path, numbers: np.ndarray, seconds: float, flops: int) -> None:
    """Keep the neighbours for a run that is resumed: another machine might break ties in another way."""
    group = {"numbers": torch.from_numpy(numbers)}
    save_tensors(folder, {"neighbours": group}, {"seconds": seconds, "flops": flops})


def gather(arm: Arm, numbers: np.ndarray, device: str) -> OwnNegatives:
    """The vectors of a batch's negatives, by number (B, K)."""
    there = torch.from_numpy(numbers >= 0).to(device)
    return OwnNegatives(arm.text_features(numbers.clip(0)), there)
