"""A model whose vectors are known by hand, pictures in plain colours, and measuring a benchmark's folder with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lift.data import decode_image, resize_image
from lift.evaluation.benchmarks import BENCHMARKS
from lift.evaluation.benchmarks.bench import Bench
from lift.evaluation.benchmarks.folder import Folder
from lift.evaluation.benchmarks.running import measure_sheet
from lift.evaluation.results import Measurement

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
NAMES = list(COLOURS)


class Painted:
    """A photo's vector is the share of each colour in it; a text's cosines with the four colours are prescribed.

    A fifth direction, which no photo has, fills texts up to unit length. Texts without a prescription have cosine 0.
    """

    def __init__(self, cosines: dict[str, dict[str, float]]) -> None:
        self.cosines, self.asked = cosines, 0

    def prepare(self, photo: Path | Image.Image) -> np.ndarray:
        return resize_image(decode_image(photo) if isinstance(photo, Path) else photo, 8, "squash")

    def encode_pixels(self, images: np.ndarray) -> np.ndarray:
        palette = np.array(list(COLOURS.values()))
        distance = np.abs(images[..., None, :].astype(int) - palette).sum(axis=-1)
        nearest = distance.argmin(axis=-1).reshape(len(images), -1)
        shares = np.stack(
            [(nearest == number).mean(axis=1) for number in range(4)] + [np.zeros(len(images))], 1
        )
        return (shares / np.linalg.norm(shares, axis=1, keepdims=True)).astype(np.float32)

    def encode_text(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
    ) -> np.ndarray:
        self.asked += len(texts)
        return np.array([self.vector(text) for text in texts], np.float32)

    def vector(self, text: str) -> np.ndarray:
        """Unit vector (5,) of a text."""
        own = np.array([self.cosines.get(text, {}).get(name, 0.0) for name in NAMES])
        return np.append(own, np.sqrt(1 - (own**2).sum()))


def paint(path: Path, *colours: str, size: int = 16) -> str:
    """A picture of vertical stripes in the colours, as PNG data whatever its name; returns the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size, size, 3), np.uint8)
    for number, stripe in enumerate(np.array_split(np.arange(size), len(colours))):
        pixels[:, stripe] = COLOURS[colours[number]]
    Image.fromarray(pixels).save(path, "PNG")
    return path.name


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")


def write_lines(path: Path, entries: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")


def measure_folder(
    name: str, root: Path, model: Painted, protocol: str | None = None, **options: Any
) -> tuple[Measurement, Bench]:
    """What the verb measures for benchmark `name` in `root`."""
    chosen = BENCHMARKS[name]
    limit = options.pop("limit", None)
    folder = Folder(root, chosen, chosen.protocols[protocol or chosen.default], **options)
    return measure_sheet(chosen, folder, chosen.read(folder), model, limit=limit, batch_size=3)


def values(measured: Measurement) -> dict[str, float]:
    """Metric -> value in percent, rounded as in the JSON."""
    return {name: metric.entry(seed=0)["value"] for name, metric in measured.metrics.items()}
