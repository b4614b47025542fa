"""Kill a process that changes an INDEX, at random moments, and look whether a photo that it had acknowledged is lost.

    python benchmarks/index_kills.py RUN OTHER_RUN PHOTOS --work /tmp/index-kills --kills 50

A child adds and deletes photos and says so on a pipe when a call has returned; small segments become one by the way;
now and then it makes a second line by the other model and switches to it, or tidies up. After every SIGKILL the INDEX
is checked as `lift check` does and compared with what the child had said. Writes benchmarks/results/index_kills.json.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from tyro.conf import Positional

from lift.artefact import write_json
from lift.catalogue import changing, checking
from lift.indexing import Index, NewPhoto
from lift.indexing.reindexing import reindex, switch
from lift.model import load

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class KillsConfig:
    """Kills of a writer of an INDEX."""

    run: Positional[Path]
    """A RUN."""
    other: Positional[Path]
    """Another RUN, to switch to."""
    photos: Positional[Path]
    """Folder of photos, or a DATASET, that the INDEX is made of."""
    work: Path = Path("index-kills")
    """Folder for the files; deleted at the end."""
    kills: int = 50
    """How many."""
    seed: int = 0
    """For the moments."""


def picture(number: int) -> bytes:
    """A PNG of its own for every number."""
    buffer = io.BytesIO()
    drawn = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(drawn).resize((64, 64)).save(buffer, "PNG")
    return buffer.getvalue()


def write_for_ever(folder: Path, run: Path, other: Path | None = None) -> None:
    """Change the INDEX and print every change when its call has returned, until killed."""
    index, number = Index.open(folder), time.time_ns()
    models = {model.id: model for model in map(load, [run, *([other] if other else [])])}
    tell("ready", "-")
    while True:
        index.refresh()
        model = models[index.manifest["model"]["id"]]
        first = f"k{number}"
        index.add([NewPhoto(first, image_bytes=picture(number % 1000), metadata={"n": number % 100})], model)
        tell("added", first)
        index.add([NewPhoto(f"{first}-{n}", image_bytes=picture(n)) for n in range(3)], model)
        for n in range(3):
            tell("added", f"{first}-{n}")
        tell("deleting", f"{first}-0")
        index.delete([f"{first}-0"])
        tell("deleted", f"{first}-0")
        number += 1
        if other is not None and number % 5 == 0:
            aim = next(one for name, one in models.items() if name != model.id)
            tell("reindexing", "-")
            reindex(folder, aim)
            tell("switching", "-")
            switch(folder)
            tell("switched", "-")
        if number % 7 == 0:
            tell("tidying", "-")
            changing.tidy(folder, index.view, now=True)


def tell(verb: str, key: str) -> None:
    """One line, at once."""
    print(verb, key, flush=True)


def compare(folder: Path, lines: list[str], before: set[str]) -> tuple[list[str], set[str]]:
    """What is wrong after a kill; and the keys that are there."""
    faults, _ = checking.faults(folder)
    there, wrong = set(Index.open(folder).keys()), [str(fault) for fault in faults]
    said = [line.split() for line in lines if line.endswith("\n")]
    keys = {verb: {key for v, key in said if v == verb} for verb in ("added", "deleting", "deleted")}
    lost = (before | keys["added"]) - keys["deleting"] - there
    back = keys["deleted"] & there
    made_up = {key for key in there - before - keys["added"] if not key.startswith("k")}
    wrong += [f"lost: {key}" for key in sorted(lost)] + [f"not deleted: {key}" for key in sorted(back)]
    return wrong + [f"unknown: {key}" for key in sorted(made_up)], there


def main(config: KillsConfig) -> None:
    """Kill, look, go on with what is there."""
    shutil.rmtree(config.work, ignore_errors=True)
    folder, drawn = config.work / "index", random.Random(config.seed)
    there = set(Index.build(load(config.run), config.photos, folder).keys())
    faults, during, acknowledged = [], Counter[str](), 0
    began = time.perf_counter()
    for kill in range(config.kills):
        command = [sys.executable, __file__, "--writer", str(folder), str(config.run), str(config.other)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as child:
            assert child.stdout is not None
            lines = [child.stdout.readline()]
            if lines != ["ready -\n"]:
                raise RuntimeError("the writer did not begin")
            # The first change is slow, and most kills would fall into it.
            lines.append(child.stdout.readline())
            time.sleep(drawn.uniform(0.0, 2.5))
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        during[(lines[-1].split() or ["?"])[0]] += 1
        acknowledged += sum(line.startswith(("added", "deleted")) for line in lines)
        wrong, there = compare(folder, lines, there)
        faults += [f"kill {kill}: {what}" for what in wrong]
        print(
            f"kill {kill}: {len(there)} photos, after {lines[-1].strip()!r}, {len(wrong)} faults", flush=True
        )
        write_json(
            RESULTS / "index_kills.json",
            {
                "kills": kill + 1,
                "faults": faults,
                "acknowledged_changes": acknowledged,
                "last_said_before_the_kill": dict(during.most_common()),
                "photos_at_the_end": len(there),
                "seed": config.seed,
                "seconds": round(time.perf_counter() - began),
                "load": round(os.getloadavg()[0], 1),
            },
        )
    shutil.rmtree(config.work)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--writer"]:
        write_for_ever(Path(sys.argv[2]), *map(Path, sys.argv[3:]))
    else:
        main(tyro.cli(KillsConfig))
