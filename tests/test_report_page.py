"""What `lift compare` writes: the page, CSV, JSON and the table on the terminal."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lift import cli
from lift.errors import LiftError
from lift.report import CompareConfig, compare
from lift.report.comparison import compare_runs
from lift.report.page import tables_of
from lift.report.pictures import galleries
from lift.report.plots import curves
from lift.report.reading import read_runs
from runs_by_hand import (
    BAD,
    GOOD,
    R10,
    add_examples,
    add_result,
    make_dataset,
    make_run,
    two_runs,
)


def full_report(tmp_path: Path, title: str = "Toy & <b>test</b>") -> Path:
    """Two runs with pictures, a script in the caption and in the runs' names."""
    data_id = make_dataset(tmp_path / "data")
    config = {"images": str(tmp_path / "data"), "batch_size": 100}
    dataset = {"name": "toy", "id": data_id, "split": "val"}
    a = make_run(tmp_path / "a", "<i>LIFT</i>", config=config)
    b = make_run(tmp_path / "b", "CL$IP$ [red]", "clip", config=config)
    add_examples(a, ["p1", "p0", "p2", "p3", "p4"], dataset=dataset)
    add_examples(b, ["p5", "p6", "p7", "p3", "p4"], dataset=dataset)
    out = tmp_path / "report"
    compare(CompareConfig((a, b), out, title, overwrite=True))
    return out


class Page(HTMLParser):
    """Collects tags with attributes, and checks that they close in order."""

    VOID = ("meta", "img", "br", "link", "path", "use")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_page_is_whole_self_contained_and_escaped(tmp_path: Path) -> None:
    text = (full_report(tmp_path) / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    names = [tag for tag, _ in page.tags]
    assert "script" not in names and "link" not in names and "i" not in names and "iframe" not in names
    assert "&lt;script&gt;" in text and "<title>Toy &amp; &lt;b&gt;test&lt;/b&gt;</title>" in text
    assert re.search(r"https?://|@import|url\((?!#)", text) is None
    for _, attributes in page.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href"):
                assert value is not None and value.startswith(("data:image/jpeg;base64,", "#"))
    assert (
        "color-scheme: light dark" in text
        and "(prefers-color-scheme: dark)" in text
        and "@media print" in text
    )


def test_page_is_accessible(tmp_path: Path) -> None:
    text = (full_report(tmp_path) / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    plots = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
    assert len(plots) == 2 and all(len(plot["aria-label"] or "") > 40 for plot in plots)
    headings = [tag for tag in (tag for tag, _ in page.tags) if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1


def test_sections_come_in_the_order_of_the_reader(tmp_path: Path) -> None:
    text = (full_report(tmp_path) / "report.html").read_text()
    places = [
        text.index(f'id="{name}"') for name in ("conclusion", "results", "examples", "plots", "cost", "how")
    ]
    assert places == sorted(places)


def test_right_photo_is_marked_once_where_found(tmp_path: Path) -> None:
    text = (full_report(tmp_path) / "report.html").read_text()
    assert text.count("✓ right") == 1
    assert "right photo in place 2" in text and "right photo not among the first 5" in text


def test_report_is_the_same_for_the_same_input(tmp_path: Path) -> None:
    out = full_report(tmp_path)
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    assert sorted(first) == ["comparison.csv", "comparison.json", "report.html"]
    compare(CompareConfig((tmp_path / "a", tmp_path / "b"), out, "Toy & <b>test</b>"))
    assert first == {file.name: file.read_bytes() for file in out.iterdir()}


def test_csv_and_json_hold_the_table(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, BAD, GOOD)
    content = compare(CompareConfig(tuple(run.folder for run in runs), tmp_path / "report"))
    assert json.loads((tmp_path / "report" / "comparison.json").read_text()) == json.loads(
        json.dumps(content)
    )
    with (tmp_path / "report" / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["LIFT", "CLIP"]
    assert (rows[0]["value"], rows[0]["low"], rows[0]["high"], rows[0]["n"]) == ("25.0", "23.0", "27.0", "16")
    assert (rows[0]["best"], rows[0]["difference"], rows[0]["verdict"]) == ("", "", "")
    assert (rows[1]["value"], rows[1]["best"], rows[1]["difference"]) == ("75.0", "yes", "50.0")
    assert rows[1]["verdict"] == "better" and float(rows[1]["difference_low"]) > 0


def test_terminal_shows_values_intervals_and_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = two_runs(tmp_path, BAD, GOOD)
    compare(CompareConfig(tuple(run.folder for run in runs), tmp_path / "report"))
    printed = capsys.readouterr().out
    assert R10 in printed and "25.0 ± 2.0" in printed and "75.0 ± 2.0 *  better" in printed
    assert "+50.0 (+" in printed and "report.html" in printed


def test_pictures_are_left_out_with_a_note_when_the_dataset_is_gone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", "LIFT", config={"images": str(tmp_path / "gone")})
    add_examples(run, ["p1"])
    gallery = galleries(read_runs([run]))[0]
    assert gallery.searches == [] and "not where the runs were trained from" in gallery.note
    compare(CompareConfig((run,), tmp_path / "report"))
    assert "photos are not shown" in (tmp_path / "report" / "report.html").read_text()


def test_curves_are_over_samples_seen(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, GOOD, GOOD)
    assert curves(runs)[0] == ("contrastive loss", [(n, [50_000.0, 100_000.0], [4.0, 3.0]) for n in (0, 1)])
    assert curves(runs)[1][0] == "validation recall@10"


def test_pairs_have_a_table_for_each_length(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", "LIFT")
    metrics = ("all", "swap_object", "short/all", "short/swap_object", "long/all")
    add_result(run, {f"pair_accuracy/{name}": GOOD for name in metrics}, task="pairs")
    group = compare_runs(read_runs([run]))[0][0]
    assert [(heading, len(lines)) for heading, lines in tables_of(group)] == [
        ("all captions", 2),
        ("short captions", 2),
        ("long captions", 1),
    ]


def test_compare_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = two_runs(tmp_path, BAD, GOOD)
    arguments = [str(run.folder) for run in runs]
    assert cli.run("compare", [*arguments, "--out", str(tmp_path / "report"), "--title", "Mine"]) == 0
    assert "<h1>Mine</h1>" in (tmp_path / "report" / "report.html").read_text()
    assert cli.run("compare", [str(tmp_path), "--out", str(tmp_path / "other")]) == 1
    assert "is not a RUN" in capsys.readouterr().err


def test_other_folders_are_not_overwritten(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", "LIFT")
    add_result(run, {R10: GOOD})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(LiftError, match="exists and is not a COMPARISON"):
        compare(CompareConfig((run,), tmp_path / "mine"))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
