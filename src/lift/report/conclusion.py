"""The plain-words conclusion: at most six sentences, drawn from the paired intervals by fixed rules."""

from __future__ import annotations

from collections.abc import Sequence

from lift.report.comparison import BETTER, UNDECIDED, Cell, Difference, Group, Line
from lift.report.cost import cost_sentence
from lift.report.reading import Run
from lift.report.wording import control_words, count, interval, joined, number, signed

HEADLINES = {
    "short": ("text_to_image/recall@10", "text_to_image/recall@5", "text_to_image/recall@1"),
    "long": ("text_to_image/recall@10", "text_to_image/recall@5", "text_to_image/recall@1"),
    "pairs": ("pair_accuracy/all", "pair_accuracy"),
    "verification": ("auroc",),
    "zero_shot": ("top1",),
}
SAYS = {
    "text_to_image/recall@10": ("finds the right photo among the first ten for", "sentences"),
    "text_to_image/recall@5": ("finds the right photo among the first five for", "sentences"),
    "text_to_image/recall@1": ("finds the right photo at once for", "sentences"),
    "pairs": ("prefers the true sentence to a slightly changed, false one for", "pairs"),
    "verification": ("scores a true sentence above a false one for", "such pairs"),
    "zero_shot": ("names the right class for", "photos, never trained on these classes,"),
}
SHORT_NAME = {
    "short": "search with short captions",
    "long": "search with long captions",
    "pairs": "composition",
    "verification": "verification",
    "zero_shot": "zero-shot classes",
}


def headline(group: Group) -> Line | None:
    """The one line of a group that the conclusion speaks of, None when it has no such metric."""
    for metric in HEADLINES.get(group.section, ()):
        line = group.line(metric)
        if line is not None and line.cells[group.reference] is not None:
            return line
    return None


def conclude(groups: Sequence[Group], runs: Sequence[Run]) -> list[str]:
    """Two to six sentences for a person who must decide."""
    told = _main_groups(groups)
    sentences = [_result_sentence(group, line, runs) for group, line in told]
    main = [group for group, _ in told]
    sentences += _elsewhere([group for group in groups if group not in main], main, runs)
    if not groups:
        sentences.append("None of the results may be compared with one another; the reasons are given below.")
    sentences += _samples_sentence(runs)
    cost = cost_sentence(runs)
    if cost:
        sentences.append(cost)
    caution = _caution([(group, line) for group, line in told])
    return sentences + ([caution] if caution else [])


def _main_groups(groups: Sequence[Group]) -> list[tuple[Group, Line]]:
    """The first search and the first composition result; whatever there is when both are missing."""
    with_headline = [(group, line) for group in groups if (line := headline(group)) is not None]
    chosen: list[tuple[Group, Line]] = []
    for sections in (("short", "long"), ("pairs",)):
        chosen += [pair for pair in with_headline if pair[0].section in sections][:1]
    return chosen or with_headline[:1]


def _subject_first(reference: Run, other: Run) -> bool:
    """Whether the sentence is about the first run: yes, unless only the other one is a LIFT."""
    return reference.is_lift or not other.is_lift


def _result_sentence(group: Group, line: Line, runs: Sequence[Run]) -> str:
    shown = [(runs[number], cell) for number, cell in enumerate(line.cells) if cell is not None]
    does, what = SAYS.get(line.metric) or SAYS[group.section]
    if group.section == "long":
        what = "long descriptions"
    if len(shown) == 2 and not _subject_first(shown[0][0], shown[1][0]):
        shown.reverse()
    (subject, first), others = shown[0], shown[1:]
    text = f"On {group.dataset}, {subject.name} {does} {number(first.value)} of 100 {what}".rstrip(",")
    if not others:
        return f"{text}{_interval_of(first)}."
    text += ", " + joined([f"{run.name} for {number(cell.value)}" for run, cell in others])
    if len(others) == 1:
        return f"{text}; {_two_run_verdict(line, group, runs)}."
    return f"{text}; {_clauses(line, group, runs, exact=True)}."


def _interval_of(cell: Cell) -> str:
    if cell.low is None or cell.high is None:
        return ""
    return f" (95 % interval {number(cell.low)} to {number(cell.high)})"


def _differences(line: Line, group: Group, runs: Sequence[Run]) -> list[tuple[Run, Run, Difference | None]]:
    """(subject, other, subject minus other) for every run beside the reference."""
    reference = runs[group.reference]
    triples: list[tuple[Run, Run, Difference | None]] = []
    for place, cell in enumerate(line.cells):
        if cell is None or place == group.reference:
            continue
        if _subject_first(reference, runs[place]):
            triples.append((reference, runs[place], cell.difference and cell.difference.reversed()))
        else:
            triples.append((runs[place], reference, cell.difference))
    return triples


