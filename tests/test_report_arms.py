"""Arms of several seeds, exact tests and their correction, what chance alone does, and the findings on the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lift.evaluation.working_cost import Costs, expected_cost
from lift.report import CompareConfig, compare
from lift.report.arms import noise_floor, pool_seeds
from lift.report.comparison import UNDECIDED, compare_runs
from lift.report.findings import findings
from lift.report.reading import Run, read_runs
from lift.report.wording import p_words
from lift.significance import holm, mcnemar
from runs_by_hand import BAD, GOOD, R10, add_result, make_run, two_runs


def seeded(folder: Path, name: str, seed: int, outcomes: list[float], method: str = "lift") -> Path:
    run = make_run(folder, name, method, config={"batch_size": 100, "seed": seed, "out": str(folder)})
    add_result(run, {R10: outcomes})
    return run


def three_and_one(tmp_path: Path) -> list[Run]:
    """LIFT by three seeds (25, 50 and 75 of 100) and CLIP by one (50 of 100)."""
    half = [1, 1, 0, 0] * 4
    outcomes = [BAD, half, GOOD]
    folders = [seeded(tmp_path / f"l{n}", f"lift-seed{n}", n, values) for n, values in enumerate(outcomes)]
    folders.append(seeded(tmp_path / "c", "CLIP", 0, half, "clip"))
    return pool_seeds(read_runs(folders))


def test_seeds_of_one_arm_are_pooled(tmp_path: Path) -> None:
    runs = three_and_one(tmp_path)
    assert [run.name for run in runs] == ["lift (3 seeds)", "CLIP"]
    groups, left_out = compare_runs(runs)
    assert left_out == []
    first, second = groups[0].lines[0].cells
    assert first is not None and second is not None and second.difference is not None
    assert first.value == pytest.approx(50) and second.difference.value == pytest.approx(0)
    assert first.low is not None and first.high is not None
    assert second.difference.p is None and second.difference.verdict == UNDECIDED
    # Seeds of 25, 50, 75 alone spread the mean by 14.4; the photos by about as much again.
    assert (first.high - first.low) / 2 > 1.96 * np.std([25, 50, 75], ddof=1) / np.sqrt(3)


def test_noise_floor_by_hand(tmp_path: Path) -> None:
    runs = three_and_one(tmp_path)
    said = noise_floor(runs, compare_runs(runs)[0])
    # Standard deviation 25, times 2 / sqrt(pi).
    assert "two trainings of lift (3 seeds) that differ in the seed only are 28.2 apart" in said[0]
    assert "(25.0, 50.0, 75.0)" in said[0] and "four times out of five" in said[1]


@pytest.mark.parametrize("change", [{"loss": "cosine"}, {"config": {"batch_size": 50, "seed": 1}}])
def test_other_settings_are_another_arm(tmp_path: Path, change: dict[str, Any]) -> None:
    a = seeded(tmp_path / "a", "A", 0, GOOD)
    b = make_run(tmp_path / "b", "B", **({"config": {"batch_size": 100, "seed": 1}} | change))
    add_result(b, {R10: BAD})
    assert [run.name for run in pool_seeds(read_runs([a, b]))] == ["A", "B"]


def test_equal_seeds_are_not_pooled(tmp_path: Path) -> None:
    folders = [seeded(tmp_path / name, name, 7, GOOD) for name in "ab"]
    assert len(pool_seeds(read_runs(folders))) == 2


def test_the_page_shows_arms_and_can_leave_them_apart(tmp_path: Path) -> None:
    runs = three_and_one(tmp_path)
    folders = (*(member.folder for member in runs[0].members), runs[1].folder)
    content = compare(CompareConfig(folders, tmp_path / "report"))
    assert [run["name"] for run in content["runs"]] == ["lift (3 seeds)", "CLIP"]
    assert len(content["runs"][0]["seeds"]) == 3
    page = (tmp_path / "report" / "report.html").read_text()
    assert "differ in the seed only" in page and "<dd>0, 1, 2</dd>" in page
    apart = compare(CompareConfig(folders, tmp_path / "apart", pool_seeds=False))
    assert [run["name"] for run in apart["runs"]] == ["lift-seed0", "lift-seed1", "lift-seed2", "CLIP"]


def test_p_values_are_mcnemars_and_corrected_for_all(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, BAD, GOOD)  # 8 of 16 found by the second only
    cell = compare_runs(runs)[0][0].lines[0].cells[1]
    assert cell is not None and cell.difference is not None
    assert cell.difference.p == pytest.approx(mcnemar(0, 8).exact) == pytest.approx(2 / 2**8)
    assert cell.difference.p_mid == pytest.approx(1 / 2**8)
    folders = [run.folder for run in runs]
    for folder, outcomes in zip(folders, ([1, 0] * 8, [1, 1, 1, 0] * 4), strict=True):
        add_result(folder, {"pair_accuracy/all": outcomes}, task="pairs")
    groups = compare_runs(read_runs(folders))[0]
    found = [group.lines[0].cells[1].difference for group in groups]  # type: ignore[union-attr]
    p_values = [one.p for one in found if one is not None and one.p is not None]
    assert len(p_values) == 2
    assert [one.p_holm for one in found if one is not None] == pytest.approx(holm(p_values))
    page = compare(CompareConfig(tuple(folders), tmp_path / "report"))
    assert page["groups"][0]["lines"][0]["cells"][1]["difference"]["p_holm"] == pytest.approx(
        holm(p_values)[0]
    )
    assert "corrected" in (tmp_path / "report" / "report.html").read_text()


def test_p_words() -> None:
    assert p_words(0.0004, 0.012) == "p < 0.001, corrected 0.012"
    assert p_words(0.2, None) == "p 0.200"


def test_findings_and_plots_of_details(tmp_path: Path) -> None:
    labels, photos = np.tile([True, False], 20), np.repeat(np.arange(20), 2)
    cost = expected_cost(np.where(labels, 1.0, 0.0), labels, photos, Costs(10, 2, 1))
    curve = {"coverage": [50.0, 100.0], "risk": [1.5, 12.5]}
    kept = {
        kind: [{"strength": n, "value": 40.0, "kept": 80.0 - n} for n in range(5)]
        for kind in ("blur", "jpeg")
    }
    hubs = {
        "depth": 10, "expected": 50, "skewness": 2.5, "never_found": 3,
        "photos": [{"key": "p1", "answers": 400}],
    }  # fmt: skip
    worst = [{"query": "<b>a dog</b>", "truth": "p3", "rank": 900.0}]
    details = {
        "verification": {"cost": cost, "risk_coverage": curve},
        "robustness": {"robustness": {"top1": kept}},
        "retrieval": {"hubs": hubs, "worst": worst},
    }
    run = make_run(tmp_path / "a", "LIFT")
    for task, entry in details.items():
        add_result(run, {"accuracy" if task == "verification" else "top1": GOOD}, task=task, details=entry)
    runs = read_runs([run])
    found = {one.heading: one.lines for one in findings(compare_runs(runs)[0], runs)}
    assert "a few photos crowd out the others" in found["Photos that come up too often: toy (val)"][0]
    assert "place 900" in found["Searches that fail worst: toy (val)"][0]
    assert "the model saves 1,000.00" in found["What it costs in daily work: toy (val)"][1]
    compare(CompareConfig((run,), tmp_path / "report"))
    page = (tmp_path / "report" / "report.html").read_text()
    assert "&lt;b&gt;a dog" in page and "<b>a dog" not in page
    assert "LIFT: 1.5 of 100 wrong when half is answered, 12.5 when all is" in page
    assert "blur 76, jpeg 76" in page
    json.dumps(details, allow_nan=False)
