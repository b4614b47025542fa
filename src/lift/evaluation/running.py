"""The verb `evaluate`: each wanted task once, skipped when its result is already there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from lift.artefact import sha256_file
from lift.console import note, say
from lift.errors import LiftError
from lift.evaluation.own_pairs import own_pairs
from lift.evaluation.pairs import pairs
from lift.evaluation.results import (
    Measurement,
    finished_result,
    refuse_other_data,
    result_path,
    show_result,
    write_result,
)
from lift.evaluation.retrieval import long_retrieval, retrieval
from lift.evaluation.robustness import robustness
from lift.evaluation.subject import EvaluateConfig, NotApplicable, Subject
from lift.evaluation.telling import tell_details
from lift.evaluation.verification import costs_of, verification
from lift.evaluation.zero_shot import zero_shot


class Task(NamedTuple):
    """How to measure, and on which files and other fields of the config (by name) the outcome depends."""

    measure: Callable[[Subject], Measurement]
    reads: tuple[str, ...] = ()
    asked_only: bool = False  # too slow to be part of `all`
    minds: tuple[str, ...] = ()


TASKS: dict[str, Task] = {
    "retrieval": Task(retrieval),
    "long-retrieval": Task(long_retrieval),
    "pairs": Task(pairs, reads=("pairs",)),
    "own-pairs": Task(own_pairs, minds=("most",)),
    "zero-shot": Task(zero_shot, reads=("classes",)),
    "verification": Task(verification, reads=("pairs",)),
    "robustness": Task(robustness, reads=("classes",), asked_only=True),
}


def evaluate(config: EvaluateConfig, vectors: dict[str, np.ndarray] | None = None) -> list[dict[str, Any]]:
    """Measure the tasks of `config`, write RUN/results/*.json, print tables; returns the JSONs' contents.

    vectors: text -> unit vector, filled as texts are encoded; give one dict to several RUNs on one frozen encoder.
    """
    for name in ("pairs", "classes"):
        file = getattr(config, name)
        if file is not None and not file.is_file():
            raise LiftError(f"there is no file {file}", f"give --{name} a file that exists")
    if config.limit is not None and config.limit < 2:
        raise LiftError(f"--limit {config.limit} leaves nothing to compare", "use 2 photos or more")
    if min(config.batch_size, config.most) < 1 or config.seed < 0:
        raise LiftError("--batch-size and --most must be 1 or more, --seed 0 or more", "leave them out")
    check_costs(config)
    subject = Subject(config, vectors)
    if config.task != "all":
        return [_result_of(config.task, subject)]
    results = []
    for name in (name for name, task in TASKS.items() if not task.asked_only):
        try:
            results.append(_result_of(name, subject))
        except NotApplicable as reason:
            note(f"{name}: left out, {reason.problem}")
    return results


def check_costs(config: EvaluateConfig) -> None:
    """LiftError for costs that are incomplete or senseless."""
    given = {name: getattr(config, f"cost_{name}") for name in ("missed", "false_alarm", "minute")}
    lacks = [name for name, value in given.items() if value is None]
    if lacks and len(lacks) < len(given):
        raise LiftError(
            "the cost per 1,000 sentences needs all three costs",
            "add " + ", ".join(f"--cost-{name.replace('_', '-')}" for name in lacks),
        )
    share = config.false_share
    if any(value is not None and value < 0 for value in given.values()) or config.minutes < 0:
        raise LiftError("costs and minutes must be 0 or more", "leave out the sign")
    if share is not None and not 0 < share < 100:
        raise LiftError(f"--false-share {share:g} is no share of 100", "give a number between 0 and 100")


def _result_of(name: str, subject: Subject) -> dict[str, Any]:
    """One task's result, measured and written unless the same request was answered before."""
    config, dataset, model = subject.config, subject.dataset, subject.model
    files = {field: getattr(config, field) for field in TASKS[name].reads if getattr(config, field)}
    variant = [file.stem for file in files.values()] + ([f"first{config.limit}"] if config.limit else [])
    path = result_path(subject.home, name, f"{dataset.name}-{config.split}", "-".join(variant))
    request = {
        "task": name,
        "model": model.id,
        "dataset": dataset.id,
        "split": config.split,
        "seed": config.seed,
        "limit": config.limit,
        "files": {field: sha256_file(file) for field, file in files.items()},
        "template": list(config.template) if name in ("zero-shot", "robustness") else [],
        "costs": asdict(costs) if name == "verification" and (costs := costs_of(config)) else None,
        "stored_texts": config.texts is not None,
        **{field: getattr(config, field) for field in TASKS[name].minds},
    }
    if not config.overwrite:
        refuse_other_data(path, dataset.id)
    result = None if config.overwrite else finished_result(path, request)
    if result is not None:
        note(f"{name}: already done, {path}")
    else:
        note(f"{name}: measuring")
        began = time.monotonic()
        measured = TASKS[name].measure(subject)
        facts = {
            "task": name,
            "dataset": {"name": dataset.name, "id": dataset.id, "split": config.split},
            "model": {
                "id": model.id,
                "method": model.method,
                "run": subject.home.resolve().name,
                "fingerprint": model.fingerprint.asdict(),
            },
            "seed": config.seed,
            "seconds": round(time.monotonic() - began, 2),
            "request": request,
        }
        result = write_result(path, measured, facts)
        subject.drop_changed()
    show_result(result)
    tell_details(result.get("details") or {})
    say(f"  {path}")
    return result
