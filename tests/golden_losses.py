"""The first 20 losses of each method, to be compared with stored ones.

Everything that decides them is drawn by NumPy's generator and fixed: photos of noise and colour, text vectors by key,
one thread, fp32. A change of learning rate, scale, order or crop moves them; another machine's last digits do not.
Write the stored numbers again with `PYTHONPATH=src python tests/golden_losses.py`, and say in the commit why they
moved.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lift.artefact import new_folder
from lift.data import DatasetWriter, Row
from lift.training import TrainConfig, loop, train
from stores_by_hand import make_store

STORED = Path(__file__).with_name("golden_losses.json")
CURVES: dict[str, dict[str, Any]] = {
    "lift contrastive": {"loss": "contrastive"},
    "lift cosine": {"loss": "cosine"},
    "lift sigmoid": {"loss": "sigmoid"},
    "clip contrastive": {"method": "clip", "loss": "contrastive"},
}


def inputs(folder: Path) -> TrainConfig:
    """A DATASET of 40 photos in eight colours and its STORE in `folder`; 20 steps of 8 photos over them."""
    random = np.random.default_rng(7)
    colours = random.integers(0, 256, (8, 3))
    texts = [[f"colour {n % 8} is seen in photo {n}", f"number {n}"] for n in range(40)]
    with new_folder(folder / "dataset") as partial:
        writer = DatasetWriter(partial, name="golden", image_size=32, resize_mode="squash")
        for number, own in enumerate(texts):
            noise = random.integers(-40, 41, (32, 32, 3))
            pixels = np.clip(colours[number % 8] + noise, 0, 255).astype(np.uint8)
            writer.add(pixels, Row(str(number), own, "train"))
        writer.close(request={}, report={}, source="drawn by the tests")
    make_store(folder / "store", [text for own in texts for text in own])
    return TrainConfig(
        images=folder / "dataset",
        texts=folder / "store",
        out=folder / "run",
        preset="smoke",
        batch_size=8,
        epochs=4,
        warmup=4,
        validations=0,
        precision="fp32",
        tracker=("none",),
    )


def curve(config: TrainConfig, **changes: Any) -> list[float]:
    """The loss of every step, on one thread."""
    threads, every = torch.get_num_threads(), loop.LOG_EVERY
    torch.set_num_threads(1)
    loop.LOG_EVERY = 1
    try:
        train(replace(config, overwrite=True, **changes))
    finally:
        torch.set_num_threads(threads)
        loop.LOG_EVERY = every
    return [json.loads(line)["loss"] for line in (config.out / "log.jsonl").read_text().splitlines()]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        start = inputs(Path(made))
        found = {name: curve(start, **changes) for name, changes in CURVES.items()}
    STORED.write_text(json.dumps(found, indent=1) + "\n")
