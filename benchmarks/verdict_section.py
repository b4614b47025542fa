"""The section of RESULTS.md about promised error rates."""

from __future__ import annotations

from typing import Any

from text_sections import table


def verdicts_section(made: dict[str, Any]) -> list[str]:
    """Promises kept, shares decided, probabilities."""
    rows = []
    for name, one in made["sets"].items():
        world, halves, naive = (one["promise"][way] for way in ("world", "halves", "naive"))
        auroc = one["auroc"]
        rows.append(
            [
                f"{name} ({one['n']['photos']:,} photos, {one['words']:.0f} words)",
                f"{auroc['value']:.1f} ({auroc['low']:.1f}–{auroc['high']:.1f})",
                f"{one['decided']['halves']:.0f}",
                *(
                    f"{way['false_alarm']['broken']:.0f} / {way['missed']['broken']:.0f}"
                    for way in (world, halves, naive)
                ),
                f"{halves['false_alarm']['mean']:.1f} / {halves['missed']['mean']:.1f}",
                f"{halves['false_alarm']['worst']:.1f} / {halves['missed']['worst']:.1f}",
            ]
        )
    lines = [
        "## Verdicts with promised error rates: Flickr8k val",
        "",
        f"Model {made['model']['id']}; promised with 90 % confidence: at most 5 % of the true descriptions "
        "called a mismatch, at most 5 % of the false ones a match (10 % for people's sentences, of which "
        f"there are too few photos for 5 %). {made['config']['resamples']} resamples: half of the photos sets "
        "the thresholds. *Broken (truth)*: in how many of 100 resamples the true rate was over the promise, "
        "the photos being taken for the whole world and the labelled half drawn from them with replacement; "
        "10 are allowed, give or take 3. *Broken (other half)*: how often the rate seen on the other half was"
        " over it; that strays by about 1 point by itself, so that more than 10 are no broken promise. "
        "*Naive*: the cut beyond which 5 % of the same labelled pairs lie, against the truth. Mean and worst "
        "rates are those of the other half. Each cell: false alarms / missed mismatches, in percent.",
        "",
        *table(
            [
                "false descriptions", "AUROC", "decided without a person", "broken (truth)", "broken (other half)",
                "naive broken", "mean rate", "worst rate",
            ],
            rows,
        ),
        "",
    ]  # fmt: skip
    rates = "; ".join(
        f"{name}: {found['false_alarm']:.1f} % false alarms, {found['missed']:.1f} % missed"
        for name, found in made["people_by_other_thresholds"].items()
    )
    changed = made["changed_by_captions"]
    lines += [
        "Thresholds learnt on captions of other photos, with descriptions in which one fact was changed: "
        f"{changed['missed']:.1f} % missed.",
        "",
        "A promise covers the kind of pairs it was made of. Thresholds made of captions, used on people's sentences of "
        f"{made['sets'][PEOPLE]['n']['photos']} photos ({rates}).",
        "",
        "More labelled photos, more decided (short, half and half, by the truth):",
        "",
        *table(
            ["labelled photos", "decided, percent", "mean false alarms", "mean missed"],
            [
                [size, f"{one['decided']:.1f}", f"{one['false_alarm']:.1f}", f"{one['missed']:.1f}"]
                for size, one in made["labels"].items()
            ],
        ),
        "",
        "The probability on photos left out (short, half and half; ten pairs a photo), percent: Brier score / expected "
        "calibration error, the last beside that of a perfect model at this n:",
        "",
        *table(
            ["labelled photos", "Platt", "isotonic", "perfect"],
            [
                [
                    size,
                    *(
                        f"{one[method]['brier']:.2f} / {one[method]['ece']:.1f}"
                        for method in ("platt", "isotonic")
                    ),
                    f"– / {one['ece_of_a_perfect_one']:.1f}",
                ]
                for size, one in made["probability"].items()
            ],
        ),
        "",
    ]
    return lines


PEOPLE = "people's sentences (e-SNLI-VE)"
