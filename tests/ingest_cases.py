"""Small sources for the ingest tests, and short ways to run and read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lift.data import Dataset
from lift.ingest import IngestConfig, ingest
from test_decoding import encoded


def picture(number: int, side: int = 48) -> Image.Image:
    """A smooth random picture, different for each number."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def photos(folder: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / name)


def run(source: Path, out: Path | None = None, **options: Any) -> Dataset:
    out = out or source.with_name(f"{source.name}-out")
    return ingest(IngestConfig(source=source, out=out, **{"size": 16, "val_fraction": 0.0} | options))


def report(dataset: Dataset) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((dataset.folder / "report.json").read_text())
    return value


def reasons(dataset: Dataset) -> dict[str, str]:
    return {entry["file"]: entry["reason"] for entry in report(dataset)["set_aside"]}


def captions(dataset: Dataset) -> dict[str, list[str]]:
    return {row.key: row.captions for row in dataset.rows}


def leaky(source: Path) -> None:
    """Six photos; 1.png (val) is 0.png (train) smaller, recompressed and with a date stamp."""
    photos(source, [f"{number}.png" for number in range(6)])
    near = picture(0, 40)
    ImageDraw.Draw(near).rectangle((26, 36, 38, 39), fill=(255, 160, 0))
    (source / "1.png").write_bytes(encoded(near, "JPEG", quality=80))
    rows = [
        {
            "image": f"{n}.png",
            "caption": "the same" if n in (2, 3) else f"text {n}",
            "split": "val" if n % 2 else "train",
        }
        for n in range(6)
    ]
    (source / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))


FOUR = ["a.png", "b.png", "c.png", "d.png"]
TABLE = [
    {"image": "a.png", "caption": "an apple", "split": "train"},
    {"image": "a.png", "caption": "a red apple", "split": "train"},
    {"image": "b.png", "caption": "a ball", "split": "validation"},
    {"image": "c.png", "caption": "a car", "split": "test"},
    {"image": "d.png", "caption": "a dog", "split": "Training"},
]
READ = {"a.png": ["an apple", "a red apple"], "b.png": ["a ball"], "c.png": ["a car"], "d.png": ["a dog"]}
