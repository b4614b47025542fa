"""Sections of RESULTS.md about suspicious words and heatmaps."""

from __future__ import annotations

from typing import Any

from text_sections import table


def rate(share: dict[str, Any]) -> str:
    """Hit rate, that of chance, and the interval of the difference, in percent."""
    rate, control, low, high = (100 * share[name] for name in ("rate", "control", "low", "high"))
    return f"{rate:.1f} / {control:.1f} ({low:+.1f} to {high:+.1f})"


def fall(share: dict[str, Any]) -> str:
    """The same of falls of a cosine."""
    return f"{share['rate']:.3f} / {share['control']:.3f} ({share['low']:+.3f} to {share['high']:+.3f})"


def explaining_section(made: dict[str, Any]) -> list[str]:
    """Words by method and by kind, places by test."""
    name = "drawn scenes" if "pointing" in made["places"] else "Flickr8k"
    run = made["run"]
    lines = [
        f"## Which words, which place: {name}",
        "",
        f"{run['encoder']} at {run['image_size']} px, model {run['id']}, {made['photos']:,} validation photos. "
        "Each cell: measured / control, and the 95 % interval of the difference (bootstrap over photos).",
        "",
    ]
    if "words" in made:
        lines += word_lines(made["words"])
    return (
        lines + place_lines(made["places"]) + [f"Machine {made['machine']}, versions {made['versions']}.", ""]
    )


def word_lines(words: dict[str, Any]) -> list[str]:
    """Hit rates of the most suspicious phrase against a random phrase of the same text, in percent."""
    sorts = [sort for sort in ("rules", "borrowed", "pairs") if sort in words["reported"][words["chosen"]]]
    n = {sort: words["reported"][words["chosen"]][sort]["n"] for sort in sorts}
    label = {"rules": "by rule", "borrowed": "borrowed phrase", "pairs": "the set's own pairs"}
    rows = [
        [f"**{method}**" if method == words["chosen"] else method, *[rate(found[sort]) for sort in sorts]]
        for method, found in words["reported"].items()
    ]
    kinds = [[f"{kind} (n {share['n']})", rate(share)] for kind, share in words["kinds"].items()]
    apart = ", ".join(f"{label[sort]} {rate(words['told_apart'][sort])}" for sort in sorts)
    return [
        "How often the most suspicious phrase overlaps a changed word, against a random phrase of the same text, "
        "percent, on every other photo. The method in bold was the best on the remaining photos, by its smaller gain "
        "in the first two columns; lift uses out+neutral+alone with phrases of 1, the best on Flickr8k. *By rule*: "
        "lift.rewording changed one fact; *borrowed*: a phrase from another photo's caption stands in for one of the "
        "same kind. `alternatives` (does another word of the rules' lists fit better?) wins by far on what these same "
        "rules made of Flickr8k and next to nothing on borrowed phrases: it knows which words a rule can change.",
        "",
        *table(["method", *[f"{label[sort]} (n {n[sort]})" for sort in sorts]], rows),
        "",
        "The method in bold by kind of change:",
        "",
        *table(["kind", "hit rate / chance"], kinds),
        "",
        f"Where the model gives the false text the smaller cosine: {apart}.",
        "",
    ]


def place_lines(places: dict[str, Any]) -> list[str]:
    """The deletion test and, where boxes are known, the pointing game."""
    lines = [
        "Deletion: fall of the cosine with a quarter of the patches painted over, the hottest ones against as many at "
        f"random: {fall(places['deletion'])}; against those in the middle of the photo: "
        f"{fall(places['deletion_against_middle'])}.",
        "",
    ]
    if "pointing" not in places:
        return lines
    rows = [
        [name, rate(found["reported"]), rate(found["against_middle"])]
        for name, found in places["pointing"].items()
    ]
    n = next(iter(places["pointing"].values()))["reported"]["n"]
    return [
        *lines,
        f'Pointing game for {n} named things ("a red ball") on a grid of {places["grid"]} x {places["grid"]} patches, '
        "percent: the hottest patch touches the thing, by the text whose cosine is taken away from that of the thing:",
        "",
        *table(["compared with", "hit / chance", "hit / the middle"], rows),
        "",
    ]
