"""The ingest report for people: a table on the terminal and report.md in the DATASET."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift.artefact import write_bytes
from lift.console import say, show_table
from lift.data import Dataset

LISTED = 50  # entries of one reason in report.md; report.json has all


def show_counts(dataset: Dataset, report: dict[str, Any]) -> None:
    """Print what was kept and what was set aside."""
    counts, leakage = report["counts"], report["leakage"]
    rows: list[tuple[str, object]] = [("photos", f"{counts['photos']:,}")]
    rows += [(f"  {split}", f"{number:,}") for split, number in dataset.manifest["splits"].items()]
    rows += [("captions", f"{counts['captions']:,}"), ("long captions", f"{counts['long_captions']:,}")]
    rows += [("classes", f"{counts['labels']:,}")] if counts["labels"] else []
    rows += [("pairs", f"{dataset.manifest['pairs']:,}")] if dataset.manifest["pairs"] else []
    rows += [(f"set aside: {reason}", f"{number:,}") for reason, number in counts["set_aside"].items()]
    rows.insert(1, ("splits", report["splits"]))
    show_table(dataset.name, ("", "count"), rows)
    for line in leakage_lines(leakage):
        say(line)
    if counts["set_aside"]:
        say(f"files, reasons and remedies: {dataset.place}/report.md")
    say(f"DATASET {dataset.folder} (id {dataset.id})")


def leakage_lines(leakage: dict[str, Any]) -> list[str]:
    """Sentences on what train shares with the held-out photos; none when it shares nothing."""
    lines = []
    if number := leakage["near_duplicates_across_splits"]:
        dropped = leakage["near_duplicates_dropped"]
        done = (
            f"{dropped:,} train photos were taken out"
            if dropped
            else "--drop-leakage takes the train ones out"
        )
        lines.append(f"leakage: {number:,} photos have a near-duplicate in another split ({done})")
    if number := leakage["exact_copies_across_splits"]:
        lines.append(f"leakage: {number:,} exact copies lay in two splits; the first of each is kept")
    texts = leakage["shared_texts"]
    if texts["texts"]:
        lines.append(
            f"leakage: {texts['texts']:,} of {texts['of_held_out_texts']:,} val/test texts "
            "stand in train word for word"
        )
    return lines


def write_readable(path: Path, manifest: dict[str, Any], report: dict[str, Any]) -> None:
    """Write report.md: counts, guesses, leakage, and what was set aside by reason."""
    counts = report["counts"]
    lines = [f"# Ingest report: {manifest['name']}", "", "| | count |", "|---|---:|"]
    lines.append(f"| photos | {counts['photos']} |")
    lines += [f"| photos in {split} | {number} |" for split, number in manifest["splits"].items()]
    lines += [f"| captions | {counts['captions']} |", f"| long captions | {counts['long_captions']} |"]
    lines += [f"| classes | {counts['labels']} |", f"| pairs | {manifest['pairs']} |"]
    lines += ["", f"Splits: {report['splits']}. Source: {_facts(report['source'])}.", "", "## Leakage", ""]
    leakage = report["leakage"]
    lines.append(
        f"{leakage['near_duplicate_photos']} photos in {leakage['near_duplicate_groups']} groups of "
        "near-duplicates. "
        "Mirrored or turned copies are not recognised."
    )
    lines += ["", *(f"- {line}" for line in leakage_lines(leakage))]
    lines += [
        f"  - `{example['photo']}` ({example['split']}) is like `{example['like']}` ({example['like_split']})"
        for example in leakage["examples"]
    ]
    lines += ["", "## Set aside", ""]
    by_reason: dict[str, list[dict[str, str]]] = {}
    for entry in report["set_aside"]:
        by_reason.setdefault(entry["reason"].split(":")[0].split("(")[0].strip(), []).append(entry)
    if not by_reason:
        lines.append("Nothing.")
    for reason, entries in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        lines += [f"### {reason}: {len(entries)}", "", "| file | reason | what to do |", "|---|---|---|"]
        lines += [
            f"| {_cell(e['file'])} | {_cell(e['reason'])} | {_cell(e['remedy'])} |" for e in entries[:LISTED]
        ]
        if len(entries) > LISTED:
            lines.append(f"| … {len(entries) - LISTED} more in report.json | | |")
        lines.append("")
    write_bytes(path, ("\n".join(lines).rstrip() + "\n").encode())


def _facts(facts: dict[str, Any]) -> str:
    parts = [f"kind {facts['kind']}" + (" (guessed)" if facts.get("kind_guessed") else "")]
    parts += [f"{name} {facts[name]}" for name in ("table", "encoding") if name in facts]
    columns = {name: value for name, value in facts.get("columns", {}).items() if value}
    parts += [f"columns {columns}"] if columns else []
    return ", ".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
