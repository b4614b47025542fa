"""From the results of all arms and seeds on one DATASET to a verdict for every claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lift.claims.claim import CLAIMS, Claim
from lift.claims.costs import COSTS, ratios
from lift.claims.measures import FEWEST, MEASURES, Outcomes, Result
from lift.claims.rules import NOT_TESTED, Against, Leaning, judge, judge_cost, leaning
from lift.metrics import bootstrap_interval, bootstrap_means, paired_bootstrap
from lift.significance import holm

SAMPLES = 4000  # p is at least 2 / 4001, which leaves room for the correction of some dozen claims


class ArmRun(NamedTuple):
    """A finished RUN of an arm: its run.json and its results."""

    manifest: dict[str, Any]
    results: list[Result]


Arms = Mapping[str, Sequence[ArmRun]]  # arm -> its runs, in the order of the seeds


class Tested(NamedTuple):
    """A claim's numbers before it is judged."""

    lean: Leaning
    against: Against
    per_seed: list[float]
    facts: dict[str, Any]


def verdicts(
    arms: Arms, *, margin: float, recall: int, isolated: bool, alone: bool = True
) -> list[dict[str, Any]]:
    """One entry per claim of CLAIMS: arms, test, numbers, verdict and reason.

    Claims with a p-value are corrected together (Holm). Without `isolated` runs memory is not judged,
    and time only where each ran `alone`.
    """
    tested = {
        claim.number: found
        for claim in CLAIMS
        if claim.measure in MEASURES
        and (found := _test(claim, arms, margin=margin, recall=recall)) is not None
    }
    corrected = dict(zip(tested, holm([one.lean.p for one in tested.values()]), strict=True))
    rows = []
    for claim in CLAIMS:
        row: dict[str, Any] = {
            "number": claim.number,
            "claim": claim.said,
            "subject": claim.subject,
            "reference": claim.reference,
            "test": claim.test,
        }
        if claim.test == "none":
            row |= {"verdict": NOT_TESTED, "reason": claim.note}
        elif claim.measure in COSTS:
            row |= _cost(claim, arms, isolated, alone)
        elif claim.number not in tested:
            row |= {"verdict": NOT_TESTED, "reason": _missing(claim, arms, recall)}
        else:
            one, p = tested[claim.number], corrected[claim.number]
            verdict, reason = judge(claim.test, one.lean, p, one.per_seed, margin, one.against)  # type: ignore[arg-type]
            row |= one.facts | {"p": one.lean.p, "p_corrected": p, "verdict": verdict, "reason": reason}
        rows.append(row)
    return rows


def _outcomes(claim: Claim, arm: str, arms: Arms, recall: int) -> list[Outcomes] | None:
    measure = MEASURES[claim.measure][0]
    found = [measure(run.results, recall) for run in arms[arm]]
    return None if any(one is None for one in found) else found  # type: ignore[return-value]


def _missing(claim: Claim, arms: Arms, recall: int) -> str:
    found = _outcomes(claim, claim.subject, arms, recall)
    if found is None:
        return f"this DATASET offers no test: {MEASURES[claim.measure][2]}"
    return f"only {len(found[0].values)} items ({FEWEST} are needed)"


def _test(claim: Claim, arms: Arms, *, margin: float, recall: int) -> Tested | None:
    """The paired difference over photos, pooled over the seeds; None when there is nothing, or too little, to test."""
    ours, theirs = (_outcomes(claim, arm, arms, recall) for arm in (claim.subject, claim.reference))
    if ours is None or theirs is None or len(ours[0].values) < FEWEST:
        return None
    a, b = (np.concatenate([one.values for one in side]) for side in (ours, theirs))
    photos = np.concatenate([one.photos for one in ours])
    if not np.array_equal(photos, np.concatenate([one.photos for one in theirs])):
        raise AssertionError(f"claim {claim.number}: the arms were measured on different items")
    difference, low, high = paired_bootstrap(a, b, photos, samples=SAMPLES)
    lean = leaning(claim.test, bootstrap_means(a - b, photos, samples=SAMPLES), margin)  # type: ignore[arg-type]
    per_seed = [float((x.values - y.values).mean()) for x, y in zip(ours, theirs, strict=True)]
    sides = {claim.subject: (a, ours), claim.reference: (b, theirs)}
    values, better = sides[claim.subject if difference >= 0 else claim.reference]
    against = Against(
        bootstrap_interval(values, photos)[0],
        float(np.mean([one.control for one in better])),
        better[0].words,
    )
    facts = {
        "measure": MEASURES[claim.measure][1].format(k=recall),
        "n": len(ours[0].values),
        "photos": len(np.unique(photos)),
        "scores": {arm: round(float(side.mean()), 3) for arm, (side, _) in sides.items()},
        "controls": {
            arm: round(float(np.mean([one.control for one in runs])), 3) for arm, (_, runs) in sides.items()
        },
        "control_words": better[0].words,
        **{"difference": round(difference, 3), "low": round(low, 3), "high": round(high, 3)},
        "per_seed": [round(value, 3) for value in per_seed],
        "margin": margin,
    }
    return Tested(lean, against, per_seed, facts)


def _cost(claim: Claim, arms: Arms, isolated: bool, alone: bool) -> dict[str, Any]:
    _, tolerance, words = COSTS[claim.measure]
    if claim.measure == "memory" and not isolated:
        return {"verdict": NOT_TESTED, "reason": "the arms were trained in one process, which adds them up"}
    if claim.measure.startswith("seconds") and not alone:
        return {
            "verdict": NOT_TESTED,
            "reason": "the arms were trained side by side: their clocks tell nothing",
        }
    manifests = ([run.manifest for run in arms[arm]] for arm in (claim.subject, claim.reference))
    found = ratios(claim.measure, *manifests)
    verdict, reason = judge_cost(found, tolerance)
    rounded = [round(one, 4) for one in found]
    return {
        "measure": words,
        "per_seed": rounded,
        "ratio": round(float(np.median(found)), 4) if found else None,
        "tolerance": tolerance,
        "verdict": verdict,
        "reason": reason,
    }
