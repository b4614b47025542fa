"""The comparison as a table on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from rich.markup import escape

from lift.console import show_table
from lift.report.comparison import UNTESTED, Cell, Group, Line, NotComparable
from lift.report.reading import Run
from lift.report.wording import control_words, interval, number, p_words, signed

COLUMNS = (
    *("section", "task", "dataset", "split", "variant", "metric", "run", "value", "low", "high", "n", "best"),
    *("difference", "difference_low", "difference_high", "verdict", "p", "p_mid", "p_holm", "not_comparable"),
)


def show_groups(groups: Sequence[Group], runs: Sequence[Run]) -> None:
    """Print one table: a line per metric, a column per run with value, verdict, difference to the first."""
    rows: list[list[str]] = []
    for group in groups:
        rows.append([f"[bold]{escape(f'{group.task}, {group.title}')}[/bold]"])
        for line in group.scores:
            cells = [_terminal_cell(cell, place, group) for place, cell in enumerate(line.cells)]
            rows.append([f"  {escape(line.metric)}", *cells, f"[dim]{_terminal_controls(group, line)}[/dim]"])
    if rows:
        first = escape(runs[0].name)
        title = f"percent ± half the 95 % interval, * best beyond chance; below: difference to {first} (95 %)"
        show_table(title, ["metric", *(escape(run.name) for run in runs), "controls"], rows)


def _terminal_cell(cell: Cell | None, place: int, group: Group) -> str:
    if cell is None:
        return "–"
    value = f"{number(cell.value)}{plus_minus(cell)}{' *' if cell.best else ''}"
    if place == group.reference:
        return value
    change = cell.difference
    if change is None:
        return f"{value}  {UNTESTED}"
    tested = f"\n{p_words(change.p, change.p_holm)}" if change.p is not None else ""
    return f"{value}  {change.verdict}\n{signed(change.value)} ({interval(change.low, change.high)}){tested}"


def _terminal_controls(group: Group, line: Line) -> str:
    """Every control of a score with its values over the runs; once where all runs have the same."""
    parts = []
    for control in group.controls_of(line.metric):
        values = [number(cell.value) for cell in control.cells if cell is not None]
        shown = values[:1] if len(set(values)) == 1 else values
        parts.append(f"{control_words(control.control)} {' '.join(shown)}")
    return "\n".join(parts)


def plus_minus(cell: Cell) -> str:
    """Half the width of the 95 % interval: ` ± 1.4`."""
    if cell.low is None or cell.high is None:
        return ""
    return f" ± {number((cell.high - cell.low) / 2)}"


def csv_bytes(groups: Sequence[Group], left_out: Sequence[NotComparable], runs: Sequence[Run]) -> bytes:
    """The table as CSV, UTF-8, one line per metric and run; results left out come last with the reason."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for group in groups:
        for line in group.lines:
            for run, cell in zip(runs, line.cells, strict=True):
                if cell is not None:
                    writer.writerow(_csv_row(group, line, run.name, cell))
    for one in left_out:
        writer.writerow(
            {"task": one.task, "dataset": one.dataset, "run": one.run, "not_comparable": one.reason}
        )
    return file.getvalue().encode()


def _csv_row(group: Group, line: Line, run: str, cell: Cell) -> dict[str, object]:
    change = cell.difference
    return {
        "section": group.section,
        "task": group.task,
        "dataset": group.dataset,
        "split": group.split,
        "variant": group.variant,
        "metric": line.metric,
        "run": run,
        "value": round(cell.value, 4),
        "low": _rounded(cell.low),
        "high": _rounded(cell.high),
        "n": cell.n,
        "best": "yes" if cell.best else "",
        "difference": _rounded(change.value) if change else None,
        "difference_low": _rounded(change.low) if change else None,
        "difference_high": _rounded(change.high) if change else None,
        "verdict": change.verdict if change else "",
        "p": _significant(change.p) if change else None,
        "p_mid": _significant(change.p_mid) if change else None,
        "p_holm": _significant(change.p_holm) if change else None,
    }


def _significant(p: float | None) -> str | None:
    return None if p is None else f"{p:.3g}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
