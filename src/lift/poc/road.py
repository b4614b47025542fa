"""poc: the whole road in one folder, from photos and texts to a compared, searchable model that knows when to ask.

Every step is the verb of the same name; a step that is done is skipped, a killed one goes on.
"""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path

import numpy as np
from PIL import Image

from lift.artefact import refuse_foreign
from lift.auditing import ExamConfig, exam
from lift.console import note, say
from lift.data import Dataset
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.indexing import IndexConfig, index
from lift.ingest import IngestConfig, ingest
from lift.poc.config import PocConfig
from lift.poc.plan import fit_budget, make_plan
from lift.poc.showing import show
from lift.report import CompareConfig, compare
from lift.scenes import ScenesConfig, scenes
from lift.training import PRESETS, TrainConfig, train
from lift.verifying import CalibrateConfig, calibrate

METHODS = ("lift", "clip")
VAL_FRACTION = 0.075  # 450 of 6,000 drawn pictures
EXAM_TEXTS = 1500  # enough for the lights, and done in some seconds
MADE = (
    "dataset",
    "exam",
    "store",
    "runs",
    "report",
    "index",
    "calibration",
    "search.png",
    "search.json",
    "example.png",
    "plan.json",
)  # the mark last


def poc(config: PocConfig) -> Path:
    """Walk the whole road as `config` says; returns the path of the report page."""
    began, out = time.perf_counter(), config.out
    check(config)
    plan = make_plan(config)

    heading(1, "photos and texts")
    dataset, store, runs = out / "dataset", out / "store", [out / "runs" / method for method in METHODS]
    make_dataset(config, dataset)
    heading(2, "can the text encoder tell these texts apart?")
    exam(
        ExamConfig(
            texts=dataset,
            out=out / "exam",
            encoder=(config.encoder,),
            options=config.options,
            batch_size=int(PRESETS[config.preset]["batch_size"]),
            limit=EXAM_TEXTS,
        )
    )
    heading(3, "every text becomes a vector, once")
    embed(EmbedConfig(dataset=dataset, out=store, encoder=config.encoder, options=config.options))
    epochs, batch_size = fit_budget(plan, config, Dataset(dataset))
    for step, (method, run) in enumerate(zip(METHODS, runs, strict=True), 4):
        heading(step, f"training {method.upper()}, {epochs} epochs")
        train(arm_of(config, method, run, epochs, batch_size))
    heading(6, "measuring both on photos they have not seen")
    for run, method in zip(runs, METHODS, strict=True):
        evaluate(EvaluateConfig(run=run, dataset=dataset, texts=store if method == "lift" else None))
    heading(7, "comparing")
    compare(
        CompareConfig(
            runs=tuple(runs), out=out / "report", title="LIFT and CLIP on equal terms", overwrite=True
        )
    )
    heading(8, "an index to search in")
    found = Dataset(dataset)
    opened = index(IndexConfig(run=runs[0], photos=dataset, out=out / "index", split="val"))
    queries = show(opened, found, store, out, config.seed)
    heading(9, "what the model may decide by itself, and when a person must look")
    calibrated = may_decide(config, runs[0], dataset)
    farewell(out, queries[0], found, calibrated, time.perf_counter() - began)
    return out / "report" / "report.html"


def check(config: PocConfig) -> None:
    """LiftError for what cannot work; with --overwrite, what an earlier call made is removed."""
    if config.source is not None and not config.source.exists():
        raise LiftError(f"there is no {config.source}", "give the folder or table with your photos and texts")
    out = config.out
    if not 0 < config.minutes < 100_000:
        raise LiftError(f"--minutes is {config.minutes}", "give the time for training, more than 0")
    if config.source is not None and config.source.resolve().is_relative_to(out.resolve()):
        raise LiftError(f"{config.source} lies inside --out {out}", "give another folder as --out")
    if config.overwrite and out.exists():
        refuse_foreign(out, "plan.json")
        for name in MADE:
            made = out / name
            shutil.rmtree(made, ignore_errors=True) if made.is_dir() else made.unlink(missing_ok=True)


def make_dataset(config: PocConfig, dataset: Path) -> None:
    """Draw the scenes, or ingest the user's photos and texts."""
    if config.source is None:
        scenes(
            ScenesConfig(
                out=dataset,
                images=config.images,
                size=config.size,
                seed=config.seed,
                val_fraction=VAL_FRACTION,
                workers=2,
            )
        )
    else:
        ingest(
            IngestConfig(
                source=config.source,
                out=dataset,
                size=config.size,
                table=config.table,
                pairs=config.pairs,
                name=config.source.stem,
            )
        )


def arm_of(config: PocConfig, method: str, run: Path, epochs: int, batch_size: int) -> TrainConfig:
    """The training of one method; all but the method is equal."""
    return TrainConfig(
        images=config.out / "dataset",
        texts=config.out / "store",
        out=run,
        preset=config.preset,
        method=method,  # type: ignore[arg-type]
        epochs=epochs,
        batch_size=batch_size,
        flip=config.flip,
        seed=config.seed,
        validations=4,
        name=method.upper(),
    )


def may_decide(config: PocConfig, run: Path, dataset: Path) -> bool:
    """Make the CALIBRATION on the validation photos; False, and told, when they are too few for any promise."""
    try:
        calibrate(CalibrateConfig(run=run, pairs=dataset, out=config.out / "calibration", seed=config.seed))
    except LiftError as error:
        note(f"no verdicts yet: {error.problem}; what to do: {error.remedy}")
        return False
    return True


def heading(step: int, what: str) -> None:
    """Announce a step."""
    say(f"\n[{step}/9] {what}")


def example_photo(out: Path, dataset: Dataset) -> Path:
    """A photo of the validation split to try things on, written from the stored pixels."""
    file = out / "example.png"
    number = int(dataset.split("val")[0])
    Image.fromarray(np.array(dataset.pixels[number])).save(file)
    return file


def farewell(out: Path, query: str, dataset: Dataset, calibrated: bool, seconds: float) -> None:
    """Say where everything is and what to try next."""
    judged = f" --calibration {shlex.quote(str(out / 'calibration'))}" if calibrated else ""
    photo = shlex.quote(str(example_photo(out, dataset)))
    run = shlex.quote(str(out / "runs" / "lift"))
    lines = (
        f"\nDone in {seconds / 60:.1f} minutes.",
        f"  what the text encoder can do: {out / 'exam' / 'exam.html'}",
        f"  the report for your manager:  {out / 'report' / 'report.html'}",
        f"  searches as a picture:        {out / 'search.png'}",
        "Try next:",
        f"  lift search {shlex.quote(str(out / 'index'))} {shlex.quote(query)}",
        f"  lift serve {shlex.quote(str(out / 'index'))}{judged}   (a web page for everyone)",
        f"  lift verify {photo} {shlex.quote(query)} --run {run}{judged}",
        f"  lift classify {photo} --classes 'cat, dog, car' --run {run}",
    )
    for line in lines:
        say(line)
