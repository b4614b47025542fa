"""claims.json as one HTML page that needs no other file, no script and no network; the look is the report's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

import lift.report
from lift.claims.claim import CLAIMS
from lift.claims.markdown import SIGNS, minus, numbers, scale_of, seeds_of, small, surpassed, test_words
from lift.claims.plots import costs_plot, differences_plot
from lift.claims.rules import CONFIRMED, NOT_TESTED, REFUTED, UNDECIDED

CLASSES = {CONFIRMED: "better", REFUTED: "worse", UNDECIDED: "open", NOT_TESTED: "open"}
MEANINGS = {
    CONFIRMED: "the test came out as claimed, beyond chance, in every seed",
    REFUTED: "the opposite came out, beyond chance, in every seed",
    UNDECIDED: "neither could be shown with this much data and training; that is no proof of either",
    NOT_TESTED: "nothing here speaks to it",
}
FOLDERS = [Path(__file__).parent, Path(lift.report.__file__).parent]  # the second holds style.html


def render(content: dict[str, Any]) -> str:
    """The whole page as HTML text, from the content of claims.json."""
    environment = Environment(
        loader=FileSystemLoader(FOLDERS),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"minus": minus, "small": small, "count": lambda value: f"{value:,}"}
    environment.globals |= {
        "sign": lambda word: SIGNS[word],
        "verdict_class": lambda word: CLASSES[word],
        "numbers": numbers,
        "surpassed": surpassed,
        "seeds_of": seeds_of,
        "scale_of": scale_of,
        "test_words": test_words,
    }
    margin = content["rules"]["margin"]
    return environment.get_template("claims.html").render(
        content=content,
        sets=content["sets"],
        rules=content["rules"],
        claims=CLAIMS,
        meanings=MEANINGS,
        conclusion=[conclusion(one) for one in content["sets"]],
        plots=[_plots(one, place, margin) for place, one in enumerate(content["sets"])],
    )


def conclusion(one: dict[str, Any]) -> str:
    """One sentence on a set: which claims were confirmed, refuted, left undecided."""
    parts = []
    for word in (CONFIRMED, REFUTED, UNDECIDED, NOT_TESTED):
        found = [claim["number"] for claim in one["claims"] if claim["verdict"] == word]
        parts.append(f"{len(found)} {word}" + (f" ({', '.join(found)})" if found else ""))
    return f"On {one['name']}, of {len(one['claims'])} claims: {', '.join(parts[:-1])} and {parts[-1]}."


def _plots(one: dict[str, Any], place: int, margin: float) -> list[tuple[str, Markup, str, str]]:
    """(heading, SVG, words for those who cannot see it, caption) of a set's plots."""
    tested = [claim for claim in one["claims"] if "difference" in claim]
    said = "; ".join(f"claim {claim['number']}: {minus(claim['difference'])}" for claim in tested)
    costs = "; ".join(
        f"claim {claim['number']}: {claim['ratio']:.2f}"
        for claim in one["claims"]
        if claim.get("ratio") is not None
    )
    found = []
    svg = differences_plot(one["claims"], f"differences{place}", margin)
    if svg is not None:
        caption = (
            f"Bars: 95 % intervals over photos. Grey band: less than {margin:g} points, no difference worth the name "
            "for claims of “on par” and “not worse”."
        )
        found.append(("Differences", Markup(svg), f"Differences. {said}.", caption))
    svg = costs_plot(one["claims"], f"costs{place}")
    if svg is not None:
        caption = "Bars: from the smallest to the largest ratio of the seeds."
        found.append(("Cost of training", Markup(svg), f"Cost ratios. {costs}.", caption))
    return found
