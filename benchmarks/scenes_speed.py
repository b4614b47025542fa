"""How many scenes a second one core makes, texts and hard negatives included.

    python benchmarks/scenes_speed.py [pictures]

Writes benchmarks/results/scenes_speed.json. Seconds are those of the process itself (CPU time), so that other
work on the machine does not count; the wall clock is written beside them.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy
import PIL

import lift
from lift.scenes import ScenesConfig, draw, make_picture, sample_scene, scenes, statement_pairs


def seconds_each(work, pictures: int) -> float:
    """CPU seconds per call of `work(number)`."""
    start = time.process_time()
    for number in range(pictures):
        work(number)
    return (time.process_time() - start) / pictures


def main(pictures: int) -> None:
    """Time the whole verb in a fresh process (cold caches), then its parts."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        scenes(ScenesConfig(Path(folder) / "scenes", images=pictures))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    config = ScenesConfig(Path("unused"))
    layouts = [sample_scene(0, number) for number in range(pictures)]
    parts = {
        "layout": seconds_each(lambda number: sample_scene(0, number), pictures),
        "drawing": seconds_each(lambda number: draw(layouts[number], 64), pictures),
        "pairs": seconds_each(lambda number: [p.texts for p in statement_pairs(layouts[number])], pictures),
        "all": seconds_each(lambda number: make_picture(config, number), pictures),
    }
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {
            "lift": lift.__version__,
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "pillow": PIL.__version__,
        },
        "numbers": {
            "pictures": pictures,
            "size": 64,
            "processes": 1,
            "pictures_per_second": round(pictures / cpu, 1),
            "pictures_per_second_wall": round(pictures / wall, 1),
            "milliseconds_per_picture": {name: round(1000 * value, 3) for name, value in parts.items()},
        },
    }
    path = Path(__file__).parent / "results" / "scenes_speed.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["numbers"], indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
