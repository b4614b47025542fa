"""Plots of what results hold in detail: wrong answers against answers given, and what is left of damaged photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from lift.report.comparison import Group
from lift.report.plots import MARKERS, MUTED, colour, draw, legend
from lift.report.reading import Run
from lift.report.wording import metric_words


def details_of(run: Run, group: Group) -> dict[str, Any]:
    """The details of a run's result in `group`; of several seeds those of the first."""
    wanted = (group.task, group.dataset, group.split, group.variant)
    return next((r.content.get("details") or {} for r in run.results if r.group == wanted), {})


def risk_plot(group: Group, runs: Sequence[Run], name: str) -> str | None:
    """Wrong of 100 answers over answers given of 100, one line per run; None where no run has a curve."""
    found = [(place, details_of(runs[place], group).get("risk_coverage")) for place in group.members]
    lines = [(place, curve) for place, curve in found if curve]
    if not lines:
        return None

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        for place, curve in lines:
            axis.plot(curve["coverage"], curve["risk"], color=colour(place), linewidth=1.6)
            axis.plot(
                curve["coverage"][-1:],
                curve["risk"][-1:],
                linestyle="",
                marker=MARKERS[place % len(MARKERS)],
                color=colour(place),
                clip_on=False,
            )
        axis.set_xlim(0, 100)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("answered by the model, of 100 (the surest first)")
        axis.set_ylabel("wrong, of 100 answered")
        legend(figure, [(runs[place].name, place) for place, _ in lines])

    return draw(name, 2.9 + 0.2 * len(lines), paint)


def robustness_plots(group: Group, runs: Sequence[Run], name: str) -> list[tuple[str, str]]:
    """(words of the metric, SVG): what is kept of it at the five strengths, a panel per kind of damage."""
    by_run = {place: details_of(runs[place], group).get("robustness") or {} for place in group.members}
    metrics = list(dict.fromkeys(metric for curves in by_run.values() for metric in curves))
    return [
        (metric_words(metric, "short"), _robustness_plot(metric, by_run, runs, f"{name}-{number}"))
        for number, metric in enumerate(metrics)
    ]


def _robustness_plot(metric: str, by_run: dict[int, dict[str, Any]], runs: Sequence[Run], name: str) -> str:
    there = {place: curves[metric] for place, curves in by_run.items() if metric in curves}
    kinds = list(dict.fromkeys(kind for curves in there.values() for kind in curves))

    def paint(figure: Figure) -> None:
        rows = -(-len(kinds) // 2)
        axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
        for axis, kind in zip(axes.flat, kinds, strict=False):
            axis.set_title(kind, fontsize=10, loc="left")
            for place, curves in there.items():
                points = [(n, level["kept"]) for n, level in enumerate(curves.get(kind, []), 1)]
                known = [(n, kept) for n, kept in points if kept is not None]
                marker = MARKERS[place % len(MARKERS)]
                xs, ys = [n for n, _ in known], [kept for _, kept in known]
                axis.plot(xs, ys, color=colour(place), marker=marker, markersize=4)
            axis.axhline(100, color=MUTED, linewidth=1, linestyle="--", zorder=0)
        for axis in axes.flat[len(kinds) :]:
            axis.set_visible(False)
        axes[0][0].set_ylim(bottom=0)
        for axis in axes[-1]:
            axis.set_xlabel("strength")
            axis.set_xticks(range(1, 6))
        for row in axes:
            row[0].set_ylabel("kept, of 100")
        legend(figure, [(runs[place].name, place) for place in there])

    return draw(name, 0.6 + 1.4 * (-(-len(kinds) // 2)) + 0.2 * len(there), paint)
