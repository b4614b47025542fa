"""What a person can act on: cost in work terms, queries that fail worst, photos that answer too many queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lift.report.comparison import Group
from lift.report.detail_plots import details_of
from lift.report.reading import Run
from lift.report.wording import number

WORST, HUBS = 8, 5


@dataclass(frozen=True)
class Finding:
    """Lines about one run under a heading; a list when `listed`, else sentences."""

    heading: str
    place: int
    lines: tuple[str, ...]
    listed: bool


def findings(groups: Sequence[Group], runs: Sequence[Run]) -> list[Finding]:
    """All there is to tell, group by group, run by run."""
    found = []
    for group in groups:
        for place in group.members:
            details = details_of(runs[place], group)
            if cost := details.get("cost"):
                heading = f"What it costs in daily work: {group.title}"
                found.append(Finding(heading, place, tuple(cost["sentences"]), False))
            if worst := details.get("worst"):
                lines = [
                    f"“{one['query']}”: its photo {one['truth']} comes in place {number(one['rank'], 0)}"
                    for one in worst[:WORST]
                ]
                found.append(Finding(f"Searches that fail worst: {group.title}", place, tuple(lines), True))
            if hubs := details.get("hubs"):
                found.append(
                    Finding(f"Photos that come up too often: {group.title}", place, _hubs(hubs), False)
                )
    return found


def _hubs(hubs: dict[str, Any]) -> tuple[str, ...]:
    most = ", ".join(f"{one['key']} ({one['answers']})" for one in hubs["photos"][:HUBS])
    strong = "; above 1 a few photos crowd out the others" if hubs["skewness"] > 1 else ""
    return (
        f"A photo is among the first {hubs['depth']} for {hubs['expected']:g} sentences on average, most often: "
        f"{most}. "
        f"{hubs['never_found']} photos never are. Skewness of these counts: {number(hubs['skewness'])}{strong}.",
    )
