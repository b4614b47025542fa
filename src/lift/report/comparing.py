"""The verb `compare`: read the runs, lay them side by side, write REPORT, show the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from lift import __version__
from lift.artefact import already_done, new_folder, sha256_file, write_bytes, write_json
from lift.console import say
from lift.report.arms import noise_floor, pool_seeds
from lift.report.comparison import Group, NotComparable, compare_runs
from lift.report.conclusion import conclude
from lift.report.cost import break_even_sentences, cost_rows
from lift.report.page import render
from lift.report.pictures import Gallery, galleries
from lift.report.plots import curves
from lift.report.reading import Run, read_runs
from lift.report.tables import csv_bytes, show_groups


@dataclass(frozen=True)
class CompareConfig:
    """Set RUNs against one another: a table, a plain-words conclusion and one HTML page to hand around."""

    runs: Positional[tuple[Path, ...]]
    """RUN folders with results; the first is the reference that the others are compared with"""
    out: Path = Path("report")
    """folder for report.html, comparison.json and comparison.csv"""
    title: str = "Comparison of trained models"
    """headline of the page"""
    pool_seeds: bool = True
    """take RUNs that differ in nothing but the seed as one arm, with intervals over seeds and photos"""
    overwrite: bool = False
    """replace --out when it holds something else"""


def compare(config: CompareConfig) -> dict[str, Any]:
    """Write REPORT and print its table; returns the content of comparison.json."""
    runs = read_runs(config.runs)
    request = {"runs": [str(run.folder) for run in runs], "title": config.title}
    if config.pool_seeds:
        runs = pool_seeds(runs)
    # A comparison takes seconds and its table is wanted on the terminal: made again even when it is there.
    # This only refuses to replace something else.
    already_done(config.out, "comparison", request, config.overwrite)
    groups, left_out = compare_runs(runs)
    conclusion = conclude(groups, runs)
    shown = galleries(runs)
    content = {
        "format": 1,
        "lift": __version__,
        "title": config.title,
        "request": request,
        "conclusion": conclusion,
        **_facts(runs, groups, left_out, shown),
    }
    with new_folder(config.out) as folder:
        page = render(config.title, conclusion, runs, groups, left_out, shown, noise_floor(runs, groups))
        write_bytes(folder / "report.html", page.encode())
        write_bytes(folder / "comparison.csv", csv_bytes(groups, left_out, runs))
        content["sha256"] = {file.name: sha256_file(file) for file in sorted(folder.iterdir())}
        write_json(folder / "comparison.json", content)
    _tell(config.out, conclusion, runs, groups, left_out)
    return content


def _facts(
    runs: list[Run], groups: list[Group], left_out: list[NotComparable], shown: list[Gallery]
) -> dict[str, Any]:
    """The rest of comparison.json: everything that is on the page, without the pictures."""
    return {
        "runs": [
            {
                "name": run.name,
                "folder": str(run.folder),
                "run": run.manifest,
                "seeds": [str(member.folder) for member in run.members],
            }
            for run in runs
        ],
        "noise_floor": noise_floor(runs, groups),
        "groups": [asdict(group) for group in groups],
        "not_comparable": [asdict(one) for one in left_out],
        "cost": {
            "rows": [{"what": what, "values": values} for what, _, values in cost_rows(runs)],
            "break_even": break_even_sentences(runs),
        },
        "training": [
            {"what": what, "run": runs[number].name, "samples": samples, "values": values}
            for what, lines in curves(runs)
            for number, samples, values in lines
        ],
        "examples": [
            {
                "title": gallery.title,
                "note": gallery.note,
                "searches": [
                    {
                        "query": search.query,
                        "truth": search.truth.key,
                        "found": {
                            runs[place].name: [picture.key for picture in found]
                            for place, found in search.found
                        },
                    }
                    for search in gallery.searches
                ],
            }
            for gallery in shown
        ],
    }


def _tell(
    out: Path, conclusion: list[str], runs: list[Run], groups: list[Group], left_out: list[NotComparable]
) -> None:
    show_groups(groups, runs)
    for one in left_out:
        say(f"not comparable: {one.run}, {one.task} on {one.dataset}: {one.reason}")
    say()
    for sentence in [*conclusion, *noise_floor(runs, groups)]:
        say(sentence)
    say()
    say(f"{out / 'report.html'}")
