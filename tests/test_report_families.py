"""The four families side by side: LIFT, CLIP, LiT and words as labels, at equal samples."""

from __future__ import annotations

from pathlib import Path

from lift.report import CompareConfig, compare
from lift.report.cost import cost_rows
from lift.report.reading import Run, read_runs
from runs_by_hand import BAD, GOOD, R10, add_result, make_run

TOWER = {"family": "dinov2", "source": "org/tower", "weights": "w"}
PARAMETERS = {
    "LIFT": {"image": 3_400_000, "text": 0, "image_trained": 3_400_000},
    "CLIP": {"image": 3_400_000, "text": 2_000_000, "image_trained": 3_400_000},
    "LiT": {"image": 3_400_000, "text": 2_000_000, "image_trained": 0},
    "WORDS": {"image": 3_900_000, "text": 0, "image_trained": 3_900_000},
}


def four(tmp_path: Path) -> list[Run]:
    """Runs by hand; WORDS stands before CLIP, so that the first other run is not the one to compare cost with."""
    folders = []
    for name, method in (("LIFT", "lift"), ("WORDS", "words"), ("CLIP", "clip"), ("LiT", "lit")):
        more = {"backbone": TOWER} if method == "lit" else {}
        run = make_run(tmp_path / name, name, method, parameters=PARAMETERS[name], **more)
        add_result(run, {R10: GOOD if name != "WORDS" else BAD})
        folders.append(run)
    return read_runs(folders)


def test_cost_table_of_four_families_by_hand(tmp_path: Path) -> None:
    table = {what: values for what, _, values in cost_rows(four(tmp_path))}
    assert table["Parameters, image side"] == ["3.4 million", "3.9 million", "3.4 million", "0"]
    assert table["Parameters, text side"] == ["0", "no text encoder", "2.0 million", "2.0 million"]
    assert table["Trained before"] == [
        "text encoder (minilm)",
        "nothing",
        "nothing",
        "image tower (org/tower)",
    ]
    assert table["Offline text pass, time"] == ["1 min 0 s", "none needed", "none needed", "none needed"]
    assert table["Total computation"][1] == table["Computation, training"][1]


def test_page_and_conclusion_speak_of_all_four(tmp_path: Path) -> None:
    runs = four(tmp_path)
    made = compare(CompareConfig(tuple(run.folder for run in runs), tmp_path / "report"))
    said = " ".join(made["conclusion"])
    assert "All runs saw equally many samples" in said
    assert "LIFT needed 40.0 % less computation than CLIP" in said
    assert "the image tower of LiT had been trained before, which is not counted" in said
    assert "WORDS for 25.0" in said and "wins against WORDS by 50.0" in said
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("no text encoder") == 2  # in the table of costs, and in how it was measured
    assert all(page.count(f'data-run="{run.name}"') > 10 for run in runs)
    assert [line.split()[0] for line in made["cost"]["break_even"]] == ["LIFT"] * 3
