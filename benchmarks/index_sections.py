"""The parts of RESULTS.md about the INDEX: libraries for approximate search, its own speed, kills of its writer."""

from __future__ import annotations

from typing import Any

from text_sections import table

LIBRARY_COLUMNS = (
    ("build_seconds", "to build, s"),
    ("recall@10", "recall@10"),
    ("p50_ms", "median, ms"),
    ("p99_ms", "p99, ms"),
    ("bytes_per_vector", "bytes a vector"),
    ("peak_memory_mb_over_start", "memory, MB"),
    ("load", "load of the machine"),
)


def number(value: Any) -> str:
    """A number as a cell; – where there is none."""
    return "–" if value is None else f"{value:,.4g}"


def machine(made: dict[str, Any]) -> str:
    """Processor and versions in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return (
        f"{made['machine']['processor']}, {made['machine']['cores']} cores; {versions}; {made['protocol']}."
    )


def libraries_section(made: dict[str, Any]) -> list[str]:
    """A table for each set of vectors."""
    lines = ["## Libraries for approximate search", "", machine(made), ""]
    for name, libraries in made["sets"].items():
        rows = []
        for library, found in libraries.items():
            label = library
            if "not_finished_after_minutes" in found:
                label += f" (not finished after {found['not_finished_after_minutes']:g} minutes)"
            elif "failed" in found:
                label += " (failed)"
            rows.append([label, *(number(found.get(key)) for key, _ in LIBRARY_COLUMNS)])
        lines += [f"{name} vectors:", "", *table([name, *(label for _, label in LIBRARY_COLUMNS)], rows), ""]
    return lines


def index_speed_section(made: dict[str, Any]) -> list[str]:
    """One row per size and kind of search."""
    lines = ["## Searching an INDEX", "", machine(made), ""]
    rows = []
    for size, found in made["sizes"].items():
        for kind, times in found["search"].items():
            cells = [number(times["p50_ms"]), number(times["p99_ms"]), number(times.get("recall@10"))]
            rows.append([f"{int(size):,}, {kind}", *cells, number(found["load"])])
    lines += [*table(["photos, search", "median, ms", "p99, ms", "recall@10", "load"], rows), ""]
    rows = []
    for size, found in made["sizes"].items():
        near = found.get("approximate", {})
        cells = [
            found["bytes_per_photo"],
            found["open_seconds"],
            found["write_seconds"],
            near.get("bytes_per_photo"),
            near.get("build_seconds"),
            found["delete_and_add"]["p50_ms"],
        ]
        rows.append([f"{int(size):,}", *map(number, cells)])
    header = [
        "photos", "bytes each", "opened, s", "written, s", "approximate: bytes each", "approximate: made, s",
        "one deleted, one added, median ms",
    ]  # fmt: skip
    return [*lines, *table(header, rows), ""]


def index_kills_section(made: dict[str, Any]) -> list[str]:
    """How many kills, and what was wrong after them."""
    said = ", ".join(f"{verb} {count}" for verb, count in made["last_said_before_the_kill"].items())
    return [
        "## A writer of an INDEX killed",
        "",
        f"{made['kills']} kills -9 of a process that adds, deletes, compacts, re-indexes and switches; "
        f"{made['acknowledged_changes']} changes were acknowledged before; faults afterwards: {len(made['faults'])}. "
        f"What the process had said last: {said}.",
        "",
    ]
