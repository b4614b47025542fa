"""The verb `claims`: every DATASET embedded, all arms trained and measured, every claim judged, one page."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lift import __version__
from lift.artefact import read_manifest, refuse_foreign, write_bytes, write_json
from lift.claims.claim import ARMS
from lift.claims.config import ClaimsConfig
from lift.claims.judging import SAMPLES, ArmRun, verdicts
from lift.claims.markdown import markdown
from lift.claims.measures import Result
from lift.claims.page import render
from lift.claims.rules import ALPHA, CONFIRMED, NOT_TESTED, REFUTED, UNDECIDED
from lift.claims.training import Schedule, arm_config, command, schedule_of, side_by_side, train_arms
from lift.console import note, say, show_table
from lift.data import Dataset
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.evaluation.reading import holds_statements, read_pairs, read_statements
from lift.evaluation.subject import NotApplicable
from lift.scenes import ScenesConfig, scenes

MADE = ("claims.json", "claims.html", "claims.md", "sets", "plan.json")  # the mark last


def claims(config: ClaimsConfig) -> dict[str, Any]:
    """Test the claims as `config` says; writes claims.json, .html and .md, returns the content of claims.json."""
    config.check()
    if config.overwrite and config.out.exists():
        refuse_foreign(config.out, "plan.json")
        for name in MADE:
            made = config.out / name
            shutil.rmtree(made, ignore_errors=True) if made.is_dir() else made.unlink(missing_ok=True)
    elif config.out.is_dir() and any(config.out.iterdir()) and not (config.out / "plan.json").is_file():
        raise LiftError(f"{config.out} holds something else", "give another --out")
    found = [tested_set(config, folder) for folder in folders(config)]
    content = {
        "format": 1,
        "lift": __version__,
        "rules": {
            "alpha": ALPHA,
            "margin": config.margin,
            "recall": config.recall,
            "samples": SAMPLES,
            "most": config.most,
        },
        "arms": {arm: words for arm, (_, _, words) in ARMS.items()},
        "sets": found,
    }
    write_json(config.out / "claims.json", content)
    write_bytes(config.out / "claims.md", markdown(content).encode())
    write_bytes(config.out / "claims.html", render(content).encode())
    tell(config.out, content)
    return content


def folders(config: ClaimsConfig) -> list[Path]:
    """The DATASETs to test on; draws the scenes. LiftError when two have one name: they would share a folder."""
    found = list(config.datasets)
    if config.wants_scenes:
        drawn = config.out / "sets" / "scenes" / "dataset"
        if not (
            config.out / "plan.json"
        ).is_file():  # so that a rerun after a kill knows the folder as its own
            config.out.mkdir(parents=True, exist_ok=True)
            write_json(config.out / "plan.json", {"asked": config.asked(), "schedules": {}})
        scenes(ScenesConfig(out=drawn, images=config.images, size=config.size))
        found.append(drawn)
    names = [Dataset(folder).name for folder in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LiftError(
            f"two DATASETs are called {twice[0]!r}", "ingest one of them again under another --name"
        )
    return found


@dataclass(frozen=True)
class Site:
    """Where the runs on one DATASET live."""

    folder: Path
    dataset: Path
    schedule: Schedule

    @property
    def store(self) -> Path:
        """The STORE of its texts."""
        return self.folder / "store"

    def run(self, arm: str, seed: int) -> Path:
        """The RUN of an arm and seed."""
        return self.folder / "runs" / f"{arm}-{seed}"


def tested_set(config: ClaimsConfig, folder: Path) -> dict[str, Any]:
    """Train, measure and judge on one DATASET: an entry of claims.json's sets."""
    dataset = Dataset(folder)
    site = Site(config.out / "sets" / dataset.name.replace("/", "-"), folder, schedule_of(config, dataset))
    embed(EmbedConfig(dataset=folder, out=site.store, encoder=config.encoder, options=config.options))
    plans = {
        (arm, seed): arm_config(config, folder, site.store, site.run(arm, seed), arm, seed, site.schedule)
        for seed in config.seeds
        for arm in ARMS
    }
    train_arms(config, dataset.name, list(plans.values()))
    vectors: dict[str, np.ndarray] = {}  # of the frozen encoder, for all its arms and seeds
    arms = {
        arm: [measured(config, site, dataset, arm, seed, vectors) for seed in config.seeds] for arm in ARMS
    }
    first = arms["lift"][0].manifest
    splits = dataset.manifest["splits"]
    return {
        "name": dataset.name,
        "id": dataset.id,
        "photos": {"train": splits.get("train", 0), "measured": splits.get("val", 0)},
        "seeds": list(config.seeds),
        "epochs": site.schedule.epochs,
        "batch_size": site.schedule.batch_size,
        "samples": first["samples_seen"],
        "image_encoder": first["config"]["image_encoder"],
        "image_size": dataset.image_size,
        "text_encoder": first["fingerprint"]["name"],
        "machine": first["machine"],
        "versions": first["versions"],
        "side_by_side": side_by_side(config),
        "claims": verdicts(
            arms,
            margin=config.margin,
            recall=config.recall,
            isolated=config.isolate,
            alone=not side_by_side(config),
        ),
        "cost": {arm: [run.manifest["cost"] for run in runs] for arm, runs in arms.items()},
        "commands": {arm: command(plans[arm, config.seeds[0]]) for arm in ARMS},
    }


