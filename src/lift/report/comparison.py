"""Laying runs side by side: what may be compared, paired differences with intervals, verdict words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lift.console import track
from lift.report.reading import Result, Run
from lift.report.testing import BETTER, UNDECIDED, UNTESTED, WORSE, Difference, paired_difference
from lift.report.wording import higher_is_better, metric_words, section_of, section_rank, split_control
from lift.significance import holm

__all__ = ["BETTER", "UNDECIDED", "UNTESTED", "WORSE", "Cell", "Difference", "Group", "Line", "NotComparable"]
STALE = "measured on earlier weights of this run: run `lift evaluate` again"


@dataclass(frozen=True)
class Cell:
    """One run's value of one metric; `difference` is against the first run that may be compared.

    `best`: ahead of every other run, beyond chance.
    """

    value: float
    low: float | None
    high: float | None
    n: int | None
    best: bool
    difference: Difference | None


@dataclass(frozen=True)
class Line:
    """One metric over all runs, in their order; None where a run has no comparable number.

    `control` names the control (text_only, shuffled, chance) whose value this is, empty for a score.
    """

    metric: str
    words: str
    control: str
    higher_is_better: bool
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Group:
    """The comparable results of one task on one split of one DATASET; `reference` numbers the first."""

    section: str
    task: str
    dataset: str
    dataset_id: str
    split: str
    variant: str
    protocol: str
    n: dict[str, int]
    seeds: tuple[int | None, ...]
    reference: int
    members: tuple[int, ...]
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """Data set, split and variant: `flickr8k (val), joined`."""
        return f"{self.dataset} ({self.split})" + (f", {self.variant}" if self.variant else "")

    @property
    def scores(self) -> list[Line]:
        """The lines that are no controls."""
        return [line for line in self.lines if not line.control]

    @property
    def controls(self) -> list[str]:
        """Names of the controls that stand beside some score."""
        return list(dict.fromkeys(line.control for line in self.lines if line.control))

    def controls_of(self, metric: str) -> list[Line]:
        """The control lines that stand beside the score `metric`."""
        return [line for line in self.lines if line.control and split_control(line.metric)[1] == metric]

    def line(self, metric: str) -> Line | None:
        """The line of `metric`, None when nobody measured it."""
        return next((line for line in self.lines if line.metric == metric), None)


@dataclass(frozen=True)
class NotComparable:
    """A result left out of the table, and why."""

    run: str
    task: str
    dataset: str
    reason: str


def compare_runs(runs: Sequence[Run]) -> tuple[list[Group], list[NotComparable]]:
    """Group the runs' results by task and data; every group is ready to be shown."""
    by_group: dict[tuple[str, str, str, str], dict[int, Result]] = {}
    stale: list[NotComparable] = []
    for number, run in enumerate(runs):
        for result in run.results:
            if run.has_other_weights_than(result):
                stale.append(_named(run, result, STALE))
                continue
            by_group.setdefault(result.group, {})[number] = result
    # Pairs made by rule come after those that somebody made: the first of a section speaks in the conclusion.
    order = sorted(by_group, key=lambda key: (section_rank(key[0], key[3]), key[0] == "own-pairs", key))
    groups: list[Group] = []
    left_out = stale
    for key in track(order, "comparing"):
        members, reasons = _comparable(by_group[key], runs)
        left_out += reasons
        if members and (len(members) > 1 or len(runs) == 1):
            groups.append(_group(members, len(runs)))
    return with_holm(groups), left_out


def _comparable(
    results: dict[int, Result], runs: Sequence[Run]
) -> tuple[dict[int, Result], list[NotComparable]]:
    """Split one group's results into those that fit the first run's and those that do not, with reasons."""
    first, reference = next(iter(results.items()))
    members, left_out = {first: reference}, []
    for number, result in list(results.items())[1:]:
        reason = mismatch(reference, result, runs[first].name)
        if reason is None:
            members[number] = result
        else:
            left_out.append(_named(runs[number], result, reason))
    if len(runs) > 1 and len(members) == 1:
        left_out.insert(0, _named(runs[first], reference, "no other run has a result that fits this one"))
    elif len(runs) > 1:
        have = set(results)
        left_out += [
            _named(run, reference, "this run was not measured on it: use `lift evaluate` to do so")
            for number, run in enumerate(runs)
            if number not in have
        ]
    return members, left_out


def _named(run: Run, result: Result, reason: str) -> NotComparable:
    variant = f", {result.variant}" if result.variant else ""
    return NotComparable(run.name, result.task, f"{result.dataset} ({result.split}){variant}", reason)


