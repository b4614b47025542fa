"""Plots as inline SVG that follow the page's light or dark colours; equal input gives equal bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lift.report.comparison import Cell, Group, Line
from lift.report.reading import Run
from lift.report.wording import control_words, metric_words

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# Matplotlib wants colours in numbers, the page wants variables that change with light and dark: each of these
# stands for a variable and is replaced in the finished SVG.
INK, MUTED, GRID = "#010101", "#020202", "#030303"
RUN_COLOURS = tuple(f"#0400{number:02x}" for number in range(1, len(MARKERS) + 1))
VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)"} | {
    colour: f"var(--run-{number})" for number, colour in enumerate(RUN_COLOURS, 1)
}
STYLE = {
    "svg.fonttype": "none",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}
WIDTH = 4.6  # inches; drawn one to one on a phone, so that the words stay readable


def colour(run: int) -> str:
    """The stand-in colour of a run by its number."""
    return RUN_COLOURS[run % len(RUN_COLOURS)]


def draw(name: str, height: float, paint: Callable[[Figure], None], width: float = WIDTH) -> str:
    """SVG text of a figure painted by `paint`; `name` keeps its ids apart from other plots on the page."""
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        file = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _inline(file.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """Make a stand-alone SVG part of a page: no prolog or fixed size, own ids, colours by variable."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true" focusable="false">', svg
    )
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r"'?DejaVu Sans'?[^;\"]*", "inherit", svg)
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return svg


def recall_plot(group: Group, runs: Sequence[Run], name: str) -> str | None:
    """Recall at k, sentence to photo and photo to sentence, one marker with its interval per run."""
    panels = []
    for way, title in (("text_to_image", "sentence → photo"), ("image_to_text", "photo → sentence")):
        lines = [line for line in group.lines if line.metric.startswith(f"{way}/recall@")]
        if lines:
            panels.append((title, sorted(lines, key=lambda line: _k(line.metric))))
    if not panels:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (title, lines) in zip(axes, panels, strict=True):
            _recall_panel(axis, title, lines, group.members)
        axes[0].set_ylabel("found, of 100")
        axes[0].yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        legend(figure, [(runs[number].name, number) for number in group.members])

    return draw(name, 2.9 + 0.2 * len(group.members), paint)


def _k(metric: str) -> int:
    return int(metric.rpartition("@")[2])


def _recall_panel(axis: Axes, title: str, lines: Sequence[Line], members: Sequence[int]) -> None:
    axis.set_title(title, fontsize=10)
    for place, number in enumerate(members):
        cells = [(position, line.cells[number]) for position, line in enumerate(lines)]
        there = [(position, cell) for position, cell in cells if cell is not None]
        shift = _shift(place, len(members), 0.5)
        positions = [position + shift for position, _ in there]
        _points(axis, positions, [cell for _, cell in there], number, vertical=True)
    axis.set_xticks(range(len(lines)), [f"first {_k(line.metric)}" for line in lines])
    axis.set_xlim(-0.5, len(lines) - 0.5)
    axis.set_ylim(bottom=0)
    axis.grid(axis="x", visible=False)


def _shift(place: int, of: int, room: float) -> float:
    """Where marker `place` of `of` goes beside its neighbours, so that intervals do not cover one another."""
    return room * (place - (of - 1) / 2) / max(of, 2)


def _points(axis: Axes, positions: Sequence[float], cells: Sequence[Cell], run: int, vertical: bool) -> None:
    values = [cell.value for cell in cells]
    low = [cell.value - (cell.low if cell.low is not None else cell.value) for cell in cells]
    high = [(cell.high if cell.high is not None else cell.value) - cell.value for cell in cells]
    spread = [[max(0.0, x) for x in low], [max(0.0, x) for x in high]]
    style: dict[str, Any] = {
        "fmt": MARKERS[run % len(MARKERS)],
        "color": colour(run),
        "markersize": 6,
        "capsize": 3,
        "elinewidth": 1.6,
        "clip_on": False,  # a marker at zero would be cut in half
    }
    if vertical:
        axis.errorbar(positions, values, yerr=spread, **style)
    else:
        axis.errorbar(values, positions, xerr=spread, **style)


def legend(figure: Figure, runs: Sequence[tuple[str, int]], controls: Sequence[tuple[str, str]] = ()) -> None:
    """Names and markers below the plot: (name, number) of the runs, (words, marker) of the controls."""
    handles = [
        Line2D([], [], linestyle="", marker=MARKERS[n % len(MARKERS)], color=colour(n), label=_plain(name))
        for name, n in runs
    ]
    handles += [Line2D([], [], linestyle="", marker=m, color=MUTED, label=words) for words, m in controls]
    figure.legend(handles=handles, loc="outside lower left", ncols=min(2, len(handles)), fontsize=9)


def _plain(name: str) -> str:
    """A run's name as literal text: a pair of dollar signs would be read as mathematics."""
    return name.replace("$", r"\$")


