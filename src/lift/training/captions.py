"""Which text stands for a photo beyond its captions: sentences of long ones, all known beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift.data import Dataset
from lift.data.sampling import TextTable, batch_order
from lift.errors import LiftError
from lift.sentences import runs_of_rows, texts_of_runs
from lift.store import EmbeddingStore
from lift.training.config import TrainConfig
from lift.training.negatives import NegativeTable

Runs = list[list[list[str]]]


def find_sentences(config: TrainConfig, dataset: Dataset, numbers: Sequence[int]) -> Runs:
    """The runs of sentences of the photos `numbers`; empty without --sentence-share, LiftError if none exist."""
    if not config.sentence_share:
        return []
    runs = runs_of_rows([dataset.rows[n] for n in numbers], config.sentences)
    if not any(text for photo in runs for text in photo):
        raise LiftError(
            "--sentence-share takes sentences of long captions, and no training photo has one of several sentences",
            "leave --sentence-share away",
        )
    return runs


def check_sentences(config: TrainConfig, dataset: Dataset, store: EmbeddingStore, runs: Runs) -> None:
    """LiftError unless the STORE of a LIFT run holds a vector for every run of sentences."""
    texts = texts_of_runs(runs)
    missing = store.missing(texts) if config.method == "lift" else []
    if missing:
        raise LiftError(
            f"{len(missing):,} of {len(texts):,} sentences have no vector in {store.folder}, "
            f"the first: {missing[0][:80]!r}",
            f"run `lift embed {dataset.folder} --out {store.folder} --sentences {config.sentences}`, with the STORE's "
            "encoder",
        )


class Epochs:
    """What the epochs of a run look like: order of the photos, text of each, negatives of each."""

    def __init__(
        self, config: TrainConfig, table: TextTable, negatives: NegativeTable | None, runs: Runs
    ) -> None:
        """`runs` of the table's rows, or none; `negatives` by place in the table."""
        self.config, self.table, self.negatives = config, table, negatives
        self.lengths = np.zeros(max(table.number_of.values()) + 1, np.int64)
        if config.batches != "random":
            for text, number in table.number_of.items():
                self.lengths[number] = len(text.encode())  # bytes: the same for every method
        of_text = [text for photo in runs for text in photo] or [[]] * len(table.flat)
        self.counts = np.array([len(text) for text in of_text], np.int64)
        self.starts = np.cumsum(self.counts) - self.counts
        self.runs = np.array([table.number_of[run] for text in of_text for run in text], np.int64)

    def make(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Of `epoch`: the order of the rows, the number of each row's text, and of its negatives (n, K) if any.

        A pure function of the seed and the epoch. What is replaced by sentences has no negatives: they were made of,
        or found for, the whole caption.
        """
        config = self.config
        places = self.table.places(config.seed, epoch, config.long_share)
        texts = self.table.flat[places]
        own = None if self.negatives is None else self.negatives.of_epoch(config.seed, epoch, places)
        if config.sentence_share:
            lots = np.random.default_rng([config.seed, epoch, 5]).random((2, len(places)))
            cut = (lots[0] < config.sentence_share) & (self.counts[places] > 0)
            chosen = self.starts[places] + (lots[1] * self.counts[places]).astype(np.int64)
            texts = np.where(cut, self.runs[np.where(cut, chosen, 0)], texts)
            if own is not None:
                own[cut] = -1
        order = batch_order(config.seed, epoch, self.lengths[texts], config.batch_size or 1, config.batches)
        return order, texts, own
