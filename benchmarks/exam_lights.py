"""The exam's lights of the default encoder on Flickr8k, grocery and drawn scenes; texts only, no photo is read.

    python benchmarks/exam_lights.py [folder of the real data] [encoder ...]

Writes benchmarks/results/exam_lights.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy
import torch

import lift
from lift.auditing import ExamConfig, exam
from lift.scenes import ScenesConfig, scenes

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data"
BATCH = 1024
SCENES = 1500
LIMIT = 2000  # texts of each set
KEPT = ("colour", "title", "value", "low", "high", "n", "unit", "normalised", "meaning")


def lights_of(texts: Path, out: Path, encoders: tuple[str, ...]) -> dict[str, Any]:
    """Score and lights of every encoder on one set, without the long details."""
    content = exam(ExamConfig(texts, out, encoder=encoders, batch_size=BATCH, limit=LIMIT))
    return {
        "texts": {key: value for key, value in content["texts"].items() if key != "source"},
        "conclusion": content["conclusion"],
        "encoders": [
            {
                "name": one["name"],
                "digest": one["fingerprint"]["digest"],
                "score": one["score"],
                "lights": {light["name"]: {key: light[key] for key in KEPT} for light in one["lights"]},
            }
            for one in content["encoders"]
        ],
    }


def main(data: Path, encoders: tuple[str, ...]) -> None:
    """Examine the three sets and write the JSON."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scenes(ScenesConfig(folder / "scenes", images=SCENES, size=32))
        sources = {
            "flickr8k": data / "flickr8k" / "captions.jsonl",
            "grocery": data / "grocery" / "captions.jsonl",
            "drawn scenes": folder / "scenes",
        }
        sets = {name: lights_of(path, folder / f"exam {name}", encoders) for name, path in sources.items()}
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {
            "lift": lift.__version__,
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "torch": torch.__version__,
        },
        "batch_size": BATCH,
        "sets": sets,
    }
    path = HERE / "results" / "exam_lights.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA, tuple(sys.argv[2:]) or ("minilm",))
