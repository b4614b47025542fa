"""The guard over loss and gradient: what is not finite or far above its recent median is kept for a person to look at.

A robust rule, since the numbers of a training fall by themselves and their spread with them: a value is a spike when it
lies more than FAR robust standard deviations (1.4826 times the median absolute deviation) above the median of the last
WINDOW values, and is at least FACTORS times that median. Before LEAST values are known, and while the learning rate
rises, nothing is judged: gradients grow and shrink with it. A spike joins the values, so that a lasting change is
normal after half a window.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lift.artefact import write_json
from lift.console import note
from lift.errors import LiftError
from lift.training.arms import Arm
from lift.training.batches import BatchMaker
from lift.training.config import TrainConfig

WINDOW, LEAST = 100, 30
FAR = 10.0
FACTORS = {"loss": 1.5, "grad_norm": 10.0}  # on drawn scenes 6.5 was seen in a sound training
NAMES = {"loss": "loss", "grad_norm": "gradient norm"}
MOST_FILES = 100  # of a batch of 16,384 photos one has 3 MB
MOST_IN_A_ROW = 20  # skipped steps: the weights themselves are ruined, or the photos are

Photos = Callable[[int], list[dict[str, Any]]]


class Verdict(NamedTuple):
    """Whether the step is left out, and what the log tells of it (empty: nothing strange)."""

    skip: bool
    entry: dict[str, float]


class Guard:
    """Judges every step by its loss and gradient norm; `state` is part of the resume state."""

    def __init__(
        self,
        config: TrainConfig,
        photos: Photos,
        known: dict[str, Any] | None = None,
        first: int = 0,
        *,
        rising: int = 0,
        writes: bool = True,
    ) -> None:
        """photos: what the batch of a step holds. known: `state` as it was saved at step `first`.

        rising: steps in which the learning rate rises. writes: whether this process writes files.
        """
        self.rising, self.writes = rising, writes
        self.folder, self.action, self.photos = config.out / "spikes", config.on_spike, photos
        known = known or {}
        self.recent = {name: deque(known.get(name, ()), WINDOW) for name in FACTORS}
        self.counts: dict[str, int] = known.get("counts", {"spikes": 0, "not_finite": 0, "skipped": 0})
        self.in_a_row: int = known.get("in_a_row", 0)
        for file in self.folder.glob("step-*.json") if writes else ():  # of steps that will be taken again
            if int(file.stem.partition("-")[2]) > first:
                file.unlink()

    @property
    def state(self) -> dict[str, Any]:
        """What a killed run needs to judge as an undisturbed one."""
        recent = {name: list(values) for name, values in self.recent.items()}
        return {**recent, "counts": dict(self.counts), "in_a_row": self.in_a_row}

    def judge(self, step: int, loss: Tensor, norm: Tensor, *, scale: Tensor, rate: float) -> Verdict:
        """Of step number `step`, counted from 1, before its update: one wait for the device, as for the norm alone.

        Raises LiftError where the run has to stop; the batch has then been kept.
        """
        both = torch.stack([loss.detach().float(), norm.detach().float()]).tolist()
        values = dict(zip(FACTORS, both, strict=True))
        finite = all(map(math.isfinite, both))
        reason = "" if finite else "the loss or its gradient is no longer finite"
        if finite and step > self.rising:
            reason = self._spike(values)
        medians = (
            {name: median(known) if known else None for name, known in self.recent.items()} if reason else {}
        )
        if finite and self.action != "off":
            for name, value in values.items():
                self.recent[name].append(value)
        if not reason:
            self.in_a_row = 0
            return Verdict(False, {})
        does = self.action if self.action in ("stop", "skip") else ("note" if finite else "stop")
        self.counts["spikes" if finite else "not_finite"] += 1
        file = self.folder / f"step-{step}.json"
        kept = self.counts["spikes"] + self.counts["not_finite"] <= MOST_FILES or does == "stop"
        if kept and self.writes:
            facts = {"reason": reason, "done": does, **_readable(values), "median": medians}
            facts |= {"logit_scale": _plain(scale.item()), "learning_rate": rate}
            self.folder.mkdir(exist_ok=True)
            write_json(file, {"step": step, **facts, "photos": self.photos(step)})
        if does == "stop":
            raise stopped(step, reason, values, file)
        if does == "note":
            note(f"step {step}: {reason}; its photos are in {file}" if kept else f"step {step}: {reason}")
            return Verdict(False, {**values, "spike": 1})
        self._count_skipped(step, reason, file, kept)
        return Verdict(True, {**values, "spike": 1, "skipped": 1})

    def _spike(self, values: dict[str, float]) -> str:
        """Why finite values are far above the recent ones; empty when they are not."""
        if self.action == "off":
            return ""
        found = []
        for name, value in values.items():
            middle, bound = bounds(self.recent[name], FACTORS[name])
            if value > bound:
                found.append(
                    f"the {NAMES[name]} is {value:.4g}, {value / middle:.3g} times its recent median {middle:.4g}"
                )
        return "; ".join(found)

    def _count_skipped(self, step: int, reason: str, file: Path, kept: bool) -> None:
        self.counts["skipped"] += 1
        self.in_a_row += 1
        where = f"; its photos are in {file}" if kept else ""
        note(f"step {step} is left out: {reason}{where}")
        if self.in_a_row >= MOST_IN_A_ROW:
            raise LiftError(
                f"{self.in_a_row} steps in a row had to be left out, the last one step {step}: {reason}",
                f"look at the photos and texts in {self.folder}; then lower --lr, lengthen --warmup or use "
                "--precision fp32, with another --out",
            )


def bounds(recent: Sequence[float] | deque[float], factor: float) -> tuple[float, float]:
    """(median, the value above which the next one is a spike) of recent values; infinity while they are too few."""
    if len(recent) < LEAST:
        return math.nan, math.inf
    middle = median(recent)
    spread = 1.4826 * median(abs(value - middle) for value in recent)
    return middle, max(middle + FAR * spread, factor * middle)


def stopped(step: int, reason: str, values: dict[str, float], file: Path) -> LiftError:
    """What to tell when the run stops at `step`."""
    numbers = ", ".join(f"{NAMES[name]} {value:.4g}" for name, value in values.items())
    return LiftError(
        f"stopped at step {step}: {reason} ({numbers}); the batch is in {file}",
        "look at its photos and texts; lower --lr, lengthen --warmup or use --precision fp32, with another --out; or "
        "give the command again with --on-spike skip, which leaves such steps out",
    )


def photos_of(make_batch: BatchMaker, arm: Arm) -> Photos:
    """A function from the step (counted from 1) to the photos and texts of its batch, made anew from the seed."""

    def photos(step: int) -> list[dict[str, Any]]:
        texts, found = list(arm.number_of), []
        for key, text, negatives in make_batch.listed(step - 1):
            own = {"negatives": [texts[n] for n in negatives]} if len(negatives) else {}
            found.append({"key": key, "text": texts[text], **own})
        return found

    return photos


def _readable(values: dict[str, float]) -> dict[str, float | str]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: float) -> float | str:
    """JSON knows no nan and no infinity."""
    return value if math.isfinite(value) else str(value)
