"""The HTML page: everything on it, put into words and SVG, and handed to the template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from lift import __version__
from lift.report.comparison import BETTER, UNDECIDED, WORSE, Group, Line, NotComparable
from lift.report.cost import NO_TEXT, break_even_sentences, cost_rows
from lift.report.detail_plots import details_of, risk_plot, robustness_plots
from lift.report.findings import findings
from lift.report.pictures import Gallery
from lift.report.plots import MARKERS, curves, pairs_plot, recall_plot, training_plot
from lift.report.reading import Run
from lift.report.tables import plus_minus
from lift.report.wording import (
    SECTIONS,
    UNKNOWN,
    control_meaning,
    control_words,
    count,
    interval,
    joined,
    metric_words,
    number,
    p_words,
    signed,
)

SIGNS = dict(zip(MARKERS, "●■▲◆▼⬟✖★", strict=True))  # the plots' markers as characters
VERDICT_CLASS = {BETTER: "better", WORSE: "worse", UNDECIDED: "open"}


class Plot(NamedTuple):
    """One plot: heading, SVG, what it shows for those who cannot see it, a caption for all."""

    heading: str
    svg: Markup
    words: str
    caption: str


def render(
    title: str,
    conclusion: Sequence[str],
    runs: Sequence[Run],
    groups: Sequence[Group],
    left_out: Sequence[NotComparable],
    shown: Sequence[Gallery],
    noise: Sequence[str] = (),
) -> str:
    """The whole page as one HTML text that needs no other file and no network."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "signed": signed, "plus_minus": plus_minus, "count": count}
    environment.globals |= {
        "interval": interval,
        "p_words": p_words,
        "tables_of": tables_of,
        "same_for_all": same_for_all,
        "control_words": control_words,
        "sign": lambda place: SIGNS[MARKERS[place % len(MARKERS)]],
        "colour": lambda place: f"var(--run-{place % len(MARKERS) + 1})",
        "verdict_class": lambda verdict: VERDICT_CLASS[verdict],
    }
    cells = [cell for group in groups for line in group.scores for cell in line.cells if cell is not None]
    return environment.get_template("page.html").render(
        title=title,
        conclusion=conclusion,
        runs=runs,
        sections=[(words, found) for key, words in SECTIONS.items() if (found := _in_section(groups, key))],
        controls=[(control_words(c), control_meaning(c)) for c in _controls(groups)],
        tested=sum(cell.difference is not None for cell in cells),
        corrected=sum(cell.difference is not None and cell.difference.p is not None for cell in cells),
        noise=noise,
        findings=findings(groups, runs),
        left_out=left_out,
        galleries=shown,
        plots=_plots(groups, runs),
        cost=cost_rows(runs),
        break_even=break_even_sentences(runs),
        groups=groups,
        provenance=[(run.name, _provenance(run)) for run in runs],
        version=__version__,
    )


def tables_of(group: Group) -> list[tuple[str, list[Line]]]:
    """A group's scores as (heading, lines): one table, or for pairs one over all and one per text length."""
    tables: dict[str, list[Line]] = {}
    for line in group.scores:
        length = line.metric.split("/")[1:-1] if group.section == "pairs" else []
        tables.setdefault(" ".join(length), []).append(line)
    names = {"": "all captions" if len(tables) > 1 else ""}
    return [(names.get(length, f"{length} captions"), lines) for length, lines in tables.items()]


def same_for_all(control: Line) -> float | None:
    """The one value a control has for every run, so that it is shown only once; None when they differ."""
    values = {cell.value for cell in control.cells if cell is not None}
    return values.pop() if len(values) == 1 else None


def _in_section(groups: Sequence[Group], section: str) -> list[Group]:
    return [group for group in groups if group.section == section]


def _controls(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(control for group in groups for control in group.controls))


RECALL_CAPTION = (
    "Higher is better. The bars are 95 % intervals of each run by itself; whether two runs differ is told "
    "by the paired differences in the table, which are sharper."
)
PAIRS_CAPTION = (
    "How often the true sentence is preferred; dashed: guessing. A score counts as seeing only where it "
    "lies to the right of the grey controls of its kind."
)


def _plots(groups: Sequence[Group], runs: Sequence[Run]) -> list[Plot]:
    """Recall, pair accuracy and training curves, as far as they were measured."""
    plots = []
    for place, group in enumerate(groups):
        if group.section == "pairs":
            svg = pairs_plot(group, runs, f"plot{place}")
            heading, caption = "True sentence preferred, by kind of change", PAIRS_CAPTION
        elif group.section in ("short", "long"):
            svg = recall_plot(group, runs, f"plot{place}")
            heading, caption = f"Found among the first 1, 5, 10, {group.section} captions", RECALL_CAPTION
        else:
            plots += _detail_plots(group, runs, f"plot{place}")
            continue
        if svg is not None:
            name = f"{heading}: {group.title}"
            plots.append(Plot(name, Markup(svg), _plot_words(name, group, runs), caption))
    svg = training_plot(runs, "training")
    if svg is not None:
        caption = (
            "Losses of different kinds have scales of their own: compare their shape, not their height. "
            "Validation recall during training is measured on a sample and serves to see progress only."
        )
        plots.append(Plot("Training", Markup(svg), _training_words(runs), caption))
    return plots


