"""kill -9 `lift ingest`, `lift train` and `lift index` 200 times, run them again, and compare with undisturbed runs.

    python benchmarks/road_kills.py --photos FOLDER --work /tmp/road-kills

FOLDER: photos with captions, as `lift ingest` reads them. Half of the kills come at a moment drawn evenly over the time
of an undisturbed run; the other half before a file operation, or at the beginning, of a phase drawn by lot, so that
short phases such as the last rename are hit too. After each kill the folder must hold nothing that a later verb takes
for a finished artefact, unless it is whole: the old one or the new one. Writes benchmarks/results/road_kills.json.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # no threads before a fork

import torch
import tyro

from killing import Child, Mark, attempt, differences, import_what_it_needs
from lift import artefact
from lift.artefact import write_json
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.indexing import IndexConfig, building, index
from lift.ingest import IngestConfig, ingest, stage
from lift.keeping import CheckConfig, check
from lift.training import TrainConfig, loop, negatives, train
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"
COMMIT = (artefact, "swap", "commit")
INGEST: tuple[Mark, ...] = (
    (stage, "decode_items", "decoding photos"),
    (stage, "_write", "writing rows and pixels"),
    COMMIT,
)
INDEX: tuple[Mark, ...] = ((building, "_write_vectors", "encoding photos"), COMMIT)
TRAIN: tuple[Mark, ...] = (
    (loop, "run_steps", "steps"),
    (negatives.NegativeTable, "_neighbours", "finding neighbours"),
    (loop, "keep_features", "asking for kept vectors"),
    (loop, "validate", "validation"),
    (loop, "save_state", "writing the resume state"),
    (loop, "finish", "finish"),
)
#: What may differ between a killed and an undisturbed run, and why; "values" in `tensorboard` may not.
MAY_DIFFER = {
    "run.json: cost.seconds": "seconds of the work that counted",
    "run.json: cost.samples_per_second": "follows from the seconds",
    "run.json: cost.peak_memory_bytes": "of the processes that the run had",
    "run.json: cost.negatives.seconds": "seconds of the search for neighbours",
    "run.json: cost.frozen_features.seconds": "seconds of the frozen body's pass",
    "log.jsonl: seconds": "seconds of the work that counted",
    "log.jsonl: samples_per_second": "of the process that took the step",
}
TENSORBOARD = (
    "one event file for each process, named by time, host and process; the curves are compared instead"
)


@dataclass(frozen=True)
class KillsConfig:
    """Random kills along the road."""

    photos: Path
    """Folder of photos with captions."""
    work: Path = Path("road-kills")
    """Folder for the files; deleted at the end."""
    count: int = 120
    """How many photos to use."""
    kills: int = 200
    """How many kills to make."""
    seed: int = 0
    """For the moments."""
    only: tuple[str, ...] = ()
    """Only these parts of the road, for a trial; nothing is written then."""


@dataclass(frozen=True)
class Part:
    """One verb with its options; `share` of the kills; `before` stands at `out` as a round begins."""

    name: str
    kind: str
    work: Callable[[], object]
    out: Path
    marks: tuple[Mark, ...]
    share: int
    before: Path | None = None


def parts_of(config: KillsConfig, base: Path) -> list[Part]:
    """The parts of the road, with their inputs below `base`, which `make_inputs` makes."""
    out, old = base / "out", base / "old"
    pictures = IngestConfig(config.photos, out, limit=config.count, size=32)
    plain = training(base, out)
    again = replace(plain, overwrite=True)
    hard = replace(plain, hard_negatives=2, neighbours=2, mask_similar=0.95)
    head = replace(plain, tune="head", min_crop=1.0)
    photos, data = (IndexConfig(base / "run", base / name, out) for name in ("photos", "data"))
    return [
        Part("ingest", "dataset", lambda: ingest(pictures), out, INGEST, 20),
        Part(
            "ingest --overwrite",
            "dataset",
            lambda: ingest(replace(pictures, overwrite=True)),
            out,
            INGEST,
            8,
            old / "data",
        ),
        Part("train", "run", lambda: train(plain), out, TRAIN, 22),
        Part("train --hard-negatives --neighbours", "run", lambda: train(hard), out, TRAIN, 18),
        Part("train --tune head", "run", lambda: train(head), out, TRAIN, 8),
        Part("train --overwrite", "run", lambda: train(again), out, TRAIN, 8, old / "run"),
        Part("index", "index", lambda: index(photos), out, INDEX, 10),
        Part(
            "index --overwrite",
            "index",
            lambda: index(replace(data, overwrite=True)),
            out,
            INDEX,
            6,
            old / "index",
        ),
    ]


def training(base: Path, out: Path) -> TrainConfig:
    """A short training in fp32 with a tiny encoder and several savings of the resume state."""
    return TrainConfig(
        base / "data",
        base / "texts",
        out,
        preset="smoke",
        epochs=6,
        precision="fp32",
        checkpoint_steps=6,
        validations=3,
    )


def make_inputs(config: KillsConfig, base: Path) -> None:
    """What the parts read, and the older artefacts that --overwrite replaces."""
    data, old = base / "data", base / "old"
    pictures = IngestConfig(config.photos, data, limit=config.count, size=32)
    dataset = ingest(pictures)
    for row in dataset.rows:
        (base / "photos" / row.key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(config.photos / row.key, base / "photos" / row.key)
    embed(EmbedConfig(data, base / "texts", hard_negatives=True))
    train(training(base, base / "run"))
    ingest(replace(pictures, out=old / "data", limit=config.count // 2))
    train(replace(training(base, old / "run"), epochs=1))
    index(IndexConfig(old / "run", data, old / "index"))


def found_after(part: Part, straight: Path) -> str:
    """What a later verb meets at `out` after a kill; LiftError when it would take what is not whole."""
    aside = part.out.with_name(f".{part.out.name}.old").exists()
    if not (part.out / f"{part.kind}.json").is_file():
        with contextlib.suppress(LiftError):
            artefact.read_manifest(part.out, part.kind)
            raise RuntimeError(f"{part.out} is read without a manifest")
        return "nothing, the old one put aside" if aside else "nothing finished"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        check(CheckConfig(str(part.out)))
    for name, folder in (("the new one, whole", straight), ("the old one, whole", part.before)):
        if folder is not None:
            differing = differences(folder, part.out)
            if all(one in MAY_DIFFER or "resume/" in one or "features/" in one for one in differing):
                return name
    raise LiftError(f"{part.out} is neither the old nor the new one", "mend lift")


def begin(part: Part) -> None:
    """The place as it is before the verb's first run."""
    for path in (part.out, *part.out.parent.glob(f".{part.out.name}.*")):
        shutil.rmtree(path, ignore_errors=True)
    if part.before is not None:
        shutil.copytree(part.before, part.out)


