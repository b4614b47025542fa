"""When a claim is confirmed, refuted, undecided: at the borders, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lift.claims.claim import ARMS, CLAIMS
from lift.claims.costs import COSTS, ratios
from lift.claims.judging import SAMPLES
from lift.claims.measures import MEASURES, both_ways, group_of
from lift.claims.rules import (
    CONFIRMED,
    NOT_TESTED,
    REFUTED,
    UNDECIDED,
    Against,
    Leaning,
    Test,
    holds,
    judge,
    judge_cost,
    leaning,
)
from lift.metrics import bootstrap_means, paired_bootstrap

DRAWS = np.arange(
    1, 100, dtype=float
)  # 1 … 99: below a border of k lie k of 99, counted with one more of 100


@pytest.mark.parametrize(
    ("test", "shift", "towards", "p"),
    [
        ("better", 0.0, CONFIRMED, 2 * 1 / 100),  # no draw is 0 or less
        ("better", -1.0, CONFIRMED, 2 * 2 / 100),  # one is exactly 0
        ("better", -100.0, REFUTED, 2 * 1 / 100),
        ("better", -50.0, CONFIRMED, 1.0),  # 50 on either side, the 0 on both: no more than 1
        ("not worse", -3.0, CONFIRMED, 2 * 1 / 100),  # -2 … 96, all above -3
        ("not worse", -4.0, CONFIRMED, 2 * 2 / 100),  # one is exactly -3
        ("not worse", -103.0, REFUTED, 2 * 1 / 100),  # all below -3
        ("on par", -50.0, CONFIRMED, 2 * 48 / 100),  # of -49 … 49, 47 are -3 or less and 47 are 3 or more
        ("on par", 3.0, REFUTED, 2 * 1 / 100),  # 4 … 102: all above 3
        ("on par", 2.0, REFUTED, 2 * 2 / 100),
        ("on par", -103.0, REFUTED, 2 * 1 / 100),
    ],
)
def test_p_by_counting(test: Test, shift: float, towards: str, p: float) -> None:
    assert leaning(test, DRAWS + shift, margin=3.0) == (towards, pytest.approx(p))


def test_equivalence_needs_both_borders() -> None:
    draws = np.linspace(-2.9, 2.9, 99)
    assert leaning("on par", draws, 3.0) == (CONFIRMED, pytest.approx(2 / 100))
    assert leaning("on par", np.r_[draws[1:], 3.0], 3.0) == (CONFIRMED, pytest.approx(4 / 100))
    assert leaning("on par", np.r_[draws[2:], -3.0, 3.0], 3.0).p == pytest.approx(
        4 / 100
    )  # the worse side counts


def test_five_per_cent_is_where_the_interval_ends() -> None:
    generator = np.random.default_rng(0)
    for place in (-0.8, -0.3, -0.2, 0.0, 0.25, 0.3, 0.6, 0.9):
        values, photos = generator.normal(place, 1, 60), np.arange(60)
        _, low, high = paired_bootstrap(values, np.zeros(60), photos, samples=SAMPLES)
        assert (
            min(abs(end - border) for end in (low, high) for border in (-1, 0, 1)) > 0.01
        )  # no hair's breadth
        draws = bootstrap_means(values, photos, samples=SAMPLES)
        assert np.percentile(draws, [2.5, 97.5]) == pytest.approx([low, high])
        assert (leaning("better", draws, 3.0).p <= 0.05) == (low > 0 or high < 0)
        on_par = leaning("on par", draws, 1.0)
        assert (on_par.towards == CONFIRMED and on_par.p <= 0.05) == (low > -1 and high < 1)


def test_judge_at_its_borders() -> None:
    up = Leaning(CONFIRMED, 0.001)
    assert judge("better", up, 0.05, [1.0, 2.0], 3.0, None)[0] == CONFIRMED
    assert judge("better", up, 0.0501, [1.0, 2.0], 3.0, None) == (
        UNDECIDED,
        "chance can explain the difference",
    )
    assert judge("better", up, 0.01, [4.0, 0.0], 3.0, None) == (UNDECIDED, "the seeds do not agree")
    blind = Against(low=52.0, control=52.0, words="choosing without the right photo")
    verdict, reason = judge("better", up, 0.01, [4.0], 3.0, blind)
    assert verdict == UNDECIDED and "choosing without the right photo (52.0 of 100)" in reason
    assert judge("better", up, 0.01, [4.0], 3.0, blind._replace(low=52.1))[0] == CONFIRMED
    down = Leaning(REFUTED, 0.001)
    assert judge("better", down, 0.01, [-1.0], 3.0, None) == (REFUTED, "worse beyond chance")
    assert judge("on par", down, 0.01, [5.0, 6.0], 3.0, None)[1].startswith("not on par but better")
    assert judge("on par", down, 0.01, [-5.0], 3.0, None) == (REFUTED, "worse by more than 3 points")
    assert judge("on par", up, 0.01, [2.9, -3.0], 3.0, None)[0] == UNDECIDED  # -3 is not within
    assert judge("not worse", up, 0.01, [-2.9], 3.0, None)[0] == CONFIRMED
    assert judge("not worse", up, 0.2, [-2.9], 3.0, None)[1].endswith("either side of −3 points")
    assert not holds("not worse", CONFIRMED, -3.0, 0.0, 3.0) and holds("not worse", REFUTED, -3.1, -3.1, 3.0)
    assert not holds("on par", REFUTED, -5.0, 5.0, 3.0) and holds("on par", REFUTED, -5.0, -5.0, 3.0)


def test_cost_at_its_borders() -> None:
    assert judge_cost([], 0.05) == (NOT_TESTED, "it was not recorded")
    assert judge_cost([0.999], 0.0) == (CONFIRMED, "0.1 % less")
    assert judge_cost([1.0], 0.0) == (REFUTED, "exactly the same")
    assert judge_cost([0.94, 0.99, 0.90], 0.05)[0] == CONFIRMED
    assert judge_cost([0.96, 0.99, 0.90], 0.05) == (UNDECIDED, "4.0 % less: within 5 %")
    assert judge_cost([0.5, 0.6, 1.0], 0.05)[0] == UNDECIDED and judge_cost([1.0], 0.05)[0] == UNDECIDED
    assert judge_cost([0.5, 0.6, 1.2], 0.05) == (UNDECIDED, "40.0 % less: the seeds do not agree")
    assert judge_cost([1.2, 1.06, 1.1], 0.05) == (REFUTED, "10.0 % more")
    assert judge_cost([33.5], 0.0) == (REFUTED, "33.5 times as much")


def test_cost_ratios_by_hand() -> None:
    lift = {"cost": {"flops_total": 30.0, "seconds": 6.0, "offline_text": {"flops": 20.0, "seconds": 1.0}}}
    clip = {"cost": {"flops_total": 100.0, "seconds": 10.0, "offline_text": None}}
    assert ratios("flops", [lift], [clip]) == [0.3] and ratios("flops_with_texts", [lift], [clip]) == [0.5]
    assert ratios("seconds", [lift, lift], [clip, clip]) == [0.6, 0.6]
    assert ratios("seconds_with_texts", [lift], [clip]) == [0.7]
    assert ratios("memory", [lift], [clip]) == []
    endpoint = {"cost": {"flops_total": 30.0, "offline_text": {"flops": None, "seconds": 1.0}}}
    assert ratios("flops_with_texts", [endpoint], [clip]) == [] and ratios("flops", [endpoint], [clip]) == [
        0.3
    ]


def test_both_ways_by_hand() -> None:
    # photo 7 has two texts (100, 0) and is found its text (100); photo 3 one text (100), not found (0)
    to_image = (np.array([100.0, 0.0, 100.0]), np.array([7, 7, 3]))
    values, photos = both_ways(to_image, (np.array([100.0, 0.0]), np.array([7, 3])))
    assert photos.tolist() == [3, 7] and values.tolist() == [50.0, 75.0]


def test_kinds_of_pairs_speak_to_a_claim() -> None:
    known = {
        "order": "order swap_attribute swap_people_object",
        "attribute": "attribute replace_attribute add-att colour",
        "relation": "relation left_right replace_relation rep-rel",
        "other": "object number negation unit part_number count add_object reorder",
    }
    for group, kinds in known.items():
        assert {kind: group_of(kind) for kind in kinds.split()} == dict.fromkeys(kinds.split(), group)


def test_every_claim_names_what_exists() -> None:
    for claim in CLAIMS:
        assert {claim.subject, claim.reference} <= set(ARMS)
        assert claim.measure in ({**MEASURES, **COSTS} if claim.test != "none" else {""})
    assert len({claim.number for claim in CLAIMS}) == len(CLAIMS)
