"""When a claim is confirmed, refuted or undecided: pure functions of numbers, the same for every claim.

Differences are subject minus reference in points of 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

CONFIRMED, REFUTED, UNDECIDED, NOT_TESTED = "confirmed", "refuted", "undecided", "not tested"
ALPHA: Final = 0.05
Test = Literal["better", "on par", "not worse"]


class Leaning(NamedTuple):
    """Where the draws lean, confirmed or refuted, and the two-sided p of it."""

    towards: str
    p: float


class Against(NamedTuple):
    """Lower end of the 95 % interval of the arm that scores higher, and what that arm gets without seeing."""

    low: float
    control: float
    words: str


def leaning(test: Test, draws: np.ndarray, margin: float) -> Leaning:
    """Which way bootstrap means (s,) of the difference point, with the p-value of that way, doubled for both ways.

    p is the share of draws on the wrong side of the border, counted with one more (Davison and Hinkley 1997). For "on
    par" both borders must be crossed (two one-sided tests); p <= 0.05 then means that the 95 % interval lies on the
    right side.
    """

    def not_above(border: float) -> float:
        """p of "the difference is at most this"."""
        return (1 + np.count_nonzero(draws <= border)) / (len(draws) + 1)

    def not_below(border: float) -> float:
        """p of "the difference is at least this"."""
        return (1 + np.count_nonzero(draws >= border)) / (len(draws) + 1)

    if test == "better":
        confirm, refute = not_above(0.0), not_below(0.0)
    elif test == "not worse":
        confirm, refute = not_above(-margin), not_below(-margin)
    else:
        confirm = max(not_above(-margin), not_below(margin))
        refute = min(not_below(-margin), not_above(margin))
    towards = CONFIRMED if confirm <= refute else REFUTED
    return Leaning(towards, float(min(1.0, 2 * min(confirm, refute))))


def holds(test: Test, towards: str, difference: float, mean: float, margin: float) -> bool:
    """Whether one seed's `difference` lies on the side that the `mean` of all seeds is said to be on."""
    if test == "better":
        return difference > 0 if towards == CONFIRMED else difference < 0
    if test == "not worse":
        return difference > -margin if towards == CONFIRMED else difference < -margin
    if towards == CONFIRMED:
        return -margin < difference < margin
    return difference < -margin if mean < 0 else difference > margin


def judge(
    test: Test, lean: Leaning, p: float, per_seed: Sequence[float], margin: float, against: Against | None
) -> tuple[str, str]:
    """(verdict, reason in plain words) of a claim; p is corrected for the number of claims."""
    mean = float(np.mean(per_seed))
    if p > ALPHA:
        return UNDECIDED, _open(test, margin)
    if not all(holds(test, lean.towards, value, mean, margin) for value in per_seed):
        return UNDECIDED, "the seeds do not agree"
    if against is not None and against.low <= against.control:
        return (
            UNDECIDED,
            f"the better arm is not shown to beat {against.words} ({against.control:.1f} of 100)",
        )
    return lean.towards, _reason(test, lean.towards, mean, margin)


def _open(test: Test, margin: float) -> str:
    if test == "better":
        return "chance can explain the difference"
    border = f"±{margin:g}" if test == "on par" else f"−{margin:g}"
    return f"chance can put the difference on either side of {border} points"


def _reason(test: Test, towards: str, mean: float, margin: float) -> str:
    if test == "better":
        return "better beyond chance" if towards == CONFIRMED else "worse beyond chance"
    if test == "not worse":
        worse = f"worse by more than {margin:g} points"
        return f"not {worse}" if towards == CONFIRMED else worse
    if towards == CONFIRMED:
        return f"the difference is less than {margin:g} points either way"
    if mean > 0:
        return f"not on par but better, by more than {margin:g} points: more than was claimed"
    return f"worse by more than {margin:g} points"


def judge_cost(ratios: Sequence[float], tolerance: float) -> tuple[str, str]:
    """(verdict, reason) on "cheaper" from cost ratios, subject / reference, one per seed.

    tolerance: how far from 1 the median must lie; counted FLOPs need none, clocks and memory of a shared machine do.
    """
    if not ratios:
        return NOT_TESTED, "it was not recorded"
    middle = float(np.median(ratios))
    change = f"{abs(100 * (middle - 1)):.1f} % {'less' if middle < 1 else 'more'}"
    if middle >= 2:
        change = f"{middle:.3g} times as much"
    if max(ratios) < 1 and middle < 1 - tolerance:
        return CONFIRMED, change
    if min(ratios) > 1 and middle > 1 + tolerance:
        return REFUTED, change
    if middle == 1:
        return REFUTED if not tolerance else UNDECIDED, "exactly the same"
    why = "the seeds do not agree" if min(ratios) < 1 < max(ratios) else f"within {100 * tolerance:g} %"
    return UNDECIDED, f"{change}: {why}"
