"""Which runs may be compared, paired differences, verdicts and the words of the conclusion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lift.errors import LiftError
from lift.report import CompareConfig, compare
from lift.report.comparison import BETTER, UNDECIDED, WORSE, compare_runs
from lift.report.conclusion import conclude
from lift.report.cost import break_even_sentences, cost_sentence
from lift.report.reading import read_runs
from lift.report.wording import flops, metric_words, number, seconds, section_of, signed
from runs_by_hand import (
    BAD,
    GOOD,
    R10,
    add_result,
    make_run,
    pairs_run,
    two_runs,
)


@pytest.mark.parametrize(
    ("second", "by_hand", "verdict", "words"),
    [
        (GOOD, 50.0, BETTER, "is a loss for LIFT."),  # CLIP finds what LIFT finds, and 8 of 16 more
        (BAD, 0.0, UNDECIDED, "is undecided: it may be chance."),
        ([0] * 16, -25.0, WORSE, "is a win for LIFT."),
        ([0, 1, 0, 0] * 4, 0.0, UNDECIDED, "is undecided: it may be chance."),  # other photos, as many
    ],
)
def test_paired_difference_and_verdict(
    tmp_path: Path, second: list[float], by_hand: float, verdict: str, words: str
) -> None:
    runs = two_runs(tmp_path, BAD, second)
    groups, left_out = compare_runs(runs)
    assert left_out == []
    cell = groups[0].lines[0].cells[1]
    assert cell is not None and cell.difference is not None
    assert cell.difference.value == pytest.approx(by_hand)
    assert cell.difference.low <= by_hand <= cell.difference.high
    assert cell.difference.verdict == verdict
    assert conclude(groups, runs)[0].endswith(words)


def test_interval_is_a_point_where_every_query_differs_alike(tmp_path: Path) -> None:
    groups, _ = compare_runs(two_runs(tmp_path, [0.0] * 16, [1.0] * 16))
    difference = groups[0].lines[0].cells[1].difference
    assert (difference.value, difference.low, difference.high) == (100.0, 100.0, 100.0)


def test_conclusion_speaks_of_lift_whichever_run_comes_first(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, BAD, GOOD)
    swapped = [runs[1], runs[0]]
    for order in (runs, swapped):
        sentence = conclude(compare_runs(order)[0], order)[0]
        assert sentence.startswith(
            "On toy, LIFT finds the right photo among the first ten for 25.0 of 100 sentences, "
            "CLIP for 75.0; the difference of −50.0 (−"
        )
        assert sentence.endswith(" is a loss for LIFT.")


def test_conclusion_on_three_runs_names_every_comparison(tmp_path: Path) -> None:
    folders = [
        make_run(tmp_path / "a", "A"),
        make_run(tmp_path / "b", "B"),
        make_run(tmp_path / "c", "C", "clip"),
    ]
    for folder, outcomes in zip(folders, (BAD, BAD, GOOD), strict=True):
        add_result(folder, {R10: outcomes})
    runs = read_runs(folders)
    sentence = conclude(compare_runs(runs)[0], runs)[0]
    assert (
        "A finds the right photo among the first ten for 25.0 of 100 sentences, B for 25.0 and C for 75.0;"
        in sentence
    )
    assert "; A is undecided against B (0.0, 0.0 to 0.0) and loses to C by 50.0 (" in sentence


def test_one_run_alone_is_reported_without_verdict(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", "LIFT")
    add_result(run, {R10: GOOD})
    runs = read_runs([run])
    groups, left_out = compare_runs(runs)
    assert left_out == [] and groups[0].lines[0].cells[0].best is False
    assert conclude(groups, runs)[0] == (
        "On toy, LIFT finds the right photo among the first ten for 75.0 of 100 sentences "
        "(95 % interval 73.0 to 77.0)."
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": {"name": "toy", "id": "d2", "split": "val"}}, "other data under the same name: id d2"),
        ({"protocol": "one-caption retrieval"}, "other protocol"),
        ({"n": {"images": 1000, "texts": 15}}, "other number of items: 1,000 images, 15 texts"),
        ({"model": {"id": "CLIP@1111222233334444"}}, "earlier weights"),
        ({"dataset": {"name": "toy", "id": "d1", "split": "test"}}, "no other run has a result"),
    ],
)
def test_unlike_results_are_not_compared(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    a, b = make_run(tmp_path / "a", "LIFT"), make_run(tmp_path / "b", "CLIP", "clip")
    add_result(a, {R10: GOOD})
    add_result(b, {R10: GOOD}, **changes)
    groups, left_out = compare_runs(read_runs([a, b]))
    assert groups == []
    assert any(reason in one.reason for one in left_out), left_out
    content = compare(CompareConfig((a, b), tmp_path / "report"))
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Not comparable" in page and reason in page
    assert "None of the results may be compared" in content["conclusion"][0]


def test_a_run_without_a_result_of_the_group_is_named(tmp_path: Path) -> None:
    a, b, c = (make_run(tmp_path / name, name) for name in "abc")
    for run in (a, b):
        add_result(run, {R10: GOOD})
    add_result(c, {"pair_accuracy/all": GOOD}, task="pairs")
    groups, left_out = compare_runs(read_runs([a, b, c]))
    assert [group.members for group in groups] == [(0, 1)]
    assert [(one.run, one.task) for one in left_out] == [("c", "retrieval"), ("c", "pairs")]
    assert "was not measured on it" in left_out[0].reason


def test_other_queries_are_not_compared(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", "LIFT"), make_run(tmp_path / "b", "CLIP", "clip")
    add_result(a, {R10: GOOD})
    add_result(b, {R10: GOOD[:12]})
    assert "other queries" in compare_runs(read_runs([a, b]))[1][1].reason


def test_no_paired_outcomes_is_not_tested(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, BAD, GOOD)
    (tmp_path / "b" / "results" / "retrieval--toy-val.npz").unlink()
    groups, _ = compare_runs(runs)
    assert groups[0].lines[0].cells[1].difference is None
    assert "could not be tested" in conclude(groups, runs)[0]


def test_a_metric_that_is_no_mean_is_not_tested(tmp_path: Path) -> None:
    """Subtracting mean outcomes says nothing about, for one, an average precision."""
    a, b = make_run(tmp_path / "a", "LIFT"), make_run(tmp_path / "b", "CLIP", "clip")
    for run in (a, b):
        metrics = {"average_precision": {"value": 61.0, "low": 60.0, "high": 62.0, "n": 16}}
        add_result(run, {"average_precision": GOOD}, task="verification", metrics=metrics)
    groups, _ = compare_runs(read_runs([a, b]))
    assert groups[0].lines[0].cells[1].difference is None


def test_best_is_said_only_of_a_lead_beyond_chance(tmp_path: Path) -> None:
    def marked(outcomes: list[list[float]], where: str) -> list[bool]:
        folders = [make_run(tmp_path / where / name, name) for name in "abc"[: len(outcomes)]]
        for folder, found in zip(folders, outcomes, strict=True):
            add_result(folder, {R10: found})
        groups, _ = compare_runs(read_runs(folders))
        return [cell is not None and cell.best for cell in groups[0].lines[0].cells]

    nearly = [1, 1, 1, 0] * 3 + [1, 1, 0, 0]  # one query worse than GOOD: an interval that includes zero
    assert marked([BAD, GOOD], "two") == [False, True]
    assert marked([nearly, GOOD], "near") == [False, False]
    assert marked([BAD, GOOD, nearly], "three") == [
        False,
        False,
        False,
    ]  # ahead of the first, not of the last


def test_controls_stand_beside_their_scores(tmp_path: Path) -> None:
    a = pairs_run(tmp_path / "a", "LIFT", "lift", GOOD, BAD)
    b = pairs_run(tmp_path / "b", "CLIP", "clip", GOOD, BAD)
    groups, _ = compare_runs(read_runs([a, b]))
    group = groups[0]
    assert [line.metric for line in group.scores] == ["pair_accuracy/all", "pair_accuracy/swap_attribute"]
    beside = group.controls_of("pair_accuracy/swap_attribute")
    assert [line.control for line in beside] == ["text_only"] and beside[0].cells[0].value == 25.0
    assert beside[0].cells[1].difference is None and not beside[0].cells[0].best
    compare(CompareConfig((a, b), tmp_path / "report"))
    page = (tmp_path / "report" / "report.html").read_text()
    assert '<span class="control">text alone 25.0</span>' in page
    assert "without looking at the photo" in page


def test_caution_where_the_controls_are_not_beaten(tmp_path: Path) -> None:
    a = pairs_run(tmp_path / "a", "LIFT", "lift", GOOD, GOOD)
    runs = read_runs([a])
    caution = conclude(compare_runs(runs)[0], runs)[-1]
    assert caution.startswith("Caution: ") and "“text alone”, which gets 75.0" in caution


def test_caution_near_guessing_and_at_low_quality(tmp_path: Path) -> None:
    few = [1] + [0] * 99  # 1 of 100, where 10 of 1,000 photos make guessing 1 of 100
    runs = two_runs(tmp_path, few, few)
    assert "hardly better than guessing (1.0 of 100)" in conclude(compare_runs(runs)[0], runs)[-1]
    runs = two_runs(tmp_path / "low", BAD, BAD)
    assert "misses the right photo for 75.0 of 100 texts" in conclude(compare_runs(runs)[0], runs)[-1]


def test_conclusion_says_whether_samples_were_equal(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, GOOD, GOOD)
    said = conclude(compare_runs(runs)[0], runs)
    assert "Both runs saw equally many samples in training (100,000)." in said
    assert 2 <= len(said) <= 6
    runs[1].manifest["samples_seen"] = 50_000
    said = conclude(compare_runs(runs)[0], runs)
    assert any(
        "did not see equally many samples in training (LIFT 100,000 and CLIP 50,000)" in s for s in said
    )


def test_cost_counts_the_text_pass_apart_and_in(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, GOOD, GOOD)
    # 3e14 / 5e14 = 0.6; with the pass 3.5e14 / 5e14 = 0.7
    assert cost_sentence(runs) == (
        "Training took 10 min 0 s for LIFT and 15 min 0 s for CLIP; LIFT needed 40.0 % less computation "
        "than CLIP, 30.0 % less with the one-off text pass counted in."
    )
    # 5e13 / (5e9 - 3e9) = 25,000 samples, a quarter of 100,000
    assert "after 25,000 samples, that is 25.0 % of this training" in break_even_sentences(runs)[0]
    runs[0].cost["offline_text"]["flops"] = 4e14
    assert (
        "2.0 times as many as this run saw: in this comparison it did not pay"
        in break_even_sentences(runs)[0]
    )
    runs[0].cost["flops_per_sample"] = 6e9
    assert "never pays for itself" in break_even_sentences(runs)[0]


def test_runs_without_results_are_refused_with_the_remedy(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", "LIFT")
    with pytest.raises(LiftError, match="has no results yet") as caught:
        compare(CompareConfig((run,), tmp_path / "report"))
    assert f"lift evaluate {run} --task all" in caught.value.remedy
    assert not (tmp_path / "report").exists()


def test_wrong_folders_and_damaged_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="no such folder"):
        read_runs([tmp_path / "nowhere"])
    run = make_run(tmp_path / "a", "LIFT")
    path = add_result(run, {R10: GOOD})
    with pytest.raises(LiftError, match="given twice"):
        read_runs([run, run])
    path.write_text('{"format": 1, "task"')
    with pytest.raises(LiftError, match="is damaged"):
        read_runs([run])
    add_result(run, {R10: GOOD}).with_suffix(".npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(LiftError, match="is damaged"):
        _ = read_runs([run])[0].results[0].per_item


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / "a", "LIFT"), make_run(tmp_path / "b", "LIFT")]
    for folder in folders:
        add_result(folder, {R10: GOOD})
    assert [run.name for run in read_runs(folders)] == ["a", "b"]


def test_computation_is_told_in_percent_or_as_a_factor(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, GOOD, GOOD)
    for total, words in (
        (5.5e14, "needed 10.0 % more computation than CLIP, 20.0 % more with the one-off"),
        (1.0e15, "needed 2.0 times as much computation as CLIP, 2.1 times as much with"),
        (1.73e16, "needed 35 times as much computation as CLIP, 35 times as much with"),
    ):
        runs[0].manifest["cost"]["flops_total"] = total  # of CLIP 5e14; the text pass 5e13
        assert words in (cost_sentence(runs) or ""), total


def test_words_and_numbers() -> None:
    assert [number(x) for x in (-1.46, -0.04, 17.5, None)] == ["−1.5", "0.0", "17.5", "–"]
    assert [signed(x) for x in (1.46, -1.46, 0.04)] == ["+1.5", "−1.5", "0.0"]
    assert [seconds(x) for x in (3.21, 59.4, 1025.0, 12_000.0)] == [
        "3.2 s",
        "59 s",
        "17 min 5 s",
        "3 h 20 min",
    ]
    assert [flops(x) for x in (12.0, 1.24e9, 3.4e15)] == ["12 FLOP", "1.2 GFLOP", "3.4 PFLOP"]
    assert metric_words(R10, "short") == "Right photo is among the first 10 (sentence → photo)"
    assert metric_words("pair_accuracy/long/swap_object", "pairs") == "Swap object, long captions"
    assert [
        section_of(t, v) for t, v in (("retrieval", ""), ("long-retrieval", ""), ("zero-shot", "names"))
    ] == [
        "short",
        "long",
        "zero_shot",
    ]


def test_pairs_made_by_rule_come_after_given_ones(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / name, name) for name in ("a", "b")]
    for folder in folders:
        for task in ("own-pairs", "pairs"):
            add_result(folder, {"pair_accuracy/all": GOOD}, task=task)
    groups, _ = compare_runs(read_runs(folders))
    assert [(group.task, group.section) for group in groups] == [("pairs", "pairs"), ("own-pairs", "pairs")]