def pairs_plot(group: Group, runs: Sequence[Run], name: str) -> str | None:
    """Accuracy by kind of change, one marker per run, grey marks for the controls; short and long apart."""
    panels: dict[str, dict[str, Line]] = {}
    for line in group.scores:
        _, *length, kind = ["", *line.metric.split("/")]
        if length[:1] == ["pair_accuracy"]:
            panels.setdefault(" ".join(length[1:]), {})[kind] = line
    if len(panels) > 1:  # the mixture of short and long says less than the two
        panels.pop("", None)
    kinds = list(dict.fromkeys(kind for lines in panels.values() for kind in lines))
    if not kinds:
        return None
    controls = [control for control in group.controls if control in CONTROL_MARKS]

    def paint(figure: Figure) -> None:
        axes = figure.subplots(1, len(panels), sharey=True, sharex=True, squeeze=False)[0]
        for axis, (length, lines) in zip(axes, panels.items(), strict=True):
            axis.set_title(f"{length} captions" if length else "", fontsize=10)
            _pairs_panel(axis, group, [lines.get(kind) for kind in kinds], controls)
        axes[0].set_yticks(
            range(len(kinds)), [_plain(metric_words(f"pair_accuracy/{kind}", "pairs")) for kind in kinds]
        )
        axes[0].set_ylim(len(kinds) - 0.5, -0.5)
        marks = [(f"control: {control_words(control)}", CONTROL_MARKS[control]) for control in controls]
        legend(figure, [(runs[number].name, number) for number in group.members], marks)

    rows = len(kinds) * (0.13 * len(group.members) + 0.2)
    return draw(name, 1.4 + rows + 0.1 * len(group.members), paint)


def _pairs_panel(axis: Axes, group: Group, lines: Sequence[Line | None], controls: Sequence[str]) -> None:
    """Draw the kinds of one length from top to bottom."""
    rows = [(row, line) for row, line in enumerate(lines) if line is not None]
    for row, line in rows:
        for beside in group.controls_of(line.metric):
            if beside.control in controls:
                values = [cell.value for cell in beside.cells if cell is not None]
                mark = CONTROL_MARKS[beside.control]
                axis.plot(
                    values,
                    [row] * len(values),
                    linestyle="",
                    marker=mark,
                    color=MUTED,
                    markersize=8,
                    zorder=1,
                )
    for place, number in enumerate(group.members):
        shift = _shift(place, len(group.members), 0.6)
        cells = [(row + shift, line.cells[number]) for row, line in rows]
        there = [(position, cell) for position, cell in cells if cell is not None]
        _points(
            axis, [position for position, _ in there], [cell for _, cell in there], number, vertical=False
        )
    axis.axvline(50, color=MUTED, linewidth=1, linestyle="--", zorder=0)
    axis.set_xlabel("of 100")
    axis.grid(axis="y", visible=False)


CONTROL_MARKS = {"text_only": "|", "shuffled": "x", "shuffled_words": "x", "wrong_photo": "+"}


def curves(runs: Sequence[Run]) -> list[tuple[str, list[tuple[int, list[float], list[float]]]]]:
    """Training curves as (what, [(run number, samples seen, values)]): one entry per loss, one for recall."""
    found: dict[str, list[tuple[int, list[float], list[float]]]] = {}
    for number, run in enumerate(runs):
        per_step = _samples_per_step(run)
        loss = str(run.manifest.get("loss") or "loss")
        for key, what in (("loss", f"{loss} loss"), ("val/text_to_image/recall@10", "validation recall@10")):
            steps = [step for step in run.log if isinstance(step.get(key), int | float)]
            if steps:
                points = (
                    number,
                    [step["step"] * per_step for step in steps],
                    [float(step[key]) for step in steps],
                )
                found.setdefault(what, []).append(points)
    return sorted(found.items(), key=lambda item: item[0] == "validation recall@10")


def _samples_per_step(run: Run) -> float:
    seen, steps = run.samples_seen, run.manifest.get("steps")
    if seen and steps:
        return seen / steps
    return float((run.manifest.get("config") or {}).get("batch_size") or 1)


def training_plot(runs: Sequence[Run], name: str) -> str | None:
    """Loss and validation recall over samples seen, one line per run; None without training logs."""
    panels = curves(runs)
    if not panels:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (what, lines) in zip(axes, panels, strict=True):
            axis.set_title(what, fontsize=10, loc="left")
            for number, samples, values in lines:
                mark = MARKERS[number % len(MARKERS)]
                axis.plot(samples, values, color=colour(number), marker=mark, markersize=4, markevery=0.25)
        axes[-1].set_ylim(bottom=0)
        axes[-1].set_xlabel("samples seen")
        axes[-1].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes[-1].locator_params(axis="x", nbins=5)
        legend(figure, [(run.name, number) for number, run in enumerate(runs)])

    return draw(name, 0.8 + 1.5 * len(panels) + 0.1 * len(runs), paint)
