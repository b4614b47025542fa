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
        for sentence in cost_sentences(cost):
            say(f"  {sentence}")
    for metric, kinds in (details.get("robustness") or {}).items():
        rows = [[kind, *(_kept(level) for level in levels)] for kind, levels in kinds.items()]
        header = [f"{metric} kept, percent", "slight", "2", "3", "4", "severe"]
        show_table("photos damaged at five strengths", header, rows)


def cost_sentences(cost: Mapping[str, Any]) -> list[str]:
    """What the thresholds mean for daily work, in sentences for a person who decides."""

    def money(entry: Mapping[str, float]) -> str:
        return f"{entry['value']:,.2f} ({entry['low']:,.2f} to {entry['high']:,.2f})"

    share, model, ask = cost["share"], cost["model"], cost["always_ask"]
    first = (
        f"Of 1,000 sentences, {cost['false_share'] * 10:.0f} of them false, the model would accept "
        f"{share['accepted'] * 10:.0f}, reject {share['rejected'] * 10:.0f} and give {share['asked'] * 10:.0f} to a "
        f"person. That costs {money(model)} in all, missed false sentences, false alarms and the person's time together."
    )
    second = f"Asking a person about every one costs {ask['value']:,.2f}; {_saves(cost['saved_against_asking'], money)}."
    third = (
        f"Accepting everything unseen costs {money(cost['accept_everything'])}; "
        f"{_saves(cost['saved_against_accepting'], money)}."
    )
    return [first, second, third]


def _saves(saved: Mapping[str, float], money: Any) -> str:
    if saved["low"] > 0:
        return f"the model saves {money(saved)}"
    if saved["high"] < 0:
        turned = {"value": -saved["value"], "low": -saved["high"], "high": -saved["low"]}
        return f"the model costs {money(turned)} more"
    return f"whether the model saves anything is not shown ({money(saved)})"


def _kept(level: Mapping[str, Any]) -> str:
    return "–" if level["kept"] is None else f"{level['kept']:.0f}"