def mismatch(a: Result, b: Result, name: str) -> str | None:
    """Why result `b` must not be set against `a` (of the run `name`), None when it may."""
    ids = a.content["dataset"].get("id"), b.content["dataset"].get("id")
    if ids[0] != ids[1]:
        return f"other data under the same name: id {ids[1]}, but {ids[0]} for {name}"
    if a.protocol != b.protocol:
        return f"other protocol: “{b.protocol}”, but “{a.protocol}” for {name}"
    if a.content.get("n") != b.content.get("n"):
        return f"other number of items: {_counts(b)}, but {_counts(a)} for {name}"
    for key in sorted(set(a.per_item) & set(b.per_item)):
        same_length = a.per_item[key].shape == b.per_item[key].shape
        if not same_length or (
            key.endswith("__image") and not np.array_equal(a.per_item[key], b.per_item[key])
        ):
            return f"other queries than {name}, or in another order ({key})"
    return None


def _counts(result: Result) -> str:
    return (
        ", ".join(f"{value:,} {what}" for what, value in (result.content.get("n") or {}).items()) or "unknown"
    )


def _group(members: dict[int, Result], n_runs: int) -> Group:
    reference, first = next(iter(members.items()))
    section = section_of(first.task, first.variant)
    metrics = list(dict.fromkeys(metric for result in members.values() for metric in result.metrics))
    metrics.sort(key=lambda metric: bool(split_control(metric)[0]))  # stable: controls last
    data = first.content["dataset"]
    return Group(
        section=section,
        task=first.task,
        dataset=data["name"],
        dataset_id=data.get("id", ""),
        split=data["split"],
        variant=first.variant,
        protocol=first.protocol,
        n=first.content.get("n") or {},
        seeds=tuple(dict.fromkeys(result.content.get("seed") for result in members.values())),
        reference=reference,
        members=tuple(members),
        lines=tuple(_line(metric, section, members, n_runs) for metric in metrics),
    )


def _line(metric: str, section: str, members: dict[int, Result], n_runs: int) -> Line:
    (control, _), higher = split_control(metric), higher_is_better(metric)
    reference = next(iter(members.values()))
    measured = {
        number: result.metrics[metric]
        for number, result in members.items()
        if _is_number(result.metrics.get(metric))
    }
    best = None if control else _best(metric, higher, members, measured)
    reference_value = next(iter(members)) in measured
    cells: list[Cell | None] = [None] * n_runs
    for number, entry in measured.items():
        result = members[number]
        paired = None
        if result is not reference and reference_value and not control:
            paired = paired_difference(reference, result, metric)
        cells[number] = Cell(
            entry["value"], entry.get("low"), entry.get("high"), _n(entry), number == best, paired
        )
    return Line(metric, metric_words(metric, section), control, higher, tuple(cells))


def _best(
    metric: str, higher: bool, members: dict[int, Result], measured: dict[int, dict[str, Any]]
) -> int | None:
    """Number of the run whose lead on every other one is beyond chance, None when there is none.

    Where outcomes per query are missing, intervals that do not overlap are asked for.
    """
    if len(measured) < 2:
        return None
    order = sorted(measured, key=lambda number: measured[number]["value"], reverse=higher)
    first = order[0]
    for other in order[1:]:
        lead = paired_difference(members[other], members[first], metric)
        if lead is not None and lead.verdict != BETTER:
            return None
        if lead is None and not _apart(measured[first], measured[other], higher):
            return None
    return first


def _apart(best: dict[str, Any], other: dict[str, Any], higher: bool) -> bool:
    """Whether the interval of the better value lies wholly beyond the other's."""
    bound, its = (best.get("low"), other.get("high")) if higher else (best.get("high"), other.get("low"))
    return bound is not None and its is not None and (bound > its if higher else bound < its)


def _is_number(entry: dict[str, Any] | None) -> bool:
    return entry is not None and entry.get("value") is not None and math.isfinite(entry["value"])


def _n(entry: dict[str, Any]) -> int | None:
    return None if entry.get("n") is None else int(entry["n"])


def with_holm(groups: Sequence[Group]) -> list[Group]:
    """The groups with every p value corrected for all that were tested in the comparison (Holm 1979)."""
    cells = [cell for group in groups for line in group.lines for cell in line.cells]
    tested = [
        cell.difference.p for cell in cells if cell and cell.difference and cell.difference.p is not None
    ]
    corrected = iter(holm(tested))

    def fixed(cell: Cell | None) -> Cell | None:
        if cell is None or cell.difference is None or cell.difference.p is None:
            return cell
        return replace(cell, difference=replace(cell.difference, p_holm=next(corrected)))

    def fixed_line(line: Line) -> Line:
        return replace(line, cells=tuple(fixed(cell) for cell in line.cells))

    return [replace(group, lines=tuple(fixed_line(line) for line in group.lines)) for group in groups]