def _two_run_verdict(line: Line, group: Group, runs: Sequence[Run]) -> str:
    subject, _, difference = _differences(line, group, runs)[0]
    if difference is None:
        return "the difference could not be tested, because outcomes per query are missing"
    text = f"the difference of {signed(difference.value)} ({interval(difference.low, difference.high)})"
    if difference.verdict == UNDECIDED:
        return f"{text} is undecided: it may be chance"
    return f"{text} is a {'win' if difference.verdict == BETTER else 'loss'} for {subject.name}"


def _clauses(line: Line, group: Group, runs: Sequence[Run], exact: bool) -> str:
    """Who wins against whom, by how much: `A wins against B by 6.9 (6.2 to 7.7), loses to C by 1.2 (…)`.

    Without `exact` the intervals are left out.
    """
    clauses: list[str] = []
    last = ""
    for subject, other, difference in _differences(line, group, runs):
        who = "" if subject.name == last else f"{subject.name} "
        clauses.append(f"{who}{_clause(difference, other.name, exact)}")
        last = subject.name
    return joined(clauses)


def _clause(difference: Difference | None, other: str, exact: bool) -> str:
    if difference is None:
        return f"could not be tested against {other}"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    if difference.verdict == UNDECIDED:
        inside = f", {interval(difference.low, difference.high)}" if exact else ""
        return f"is undecided against {other} ({signed(difference.value)}{inside})"
    verb = "wins against" if difference.verdict == BETTER else "loses to"
    inside = f" ({number(low)} to {number(high)})" if exact else ""
    return f"{verb} {other} by {number(abs(difference.value))}{inside}"


def _elsewhere(groups: Sequence[Group], told: Sequence[Group], runs: Sequence[Run]) -> list[str]:
    """One sentence on all groups that got none of their own."""
    known = {(group.title, group.dataset) for group in told}
    parts = []
    for group in groups:
        line = headline(group)
        if line is None:
            continue
        where = "" if (group.title, group.dataset) in known else f" on {group.title}"
        if _differences(line, group, runs):
            said = _clauses(line, group, runs, exact=False)
        else:
            cell = line.cells[group.reference]
            assert cell is not None  # headline() asks for it
            said = f"{number(cell.value)} of 100"
        parts.append(f"{SHORT_NAME[group.section]}{where}: {said}")
    return [f"Elsewhere – {'; '.join(parts)}."] if parts else []


def _samples_sentence(runs: Sequence[Run]) -> list[str]:
    seen = [run.samples_seen for run in runs]
    known = [value for value in seen if value is not None]
    if len(runs) < 2 or not known:
        return []
    data = {(run.manifest.get("dataset") or {}).get("id") for run in runs}
    other = "" if len(data) == 1 else " They were trained on different data, which may explain a difference."
    if len(known) == len(seen) and len(set(known)) == 1:
        who = "Both" if len(runs) == 2 else "All"
        return [f"{who} runs saw equally many samples in training ({count(known[0])}).{other}"]
    numbers = joined([f"{run.name} {count(run.samples_seen)}" for run in runs])
    return [
        f"The runs did not see equally many samples in training ({numbers}), "
        f"so a difference may come from that rather than from the method.{other}"
    ]


def _caution(told: Sequence[tuple[Group, Line]]) -> str | None:
    """What to beware of where even the best run is poor: near guessing, near a blind control, or low."""
    warnings = []
    for group, line in told:
        best = max((cell for cell in line.cells if cell is not None), key=lambda cell: cell.value)
        warning = (
            _pairs_warning(group, line.metric, best)
            if group.section == "pairs"
            else _search_warning(group, line, best)
        )
        if warning:
            warnings.append(warning)
    return f"Caution: {'; '.join(warnings)}." if warnings else None


def _warning(group: Group, line: Line, best: Cell) -> str | None:
    if group.section == "pairs":
        return _pairs_warning(group, line.metric, best)
    return _search_warning(group, line, best)


def _search_warning(group: Group, line: Line, best: Cell) -> str | None:
    images = group.n.get("images")
    if "/recall@" not in line.metric:
        return None
    if images:
        guessing = 100 * min(1.0, int(line.metric.rpartition("@")[2]) / images)
        if (best.low if best.low is not None else best.value) <= 2 * guessing:
            return f"in search even the best run is hardly better than guessing ({number(guessing)} of 100)"
    if best.value < 50:
        return (
            f"in search even the best run misses the right photo for {number(100 - best.value)} of 100 texts"
        )
    return None


def _pairs_warning(group: Group, metric: str, best: Cell) -> str | None:
    controls = [
        (cell.value, line.control)
        for line in group.controls_of(metric)
        if line.control != "chance"
        for cell in line.cells
        if cell is not None
    ]
    low = best.low if best.low is not None else best.value
    if low <= 50:
        return "in composition no run is shown to be better than guessing (50 of 100)"
    if controls and low <= max(controls)[0]:
        value, control = max(controls)
        return (
            f"in composition the best run is not shown to beat the control “{control_words(control)}”, which "
            f"gets {number(value)}, so the scores do not show an understanding of composition"
        )
    return None