def measured(
    config: ClaimsConfig, site: Site, dataset: Dataset, arm: str, seed: int, vectors: dict[str, np.ndarray]
) -> ArmRun:
    """All results that the claims need of one RUN."""
    run, frozen = site.run(arm, seed), ARMS[arm][0] == "lift"
    say(f"measuring {run}")

    def asked(task: str, pairs: Path | None = None) -> list[dict[str, Any]]:
        wanted = EvaluateConfig(
            run=run,
            task=task,  # type: ignore[arg-type]
            dataset=site.dataset,
            texts=site.store if frozen else None,
            pairs=pairs,
            most=config.most,
            device=config.device,
        )
        with contextlib.redirect_stdout(io.StringIO()):  # its tables would bury the one that counts
            return evaluate(wanted, vectors if frozen else None)

    found = asked("all")
    if all(
        content["task"] != "own-pairs" for content in found
    ):  # left out where the DATASET has pairs of its own
        with contextlib.suppress(NotApplicable):
            found += asked("own-pairs")
    for file in config.sentences:
        if names_photos_of(file, dataset):
            found += asked("verification" if holds_statements(file) else "pairs", file)
    return ArmRun(read_manifest(run, "run"), [Result.of(run, content) for content in found])


def names_photos_of(file: Path, dataset: Dataset) -> bool:
    """Whether a file of sentences is about photos that are measured."""
    items: Sequence[Any] = read_statements(file) if holds_statements(file) else read_pairs(file)
    val = {dataset.rows[number].key for number in dataset.split("val")}
    if any(item.image in val for item in items):
        return True
    note(f"{file} names no photo of {dataset.name} that is measured: not used there")
    return False


def tell(out: Path, content: dict[str, Any]) -> None:
    """The table, and how many claims came out how."""
    rows = [
        [
            f"{first['number']}  {first['claim']}",
            *(one["claims"][place]["verdict"] for one in content["sets"]),
        ]
        for place, first in enumerate(content["sets"][0]["claims"])
    ]
    show_table("What the method claims", ["claim", *(one["name"] for one in content["sets"])], rows)
    for one in content["sets"]:
        found = [claim["verdict"] for claim in one["claims"]]
        counts = [f"{found.count(word)} {word}" for word in (CONFIRMED, REFUTED, UNDECIDED, NOT_TESTED)]
        say(f"{one['name']}: {', '.join(counts)}")
    say(f"{out / 'claims.html'}")