def kill_part(part: Part, kills: int, draw: random.Random, base: Path) -> dict[str, Any]:
    """Make `kills` kills of one part, run it to its end after every few, and compare; returns the counts."""
    child, log, straight = Child(part.marks, part.out), base / "child.log", base / "straight"
    shutil.rmtree(straight, ignore_errors=True)
    begin(part)
    whole = attempt(part.work, child, log)
    begun = child.begun
    part.out.rename(straight)
    phases, found, differing = Counter[str](), Counter[str](), Counter[str]()
    done = rounds = wrong = leftovers = faults = 0
    broken: list[str] = []
    while done < kills:
        begin(part)
        for _ in range(min(draw.randint(2, 5), kills - done)):
            if (done + rounds) % 2:
                ended = attempt(part.work, child, log, seconds=draw.uniform(0, whole.seconds))
            else:
                place = draw.choice(begun[draw.choice(sorted(begun))])
                ended = attempt(part.work, child, log, operation=place)
            if not ended.killed:
                break
            done += 1
            phases[ended.phase] += 1
            try:
                found[found_after(part, straight)] += 1
            except LiftError as error:
                found["BROKEN"] += 1
                broken.append(f"{ended.phase}: {error.problem}")
        try:
            attempt(part.work, child, log)
        except RuntimeError as error:
            faults += 1
            broken.append(f"run again: {str(error)[-600:]}")
            continue
        rounds += 1
        with contextlib.redirect_stdout(io.StringIO()):
            check(CheckConfig(str(part.out)))
        differs = differences(straight, part.out)
        differing.update(differs)
        wrong += any(one not in MAY_DIFFER for one in differs)
        partial = [path for path in part.out.rglob("*") if path.name.endswith((".partial", ".old"))]
        leftovers += len(partial) + len(list(part.out.parent.glob(f".{part.out.name}.*")))
    return {
        "kills": done,
        "rounds": rounds,
        "seconds_undisturbed": round(whole.seconds, 2),
        "file_operations_undisturbed": whole.operations,
        "killed_during": dict(phases.most_common()),
        "found_after_a_kill": dict(found.most_common()),
        "reruns_that_failed": faults,
        "rounds_that_differ": wrong,
        "leftovers": leftovers,
        "fields_that_differ": dict(sorted(differing.items())),
        **({"broken": broken} if broken else {}),
    }


def main(config: KillsConfig) -> None:
    """Make the kills and write the JSON."""
    torch.set_num_threads(1)
    base = config.work.resolve()
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    began = time.perf_counter()
    import_what_it_needs(lambda: make_inputs(config, base), base / "child.log")
    parts = [part for part in parts_of(config, base) if not config.only or part.name in config.only]
    draw, shares = random.Random(config.seed), sum(part.share for part in parts)
    made: dict[str, Any] = {}
    left = config.kills
    for number, part in enumerate(parts):
        kills = left if number == len(parts) - 1 else round(config.kills * part.share / shares)
        left -= kills
        made[part.name] = kill_part(part, kills, draw, base)
        print(f"{time.perf_counter() - began:.0f} s, {part.name}: {made[part.name]}", flush=True)
    shutil.rmtree(base)
    if config.only:
        return
    result = {
        "kills": sum(one["kills"] for one in made.values()),
        "rounds": sum(one["rounds"] for one in made.values()),
        "rounds_that_differ": sum(one["rounds_that_differ"] for one in made.values()),
        "found_broken": sum(one["found_after_a_kill"].get("BROKEN", 0) for one in made.values()),
        "reruns_that_failed": sum(one["reruns_that_failed"] for one in made.values()),
        "leftovers": sum(one["leftovers"] for one in made.values()),
        "photos": config.count,
        "protocol": "SIGKILL from a parent that has everything imported and forks a child for each attempt, so that "
        "an attempt costs the work alone; half at a moment drawn evenly over an undisturbed run, half before a file "
        "operation, or at the beginning, of a phase drawn by lot",
        "may_differ": {**MAY_DIFFER, "tensorboard/": TENSORBOARD},
        "parts": made,
        "seed": config.seed,
        "seconds": round(time.perf_counter() - began),
        "machine": {**machine(), "platform": platform.platform()},
        "versions": versions(),
    }
    write_json(RESULTS / "road_kills.json", result)


if __name__ == "__main__":
    main(tyro.cli(KillsConfig))
