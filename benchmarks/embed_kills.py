"""kill -9 `lift embed` at random moments, run it again until it is done, and compare with an undisturbed STORE.

    python benchmarks/embed_kills.py --work /tmp/embed-kills

A parent that has imported everything forks a child for every attempt; the child calls embed() and is killed at a moment
drawn evenly over the time that an undisturbed run takes. Each round makes a STORE of one DATASET and appends another
that overlaps it. Writes benchmarks/results/embed_kills.json.
"""

from __future__ import annotations

import json
import os
import platform
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # no threads before a fork

import numpy as np
import torch
import tyro
from transformers import BertModel  # noqa: F401 - loaded once, before the forks

from lift.artefact import new_folder, write_json
from lift.data import DatasetWriter, Row
from lift.embedding import EmbedConfig, embed
from lift.store import EmbeddingStore
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class KillsConfig:
    """Random kills of `lift embed`."""

    work: Path = Path("embed-kills")
    """Folder for the files; deleted at the end."""
    kills: int = 200
    """How many kills to make."""
    seed: int = 0
    """For the moments."""


def dataset_of(out: Path, numbers: range) -> Path:
    """A DATASET of one text per photo."""
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name=out.name, image_size=8, resize_mode="squash")
        for number in numbers:
            text = f"picture {number} of a {'very ' * (number % 5)}long series"
            writer.add(np.zeros((8, 8, 3), np.uint8), Row(f"{number}", [text], "train"))
        writer.close(request={}, report={}, source="")
    return out


def attempt(config: EmbedConfig, seconds: float | None) -> bool:
    """One run in a forked child, killed after `seconds`; True when it ended by itself."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            embed(config)
            code = 0
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"embed ended with {code}")
    return code == 0


def contents(folder: Path) -> dict[str, Any]:
    """Every file with its bytes; of a commit all but the seconds."""
    found: dict[str, Any] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(folder))
            found[name] = path.read_bytes()
            if name.startswith("commits/"):
                found[name] = {k: v for k, v in json.loads(found[name]).items() if k != "seconds"}
    return found


def main(config: KillsConfig) -> None:
    """Make the kills and write the JSON."""
    torch.set_num_threads(1)
    shutil.rmtree(config.work, ignore_errors=True)
    config.work.mkdir(parents=True)
    sets = [dataset_of(config.work / "a", range(120)), dataset_of(config.work / "b", range(80, 240))]
    straight, broken = config.work / "straight", config.work / "killed"
    took = []
    for dataset in sets:
        began = time.perf_counter()
        attempt(EmbedConfig(dataset=dataset, out=straight, shard_rows=8, batch_size=8), None)
        took.append(time.perf_counter() - began)
    expected, whole = contents(straight), EmbeddingStore(straight)
    texts = list(whole.texts())
    draw = random.Random(config.seed)
    kills = stores = lost = doubled = changed = different = faults = unreadable = 0
    moments = {"without shards": 0, "with shards": 0, "after the commit": 0}
    began = time.perf_counter()
    while kills < config.kills:
        shutil.rmtree(broken, ignore_errors=True)
        for dataset, seconds in zip(sets, took, strict=True):
            run = EmbedConfig(dataset=dataset, out=broken, shard_rows=8, batch_size=8)
            commits = len(list(broken.glob("commits/*.json")))
            while True:
                left = draw.uniform(0, seconds) if kills < config.kills else None
                if attempt(run, left):
                    break
                kills += 1
                if len(list(broken.glob("commits/*.json"))) > commits:
                    moments["after the commit"] += 1
                else:
                    moments["with shards" if list(broken.glob("shards/*.json")) else "without shards"] += 1
                if commits and EmbeddingStore(broken).contains(texts).sum() < 120:
                    unreadable += 1
        stores += 1
        store = EmbeddingStore(broken)
        found = list(store.texts())
        lost += len(set(texts) - set(found))
        doubled += len(found) - len(set(found)) + len(store.duplicates)
        changed += int((store.vectors(texts) != whole.vectors(texts)).any(axis=1).sum())
        faults += len(list(store.faults()))
        different += contents(broken) != expected
        print(f"{kills} kills, {stores} STOREs, {time.perf_counter() - began:.0f} s", flush=True)
    shutil.rmtree(config.work)
    result = {
        "kills": kills,
        "stores": stores,
        "rows_per_store": len(texts),
        "killed": moments,
        "rows_lost": lost,
        "rows_doubled": doubled,
        "rows_changed": changed,
        "faults": faults,
        "stores_that_differ_in_a_byte": different,
        "earlier_rows_unreadable_after_a_kill": unreadable,
        "seed": config.seed,
        "machine": {**machine(), "platform": platform.platform()},
        "versions": versions(),
    }
    print(result)
    write_json(RESULTS / "embed_kills.json", result)


if __name__ == "__main__":
    main(tyro.cli(KillsConfig))