RISK_CAPTION = (
    "The model answers what it is surest of; the rest goes to a person. The lower the line, the fewer of its answers "
    "are wrong; its right end is the model without a person."
)
ROBUSTNESS_CAPTION = (
    "What is left of the score on whole photos (dashed: all of it), from slight to severe damage; the strengths are "
    "named in the protocol below."
)


def _detail_plots(group: Group, runs: Sequence[Run], name: str) -> list[Plot]:
    """Risk over coverage, and what damaged photos leave."""
    found = []
    if svg := risk_plot(group, runs, name):
        heading = f"Wrong answers when unsure ones go to a person: {group.task}, {group.title}"
        found.append(Plot(heading, Markup(svg), _risk_words(heading, group, runs), RISK_CAPTION))
    for words, svg in robustness_plots(group, runs, name):
        heading = f"Damaged photos: {words}, {group.title}"
        found.append(Plot(heading, Markup(svg), _kept_words(heading, group, runs), ROBUSTNESS_CAPTION))
    return found


def _risk_words(name: str, group: Group, runs: Sequence[Run]) -> str:
    said = []
    for member in group.members:
        if curve := details_of(runs[member], group).get("risk_coverage"):
            half = next((r for c, r in zip(curve["coverage"], curve["risk"], strict=True) if c >= 50), None)
            said.append(
                f"{runs[member].name}: {number(half)} of 100 wrong when half is answered, "
                f"{number(curve['risk'][-1])} when all is"
            )
    return f"{name}. {'. '.join(said)}."


def _kept_words(name: str, group: Group, runs: Sequence[Run]) -> str:
    said = [
        f"{runs[member].name}, {metric}: "
        + ", ".join(f"{kind} {number(levels[-1]['kept'], 0)}" for kind, levels in kinds.items())
        for member in group.members
        for metric, kinds in (details_of(runs[member], group).get("robustness") or {}).items()
    ]
    return f"{name}. Kept of 100 at the severest strength: {'. '.join(said)}."


def _plot_words(name: str, group: Group, runs: Sequence[Run]) -> str:
    """The plot's numbers as a sentence per run."""
    wanted = "pair_accuracy" if group.section == "pairs" else "recall@"
    said = []
    for member in group.members:
        values = [
            f"{metric_words(line.metric, group.section)} {number(cell.value)}"
            for line in group.scores
            if wanted in line.metric and (cell := line.cells[member]) is not None
        ]
        said.append(f"{runs[member].name}: {', '.join(values)}")
    return f"{name}. {'. '.join(said)}."


def _training_words(runs: Sequence[Run]) -> str:
    said = [
        f"{what} of {runs[run].name} from {number(values[0], 2)} to {number(values[-1], 2)}"
        for what, lines in curves(runs)
        for run, _, values in lines
    ]
    return f"Training curves: {joined(said)}."


def _provenance(run: Run) -> list[tuple[str, str]]:
    """Ids, versions and machine of a run, as (what, text)."""
    manifest = run.manifest
    data, encoder = manifest.get("dataset") or {}, manifest.get("fingerprint") or {}
    ids = dict.fromkeys(str((result.content.get("model") or {}).get("id", UNKNOWN)) for result in run.results)
    method = [str(manifest[key]) for key in ("method", "loss", "preset") if manifest.get(key)]
    facts = [
        ("Folder", str(run.folder)),
        ("Model id", joined(list(ids))),
        (
            "Method",
            ", ".join(method),
        ),
        ("Trained on", f"{data.get('name', UNKNOWN)} (id {data.get('id', UNKNOWN)})"),
        ("Text encoder", NO_TEXT if run.has_words_for_labels else _text_encoder(encoder)),
        ("Trained before", run.pretrained),
        ("Training seed", str((manifest.get("config") or {}).get("seed", UNKNOWN))),
        ("Versions", _listed(manifest.get("versions"))),
        ("Machine", _listed(manifest.get("machine"))),
    ]
    return [(what, text) for what, text in facts if text]


def _text_encoder(encoder: dict[str, Any]) -> str:
    return f"{encoder.get('name', UNKNOWN)} (fingerprint {encoder.get('digest', UNKNOWN)})"


def _listed(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value) if value else UNKNOWN
