"""What the runs cost: the cost table, totals with the offline text pass counted in, and when it pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lift.report.reading import Run
from lift.report.wording import UNKNOWN, byte_size, count, flops, joined, millions, number, seconds

FACTOR = 2.0  # from here on a ratio is told as a factor
CostRow = tuple[str, str, list[str]]  # what, a word of explanation, one text per run
NO_TEXT = "no text encoder"
Value = Callable[[Run], float | None]


def offline(run: Run) -> dict[str, Any]:
    """Seconds, flops and texts of the one-off pass of the frozen text encoder; empty when there was none."""
    return run.cost.get("offline_text") or {}


def total(run: Run, key: str, offline_key: str) -> float | None:
    """Training plus offline text pass, None when the training's part was not recorded.

    A LIFT run needs its text pass; when that was not recorded, its total is not known either.
    """
    training = run.cost.get(key)
    if training is None:
        return None
    if run.is_lift and offline(run).get(offline_key) is None:
        return None
    return float(training) + float(offline(run).get(offline_key) or 0)


def total_flops(run: Run) -> float | None:
    """Floating-point operations of training and offline text pass together."""
    return total(run, "flops_total", "flops")


def total_seconds(run: Run) -> float | None:
    """Seconds of training and offline text pass together."""
    return total(run, "seconds", "seconds")


def cost_rows(runs: Sequence[Run]) -> list[CostRow]:
    """The cost table: one row per quantity, one formatted text per run."""

    def row(
        what: str, words: str, value: Callable[[Run], float | None], form: Callable[[Any], str]
    ) -> CostRow:
        return what, words, [form(value(run)) for run in runs]

    def cost(key: str) -> Value:
        return lambda run: run.cost.get(key)

    def parameters(key: str) -> Value:
        return lambda run: (run.manifest.get("parameters") or {}).get(key)

    rows = [
        row("Samples seen", "photo–text pairs shown in training", lambda run: run.samples_seen, count),
        row("Training time", "wall clock", cost("seconds"), seconds),
        row("Samples per second", "", cost("samples_per_second"), _rate),
        row("Computation per sample", "forward and backward", cost("flops_per_sample"), flops),
        row("Computation, training", "all samples", cost("flops_total"), flops),
        row("Peak memory", "whole process on a CPU, tensors on a GPU", cost("peak_memory_bytes"), byte_size),
        row("Parameters, image side", "trained ones", _image_trained, millions),
        (
            "Parameters, text side",
            "trained ones; a frozen encoder has none",
            [NO_TEXT if run.has_words_for_labels else millions(parameters("text")(run)) for run in runs],
        ),
        (
            "Trained before",
            "what that took is in no number here",
            [run.pretrained for run in runs],
        ),
    ]
    rows.append(
        ("Offline text pass, time", "each text once, by the frozen encoder", _offline(runs, "seconds"))
    )
    rows.append(("Offline text pass, computation", "", _offline(runs, "flops")))
    rows.append(row("Total time", "training and offline text pass", total_seconds, seconds))
    rows.append(row("Total computation", "training and offline text pass", total_flops, flops))
    return rows


def _image_trained(run: Run) -> float | None:
    """Trained parameters of the image side: a locked tower has none."""
    counts = run.manifest.get("parameters") or {}
    return counts.get("image_trained", counts.get("image"))


def _rate(value: float | None) -> str:
    return UNKNOWN if value is None else (count(value) if value >= 100 else number(value))


def _offline(runs: Sequence[Run], key: str) -> list[str]:
    form = seconds if key == "seconds" else flops
    return [form(offline(run).get(key)) if run.is_lift or offline(run) else "none needed" for run in runs]


def break_even_sentences(runs: Sequence[Run]) -> list[str]:
    """For every LIFT against every other run: after how many samples the offline text pass has paid off."""
    sentences = []
    for lift_run in (run for run in runs if run.is_lift):
        for other in (run for run in runs if not run.is_lift):
            sentences.append(_break_even(lift_run, other))
    return sentences


def _break_even(run: Run, other: Run) -> str:
    spent = offline(run).get("flops")
    each, theirs = run.cost.get("flops_per_sample"), other.cost.get("flops_per_sample")
    if spent is None or each is None or theirs is None:
        return (
            f"{run.name} against {other.name}: break-even unknown, because not all computation was recorded."
        )
    saved = theirs - each
    if saved <= 0:
        return (
            f"{run.name} against {other.name}: the offline text pass ({flops(spent)}) never pays for "
            f"itself, because a training step of {run.name} needs no less computation."
        )
    samples = spent / saved
    passes = _as_passes(samples, run)
    return (
        f"{run.name} against {other.name}: {run.name} saves {flops(saved)} on every sample, so the offline "
        f"text pass ({flops(spent)}) has paid for itself after {count(samples)} samples{passes}."
    )


def _as_passes(samples: float, run: Run) -> str:
    if not run.samples_seen:
        return ""
    share = samples / run.samples_seen
    if share > 1:
        return f", {number(share)} times as many as this run saw: in this comparison it did not pay"
    return f", that is {number(100 * share)} % of this training"


def cost_sentence(runs: Sequence[Run]) -> str | None:
    """One sentence on time and computation, None when nothing was recorded."""
    timed = [run for run in runs if run.cost.get("seconds") is not None]
    if not timed:
        return None
    times = joined([f"{seconds(run.cost['seconds'])} for {run.name}" for run in timed])
    sentence = f"Training took {times}"
    clauses = _computation_clauses(runs)
    ready = [run.name for run in runs if run.manifest.get("backbone")]
    if ready:
        clauses.append(f"the image tower of {joined(ready)} had been trained before, which is not counted")
    return f"{sentence}; {'; '.join(clauses)}." if clauses else f"{sentence}."


def _computation_clauses(runs: Sequence[Run]) -> list[str]:
    """Per LIFT run, its computation against the first CLIP, else other run, without and with the offline text pass."""
    counted = [run for run in runs if not run.is_lift and run.cost.get("flops_total")]
    other = min(counted, key=lambda run: run.manifest.get("method") != "clip", default=None)
    if other is None:
        return []
    theirs = float(other.cost["flops_total"])
    alike: dict[str, list[str]] = {}  # runs of which the same is to be said are named together
    for run in runs:
        if not run.is_lift or not run.cost.get("flops_total"):
            continue
        clause = f"needed {_set_against(run.cost['flops_total'] / theirs, other.name)}"
        everything = total_flops(run)
        if everything is None:
            clause += " (its one-off text pass was not recorded and is not in this)"
        else:
            clause += f", {_much(everything / theirs)} with the one-off text pass counted in"
        alike.setdefault(clause, []).append(run.name)
    return [f"{joined(names)} {clause}" for clause, names in alike.items()]


def _set_against(ratio: float, other: str) -> str:
    return f"{_much(ratio)} computation {'as' if ratio >= FACTOR else 'than'} {other}"


def _much(ratio: float) -> str:
    """`30.0 % less`, `12.5 % more`; `34 times as much` where percents would be hard to picture."""
    if ratio >= FACTOR:
        return f"{number(ratio, 0 if ratio >= 10 else 1)} times as much"
    percent = number(abs(100 * (ratio - 1)))
    return f"{percent} % {'less' if ratio < 1 else 'more'}"
