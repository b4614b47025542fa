"""exam.json as one HTML page that needs no other file, no script and no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

COLOURS = {
    "green": ("●", "good"),
    "yellow": ("▲", "caution"),
    "red": ("■", "problem"),
    "grey": ("○", "not measured"),
}
SECTIONS = (
    (
        "What the texts say",
        "Whether meaning decides which texts are near one another.",
        ("same_item", "glossary"),
    ),
    (
        "Small differences in meaning",
        "Sentences of your own data, each reworded and, once more, with one fact changed. 100: the reworded one "
        "is always nearer; 50: the encoder cannot tell; below 50: the changed fact looks the more alike.",
        ("minimal_change",),
    ),
    (
        "Reading",
        "Whether the encoder reads your words, and to the end.",
        ("truncation", "fertility", "unknown"),
    ),
    (
        "The space of the vectors",
        "Whether the vectors leave room for photos to be placed near the right texts.",
        ("effective_rank", "anisotropy", "hubness"),
    ),
    ("For the training", "What would go wrong whatever the texts mean.", ("duplicates", "determinism")),
)
PARTS_IN_WORDS = {
    "same_item": "same-item retrieval: mean of recall@1 and recall@10, each from chance (0) to perfect (1)",
    "minimal_change": "minimal changes: mean AUROC over the kinds, divided by 100",
    "glossary": "glossary: share of comparisons won by the term",
    "effective_rank": "effective rank: its logarithm, 256 directions or more count 1",
    "hubness": "hubness: 1 / (1 + skewness above random vectors)",
    "truncation": "truncation: share of the tokens that are read",
}


def render(content: dict[str, Any]) -> str:
    """The whole page as HTML text, from the content of exam.json."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "count": lambda value: f"{value:,}"}
    environment.globals |= {
        "sign": lambda colour: COLOURS[colour][0],
        "word": lambda colour: COLOURS[colour][1],
    }
    return environment.get_template("page.html").render(
        content=content,
        encoders=content["encoders"],
        texts=content["texts"],
        sections=_sections(content["encoders"]),
        advice=[(one["name"], _advice(one["lights"])) for one in content["encoders"]],
        glossaries=_glossaries(content["encoders"]),
        examples=_examples(content["encoders"]),
        parts=[(PARTS_IN_WORDS[name], name, weight) for name, weight in content["weights"].items()],
        tally=[(one, _tally(one["lights"])) for one in content["encoders"]],
    )


def number(value: float | None, unit: str = "") -> str:
    """A value as a person reads it: `63 %`, `0.07`, `167`, `3e-07`."""
    if value is None:
        return "none"
    size = abs(value)
    if unit == "%":
        return f"{value:.1f} %" if size < 10 and value != round(value) else f"{value:.0f} %"
    if size and size < 0.005:
        return f"{value:.0e}"
    return f"{value:.0f}" if size >= 20 else f"{value:.1f}" if size >= 3 else f"{value:.2f}"


def _sections(encoders: list[dict[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Heading, explanation and rows; a row is one light of every encoder, None where it has none."""
    by_name = [{light["name"]: light for light in one["lights"]} for one in encoders]
    names = list(dict.fromkeys(name for lights in by_name for name in lights))
    sections = []
    for heading, words, parts in SECTIONS:
        rows = []
        for name in (n for n in names if n.split("/")[0] in parts):
            cells = [lights.get(name) for lights in by_name]
            first = next(cell for cell in cells if cell is not None)
            best = best_of(name, cells)
            sub = name.startswith("minimal_change/")
            rows.append({"name": name, "first": first, "cells": cells, "best": best, "sub": sub})
        if rows:
            sections.append((heading, words, rows))
    return sections


LOWER_IS_BETTER = ("truncation", "fertility", "unknown", "anisotropy", "hubness")


def best_of(name: str, cells: list[dict[str, Any] | None]) -> int | None:
    """Number of the best encoder in a row; None when its interval overlaps another's, or there is one encoder."""
    known = {i: cell for i, cell in enumerate(cells) if cell is not None and cell["value"] is not None}
    if len(known) < 2 or name in ("determinism", "duplicates"):
        return None
    lower = name.split("/")[0] in LOWER_IS_BETTER
    order = sorted(known, key=lambda i: known[i]["value"] if lower else -known[i]["value"])
    best = known[order[0]]
    for other in (known[i] for i in order[1:]):
        small, large = (best, other) if lower else (other, best)
        top = small["value"] if small["high"] is None else small["high"]
        bottom = large["value"] if large["low"] is None else large["low"]
        if top >= bottom:
            return None
    return order[0]


def _advice(lights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Red lights before yellow ones; one over all kinds of change speaks for the kinds of its own colour."""
    warned = [light for light in lights if light["colour"] in ("red", "yellow")]
    return sorted(warned, key=lambda light: light["colour"] != "red")


def _glossaries(encoders: list[dict[str, Any]]) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Encoder, its pairs with the worst first, and the spread of unrelated terms."""
    return [
        (one["name"], light["details"]["pairs"], light["details"]["unrelated_pairs"])
        for one in encoders
        for light in one["lights"]
        if light["name"] == "glossary" and light["value"] is not None
    ]


def _examples(encoders: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """Encoder, heading and the worst example of every kind of change."""
    return [
        (one["name"], light["title"], light["details"]["examples"][0])
        for one in encoders
        for light in one["lights"]
        if light["details"].get("examples") and light["name"].startswith("minimal_change/")
    ]


def _tally(lights: list[dict[str, Any]]) -> list[tuple[str, int]]:
    found = [light["colour"] for light in lights]
    return [(colour, found.count(colour)) for colour in COLOURS if colour in found]
