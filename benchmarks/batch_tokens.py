"""How the work of CLIP's text tower is spread over the steps, by the order of the photos: a count, no time.

    python benchmarks/batch_tokens.py scenes --images 2000
    python benchmarks/batch_tokens.py flickr8k --data ../shared/data/flickr8k

For --batches random, balanced and by-length over some epochs: tokens that the tower computes per batch (padding
included, texts in buckets, as `lift train --method clip` does it), and the spread of the batches' mean text length.
Writes benchmarks/results/batch_tokens_<set>.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tyro
from tyro.conf import Positional

from lift.artefact import write_json
from lift.data import Row
from lift.data.dataset import distinct_texts
from lift.data.sampling import TextTable
from lift.scenes.captions import long_captions, short_captions
from lift.scenes.layout import sample_scene
from lift.text import length_buckets, train_tokenizer
from lift.text.encoder import count_tokens
from lift.training import TrainConfig
from lift.training.captions import Epochs

RESULTS = Path(__file__).parent / "results"
Kind = Literal["random", "balanced", "by-length"]


@dataclass(frozen=True)
class BatchTokensConfig:
    """Count the tokens of every batch of some epochs."""

    set: Positional[Literal["flickr8k", "scenes"]]
    """Which data set."""
    data: Path = Path("../shared/data/flickr8k")
    """Folder of the real photos; only their texts are read."""
    images: int = 2000
    """Scenes to describe (they are not drawn)."""
    batch_size: int = 128
    """Photos per step."""
    epochs: int = 10
    """Epochs to count."""
    seed: int = 0
    """Of the order."""


def read_rows(config: BatchTokensConfig) -> list[Row]:
    """The training photos with their texts."""
    if config.set == "flickr8k":
        lines = (config.data / "captions.jsonl").read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        return [Row(row["image"], row["captions"], "train") for row in found if row["split"] == "train"]
    drawn = (sample_scene(config.seed, number) for number in range(config.images))
    return [Row(str(n), short_captions(s), "train", long_captions(s)) for n, s in enumerate(drawn)]


def spread(values: np.ndarray) -> dict[str, float]:
    """Mean, deviation relative to it, and the extremes relative to it."""
    mean = float(values.mean())
    return {
        "mean": round(mean, 2),
        "relative_sd": round(float(values.std()) / mean, 4),
        "least": round(float(values.min()) / mean, 4),
        "most": round(float(values.max()) / mean, 4),
    }


def count(config: BatchTokensConfig) -> dict[str, Any]:
    """Per kind of batches, the spread over all batches of the epochs."""
    rows, size = read_rows(config), config.batch_size
    texts = distinct_texts(rows)
    lengths = count_tokens(train_tokenizer(texts).encode_batch, texts)
    table = TextTable(rows, {text: number for number, text in enumerate(texts)})
    found = {}
    for kind in get_args(Kind):
        chosen = TrainConfig(
            images=Path(), texts=Path(), out=Path(), batch_size=size, batches=kind, seed=config.seed
        )
        epochs = Epochs(chosen, table, None, [])
        computed, mean = [], []
        for epoch in range(config.epochs):
            order, numbers, _ = epochs.make(epoch)
            for batch in order[: len(order) // size * size].reshape(-1, size):
                tokens = lengths[numbers[batch]]
                mean.append(tokens.mean())
                computed.append(sum(len(part) * int(tokens[part].max()) for part in length_buckets(tokens)))
        found[kind] = {"computed_tokens": spread(np.array(computed)), "mean_length": spread(np.array(mean))}
    return {
        "set": config.set,
        "photos": len(rows),
        "texts": len(texts),
        "batch_size": size,
        "epochs": config.epochs,
        "seed": config.seed,
        "batches": len(rows) // size * config.epochs,
        "kinds": found,
    }


def main(config: BatchTokensConfig) -> None:
    """Count, write the JSON, show it."""
    made = count(config)
    write_json(RESULTS / f"batch_tokens_{config.set}.json", made)
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main(tyro.cli(BatchTokensConfig))
