"""The plots of the page: differences with their intervals, and cost ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lift.claims.rules import CONFIRMED, REFUTED, UNDECIDED
from lift.report.plots import GRID, MUTED, RUN_COLOURS, draw

LOOKS = {CONFIRMED: ("o", RUN_COLOURS[2]), REFUTED: ("X", RUN_COLOURS[1]), UNDECIDED: ("D", MUTED)}


def differences_plot(claims: Sequence[dict[str, Any]], name: str, margin: float) -> str | None:
    """Difference of every claim with a difference, with its 95 % interval and the margin around zero."""
    rows = [claim for claim in claims if "difference" in claim]
    if not rows:
        return None

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        axis.axvspan(-margin, margin, color=GRID, alpha=0.5, linewidth=0)
        axis.axvline(0, color=MUTED, linewidth=1)
        for place, row in enumerate(rows):
            spread = [[row["difference"] - row["low"]], [row["high"] - row["difference"]]]
            _point(axis, row["difference"], place, row["verdict"], spread)
        _finish(figure, axis, rows)
        axis.set_xlabel("difference, points of 100 (right: the arm named first scores higher)")

    return draw(name, 1.5 + 0.32 * len(rows), paint)


def costs_plot(claims: Sequence[dict[str, Any]], name: str) -> str | None:
    """Cost ratios, LIFT / CLIP, with those of the seeds."""
    rows = [claim for claim in claims if claim.get("ratio") is not None]
    if not rows:
        return None

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        axis.axvline(1, color=MUTED, linewidth=1)
        for place, row in enumerate(rows):
            seeds = row["per_seed"]
            spread = [[row["ratio"] - min(seeds)], [max(seeds) - row["ratio"]]]
            _point(axis, row["ratio"], place, row["verdict"], spread)
        _finish(figure, axis, rows)
        axis.set_xlim(left=0)
        axis.set_xlabel("LIFT / CLIP (left of 1: cheaper)")

    return draw(name, 1.5 + 0.32 * len(rows), paint)


def _point(axis: Axes, value: float, place: int, verdict: str, spread: list[list[float]]) -> None:
    marker, colour = LOOKS.get(verdict, LOOKS[UNDECIDED])
    spread = [[max(0.0, side[0])] for side in spread]
    axis.errorbar(
        [value], [place], xerr=spread, fmt=marker, color=colour, markersize=6, capsize=3, elinewidth=1.6
    )


def _finish(figure: Figure, axis: Axes, rows: Sequence[dict[str, Any]]) -> None:
    axis.set_yticks(range(len(rows)), [row["number"] for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, label=word)
        for word, (marker, colour) in LOOKS.items()
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3, fontsize=9)
