"""claims.json as Markdown, and the words that the page shares with it."""

from __future__ import annotations

from typing import Any

SIGNS = {"confirmed": "✓", "refuted": "✗", "undecided": "?", "not tested": "–"}
TESTS = {
    "better": "better",
    "on par": "on par, ±{margin:g} points",
    "not worse": "not worse, {margin:g} points",
    "cheaper": "cheaper",
    "none": "–",
}


def minus(value: float, digits: int = 1) -> str:
    """A signed number with a true minus sign: `+1.5`, `−0.3`, `0.0`."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def small(p: float) -> str:
    """A p-value: `0.012`, `below 0.001`."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def test_words(claim: dict[str, Any], margin: float) -> str:
    """What is tested: `better`, `on par, ±3 points`."""
    return TESTS[claim["test"]].format(margin=margin)


def numbers(claim: dict[str, Any], names: dict[str, str]) -> str:
    """The numbers behind a verdict in one line; empty where nothing was measured."""
    if "difference" in claim:
        scores = ", ".join(f"{names[arm]} {value:.1f}" for arm, value in claim["scores"].items())
        change = (
            f"{minus(claim['difference'])} ({minus(claim['low'])} to {minus(claim['high'])})"
            if claim["n"]
            else ""
        )
        return f"{scores}; difference {change}"
    if claim.get("ratio") is not None:
        return f"{names[claim['subject']]} / {names[claim['reference']]}: {claim['ratio']:.3g}"
    return ""


def surpassed(claim: dict[str, Any]) -> str:
    """` (better)` where "on par" was refuted because the subject is better: no bad news, so never left unsaid."""
    better = claim["test"] == "on par" and claim["verdict"] == "refuted" and claim["difference"] > 0
    return " (better)" if better else ""


def control_of(claim: dict[str, Any], names: dict[str, str]) -> str:
    """What both arms get without seeing, behind their numbers; empty where there is no such control."""
    if "controls" not in claim:
        return ""
    found = ", ".join(f"{names[arm]} {value:.1f}" for arm, value in claim["controls"].items())
    return f" ({claim['control_words']}: {found})"


def seeds_of(claim: dict[str, Any]) -> str:
    """What each seed gave by itself."""
    if "difference" in claim:
        return " ".join(minus(value) for value in claim["per_seed"])
    return " ".join(f"{value:.3g}" for value in claim.get("per_seed", []))


def scale_of(one: dict[str, Any]) -> str:
    """At which scale a set was tested and on what machine, in a sentence; and what somebody remarked on it."""
    seeds = len(one["seeds"])
    where = f"trained on {one['machine']['accelerator'] or 'a CPU'}"
    where += ", several trainings at a time" if one.get("side_by_side") else ""
    remark = f" {one['remark']}" if "remark" in one else ""
    return (
        f"{one['photos']['train']:,} photos to learn from, {one['photos']['measured']:,} others to be measured on; "
        f"{one['epochs']} passes, {one['samples']:,} photo–text pairs for each arm and seed; {one['image_encoder']} at "
        f"{one['image_size']} px; frozen text encoder {one['text_encoder']}; {seeds} seed{'s' if seeds > 1 else ''}; "
        f"{where}.{remark}"
    )


def markdown(content: dict[str, Any]) -> str:
    """Tables of all sets: one over all verdicts, then one with the numbers of each set."""
    sets = content["sets"]
    lines = ["| claim | " + " | ".join(_cell(one["name"]) for one in sets) + " |"]
    lines.append("|---|" + "---|" * len(sets))
    for place, first in enumerate(sets[0]["claims"]):
        found = [one["claims"][place] for one in sets]
        cells = " | ".join(f"{SIGNS[one['verdict']]} {one['verdict']}{surpassed(one)}" for one in found)
        lines.append(f"| {first['number']} {_cell(first['claim'])} | {cells} |")
    for one in sets:
        lines += ["", f"## {one['name']}", "", scale_of(one), ""]
        lines += table(one, content)
    return "\n".join(lines) + "\n"


def table(one: dict[str, Any], content: dict[str, Any]) -> list[str]:
    """The lines of one set's table with numbers."""
    lines = [
        "| | claim | test | verdict | why | numbers | by seed | p | n |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for claim in one["claims"]:
        p = small(claim["p_corrected"]) if "p_corrected" in claim else ""
        count = f"{claim['n']:,}" if "n" in claim else ""
        test = test_words(claim, content["rules"]["margin"])
        cells = [
            claim["number"], claim["claim"], test, f"**{claim['verdict']}**", claim["reason"],
            numbers(claim, content["arms"]) + control_of(claim, content["arms"]), seeds_of(claim), p, count,
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
