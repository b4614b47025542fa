"""A measurement and the traffic light made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from lift.auditing.limits import LIMITS, advice_of

Colour = Literal["green", "yellow", "red", "grey"]


@dataclass(frozen=True)
class Measured:
    """One number about an encoder; `meaning` says it in a plain sentence.

    `judged` is what the limits apply to (default: value). `normalised` (0 bad .. 1 good) enters the score.
    `outcomes` are per-item values in percent with their clusters, in the same order for every encoder: their mean
    / 100 is `normalised`, so that two encoders can be compared on the same items. Either `skipped` gives the
    reason why nothing was measured, or `value` is there.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    unit: str = ""
    meaning: str = ""
    skipped: str = ""
    judged: float | None = None
    normalised: float | None = None
    outcomes: tuple[np.ndarray, np.ndarray] | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Light:
    """A traffic light: what was found, why it may be so, what to do. `n` counts the items measured."""

    name: str
    title: str
    question: str
    colour: Colour
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    meaning: str
    fault: str
    cause: str
    remedy: str
    normalised: float | None
    details: dict[str, Any]

    def asdict(self) -> dict[str, Any]:
        """As written into exam.json."""
        return asdict(self)


def light_of(measured: Measured) -> Light:
    """Judge a measurement by LIMITS; grey when it was skipped."""
    advice = advice_of(measured.name)
    colour: Colour = "grey"
    if measured.value is not None:
        judged = measured.value if measured.judged is None else measured.judged
        colour = LIMITS[measured.name.split("/")[0]].colour(judged)
    warns = colour in ("yellow", "red")
    return Light(
        name=measured.name,
        title=advice.title,
        question=advice.question,
        colour=colour,
        value=measured.value,
        low=_within(measured.low, measured.unit),
        high=_within(measured.high, measured.unit),
        n=measured.n,
        unit=measured.unit,
        meaning=measured.meaning or f"Not measured: {measured.skipped}.",
        fault=advice.fault if warns else "",
        cause=advice.cause if warns else "",
        remedy=advice.remedy if warns else "",
        normalised=measured.normalised,
        details=measured.details,
    )


def _within(bound: float | None, unit: str) -> float | None:
    """An interval of a percentage ends at 0 and 100; that of an AUROC's placements may pass them by a little."""
    return float(np.clip(bound, 0.0, 100.0)) if bound is not None and unit == "%" else bound
