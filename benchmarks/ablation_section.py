"""Section of RESULTS.md about the ablation of losses, negatives, conditioning and caption mix."""

from __future__ import annotations

from typing import Any

from text_sections import table

SHOWN = (
    ("text_to_image/recall@10", "sentence → photo, recall@10"),
    ("image_to_text/recall@10", "photo → sentence, recall@10"),
    ("long/text_to_image/recall@10", "long text → photo, recall@10"),
    ("pair_accuracy/all", "pairs, all kinds"),
    ("text_only/all", "… with the mean photo"),
    ("wrong_photo/all", "… with a wrong photo"),
    ("pair_accuracy/plausible", "pairs, plausible kinds"),
    ("text_only/plausible", "… with the mean photo"),
    ("wrong_photo/plausible", "… with a wrong photo"),
)
WHAT = {
    "plain": "contrastive, the plain store",
    "hard": "4 changed captions a photo",
    "hard-own": "the same with a loss of their own (--hard-weight 1)",
    "neighbours": "8 nearest captions of other photos",
    "mask": "--mask-similar 0.9",
    "cosine-mix": "contrastive + cosine",
    "cosine": "cosine alone",
    "centred": "centred vectors",
    "centred-hard-own": "centred, changed captions with a loss of their own",
    "sigmoid": "sigmoid",
    "sigmoid-hard": "sigmoid, 4 changed captions",
    "long-mix": "the five captions joined in 30 % of the epochs",
    "clip": "jointly trained CLIP",
    "words": "words as labels, no text encoder",
    "lit": "LiT: a text tower trained against the plain arm's tower, locked",
}


def ablation_section(made: dict[str, Any]) -> list[str]:
    """Table of the arms of one seed, then of those with several."""
    config, arms = made["config"], made["arms"]
    lines = [
        f"## Ablation, {config['epochs']} epochs: {'Flickr8k' if made['set'] == 'flickr8k' else made['set']}",
        "",
        f"{config['image_encoder']} at {made['image_size']} px from scratch, batch {config['batch_size']}, seed 0. "
        "Percent, 95 % bootstrap interval over photos; in brackets the paired difference to plain and its interval.",
        "",
    ]
    rows = []
    for arm, found in arms.items():
        one = found["seeds"].get("0")
        if one:
            rows.append([f"{arm}: {WHAT.get(arm, arm)}", *(cell(one, name) for name, _ in SHOWN)])
    lines += [*table(["arm", *(label for _, label in SHOWN)], rows), ""]
    if made.get("blind_reader"):
        lines += [
            "A linear reader of the two sentences' vectors, fitted on the training pairs, that never sees a photo: "
            f"{made['blind_reader']['pair_accuracy/all']:.1f} of all pairs, "
            f"{made['blind_reader']['pair_accuracy/plausible']:.1f} of the plausible kinds "
            f"({', '.join(made['plausible_kinds'])}).",
            "",
        ]
    if made.get("pooled"):
        lines += pooled_lines(made)
    return lines


def pooled_lines(made: dict[str, Any]) -> list[str]:
    """Arms of several seeds, pooled, and their difference to CLIP."""
    seeds = {arm: ", ".join(made["arms"][arm]["seeds"]) for arm in made["pooled"]}
    columns = [(f"{arm} (seeds {seeds[arm]})", values) for arm, values in made["pooled"].items()]
    columns += [(f"{arm} − clip", values) for arm, values in made["pooled_minus_clip"].items()]
    rows = [
        [label, *("{:.1f} ({:.1f} to {:.1f})".format(*values[name]) for _, values in columns)]
        for name, label in SHOWN
        if all(name in values for _, values in columns)
    ]
    return [
        "Several seeds pooled; seeds and photos drawn anew:",
        "",
        *table(["", *(n for n, _ in columns)], rows),
        "",
    ]


def cell(one: dict[str, Any], name: str) -> str:
    """Value with its interval, and the difference to plain."""
    metric = one["metrics"].get(name)
    if metric is None:
        control = one["controls"].get(name)
        return "–" if control is None else f"{control:.1f}"
    change = one.get("minus_plain", {}).get(name)
    beside = "" if change is None else " [{:+.1f}: {:+.1f} to {:+.1f}]".format(*change)
    return f"{metric['value']:.1f} ({metric['low']:.1f}–{metric['high']:.1f}){beside}"
