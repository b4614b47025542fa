"""What a result says beyond its numbers, on the terminal: worst queries, hubs, what it costs, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lift.console import say, show_table

FEW = 5


def tell_details(details: Mapping[str, Any]) -> None:
    """Print the details of a result that a person may want to act on."""
    if worst := details.get("worst"):
        say(f"  worst of the queries (median rank over all {details['median_rank']:g}):")
        for one in worst[:FEW]:
            say(f"    its photo {one['truth']} comes in place {one['rank']:g}: {one['query']}")
    if hubs := details.get("hubs"):
        say(
            f"  photos among the first {hubs['depth']}: {hubs['expected']:g} queries each on average, skewness "
            f"{hubs['skewness']:.1f}, {hubs['never_found']} photos never; most often "
            + ", ".join(f"{one['key']} ({one['answers']})" for one in hubs["photos"][:FEW])
        )
    if cost := details.get("cost"):
        for sentence in cost["sentences"]:
            say(f"  {sentence}")
    for metric, kinds in (details.get("robustness") or {}).items():
        rows = [[kind, *(_kept(level) for level in levels)] for kind, levels in kinds.items()]
        header = [f"{metric} kept, percent", "slight", "2", "3", "4", "severe"]
        show_table("photos damaged at five strengths", header, rows)


def _kept(level: Mapping[str, Any]) -> str:
    return "–" if level["kept"] is None else f"{level['kept']:.0f}"
