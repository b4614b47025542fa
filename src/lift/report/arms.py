"""Trainings that differ in nothing but the seed are one arm: results pooled, and how far the seeds are apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lift.report.comparison import Group, mismatch
from lift.report.conclusion import headline
from lift.report.reading import Result, Run
from lift.report.wording import joined, number
from lift.significance import pooled_interval, seed_spread

#: Entries of a run's config that leave the training the same: the seed itself, names and places.
FREE = {
    "seed", "out", "name", "images", "texts", "features", "overwrite", "device", "checkpoint_minutes",
    "checkpoint_steps",
}  # fmt: skip


def pool_seeds(runs: Sequence[Run]) -> list[Run]:
    """The runs with those of one arm put together, in the place of its first; others as they are."""
    arms: dict[str, list[Run]] = {}
    for run in runs:
        arms.setdefault(arm_of(run), []).append(run)
    found = []
    for members in arms.values():
        seeds = [(run.manifest.get("config") or {}).get("seed") for run in members]
        alike = len(members) > 1 and None not in seeds and len(set(seeds)) == len(seeds)
        found += [_pooled(members)] if alike else members
    names = [run.name for run in found]
    return [
        replace(run, name=f"{run.name} ({place})") if names.count(run.name) > 1 else run
        for place, run in enumerate(found, 1)
    ]


def arm_of(run: Run) -> str:
    """Equal for runs that differ in the seed only."""
    manifest = run.manifest
    config = {key: value for key, value in (manifest.get("config") or {}).items() if key not in FREE}
    parts = [manifest.get(key) for key in ("method", "loss", "preset")]
    data, encoder = manifest.get("dataset") or {}, manifest.get("fingerprint") or {}
    own = str(run.folder) if run.is_published else ""
    return json.dumps(
        [own, *parts, data.get("id"), encoder.get("digest"), config], sort_keys=True, default=str
    )


def _pooled(members: Sequence[Run]) -> Run:
    first = members[0]
    seeds = [run.manifest["config"]["seed"] for run in members]
    by_group: list[dict[Any, Result]] = [
        {r.group: r for r in run.results if not run.has_other_weights_than(r)} for run in members
    ]
    shared = [group for group in by_group[0] if all(group in results for results in by_group)]
    results = []
    for group in shared:
        parts = [results_of[group] for results_of in by_group]
        if all(mismatch(parts[0], part, first.name) is None for part in parts[1:]):
            results.append(pooled_result(parts))
    manifest = first.manifest | {
        "config": first.manifest["config"] | {"seed": ", ".join(map(str, seeds))},
        "cost": _mean_cost([run.cost for run in members]),
        "checkpoint": {},
    }
    return replace(
        first,
        name=f"{_shared_name(members)} ({len(members)} seeds)",
        manifest=manifest,
        results=results,
        members=tuple(members),
    )


def pooled_result(parts: Sequence[Result]) -> Result:
    """One result of several seeds: means over them, with intervals over seeds and photos."""
    first = parts[0]
    pooled = Result(first.path, first.content, tuple(parts))
    metrics = {}
    for metric, entry in first.metrics.items():
        values = [part.metrics[metric]["value"] for part in parts if metric in part.metrics]
        if len(values) < len(parts):
            continue
        outcomes, clusters = pooled.outcomes(metric), pooled.clusters(metric)
        mean = float(np.mean(values))
        metrics[metric] = {"value": mean, "n": entry.get("n")}
        if outcomes is not None and abs(outcomes.mean() - mean) < 0.01:
            if clusters is None:
                clusters = np.arange(len(outcomes))
            found = pooled_interval(pooled.by_seed(metric), clusters)
            metrics[metric] |= {"low": found.low, "high": found.high}
    ids = [str((part.content.get("model") or {}).get("id", "")) for part in parts]
    content = first.content | {"metrics": metrics, "model": {"id": joined(ids)}}
    return Result(first.path, content, tuple(parts))


def noise_floor(runs: Sequence[Run], groups: Sequence[Group]) -> list[str]:
    """What chance alone does to the headline of each group: how far seeds of one arm are apart, what n can show."""
    sentences = []
    for group in groups:
        line = headline(group)
        if line is None:
            continue
        for place in group.members:
            values = _values_by_seed(runs[place], group, line.metric)
            if len(values) > 1:
                sentences.append(
                    f"{group.task} on {group.title}, {line.words}: two trainings of {runs[place].name} that differ "
                    f"in the seed only are {number(seed_spread(values))} apart on average "
                    f"({', '.join(number(value) for value in values)}); a smaller difference between single runs "
                    "says nothing."
                )
        smallest = [
            cell.difference.detectable
            for cell in line.cells
            if cell is not None and cell.difference is not None and cell.difference.detectable is not None
        ]
        if smallest:
            sentences.append(
                f"{group.task} on {group.title}, {line.words}: with these items a true difference of "
                f"{number(max(smallest))} would be shown four times out of five, a smaller one more rarely."
            )
    return sentences


def _values_by_seed(run: Run, group: Group, metric: str) -> list[float]:
    wanted = (group.task, group.dataset, group.split, group.variant)
    for result in run.results:
        if result.group == wanted:
            return [part.metrics[metric]["value"] for part in result.parts if metric in part.metrics]
    return []


def _shared_name(members: Sequence[Run]) -> str:
    """What the names have in common at their beginning, without a dangling seed: lift-seed0, lift-seed1 -> lift."""
    names = [str(run.manifest.get("name") or run.name) for run in members]
    common = names[0] if len(set(names)) == 1 else ""
    if not common:
        shortest = min(map(len, names))
        same = next((n for n in range(shortest) if len({name[n] for name in names}) > 1), shortest)
        common = names[0][:same].rstrip("-_ 0123456789")
        for ending in ("seed", "run"):
            common = common.removesuffix(ending).rstrip("-_ ")
    return common or Path(members[0].folder).resolve().name


def _mean_cost(costs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first run's cost with its numbers replaced by means over the runs."""
    return {
        key: float(np.mean([cost[key] for cost in costs]))
        if all(isinstance(cost.get(key), int | float) for cost in costs)
        else value
        for key, value in costs[0].items()
    }
