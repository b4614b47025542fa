"""The conclusion in plain words, by fixed rules from the lights and the scores."""

from __future__ import annotations

from collections.abc import Sequence

from lift.auditing.light import Light
from lift.auditing.scoring import Gap, Score

# Where one of these is red, training on top of the encoder is not worth beginning.
CRUCIAL = ("same_item", "effective_rank", "unknown", "determinism")


def conclude(
    lights: dict[str, list[Light]], scores: dict[str, Score], best: str | None, leads: list[Gap]
) -> list[str]:
    """One sentence for each encoder, and one on which to take when there are several."""
    sentences = [verdict(name, found) for name, found in lights.items()]
    if len(lights) > 1 and best is not None:
        sentences += _choice(best, scores, leads)
    if any(
        light.name == "same_item" and light.colour == "grey" for found in lights.values() for light in found
    ):
        sentences.append(
            "The most telling test, whether texts about one item find each other, could not be made: give a DATASET "
            "or a table in which items have several texts."
        )
    return sentences


def verdict(name: str, lights: Sequence[Light]) -> str:
    """Whether an encoder can carry the texts: no, yes with exceptions, or yes."""
    whole = [light for light in lights if not light.name.startswith("minimal_change/")]
    red = [light for light in whole if light.colour == "red"]
    yellow = [light for light in whole if light.colour == "yellow"]
    blind, dim = (
        [
            light.title.removeprefix("Sees ")
            for light in lights
            if "change/" in light.name and light.colour == colour
        ]
        for colour in ("red", "yellow")
    )
    crucial = [light for light in red if light.name.split("/")[0] in CRUCIAL]
    if not any(light.colour != "grey" for light in whole):
        return f"{name} could not be examined."
    if crucial:
        text = f"{name} cannot carry these texts as it is: {_titles(crucial)}."
    elif red:
        text = f"{name} can carry these texts only in part: {_titles([*red, *yellow])}."
    elif yellow:
        text = f"{name} can carry these texts, with reservations: {_titles(yellow)}."
    else:
        text = f"{name} can carry these texts."
    if blind:
        text += f" It does not see {_joined(blind)}: what hangs on that cannot be learnt from it."
    if dim:
        text += f" It sees {_joined(dim)} only dimly."
    return text


def _choice(best: str, scores: dict[str, Score], leads: list[Gap]) -> list[str]:
    equal = [gap for gap in leads if not gap.beyond_noise]
    behind = [gap for gap in leads if gap.beyond_noise]
    sentences = []
    if behind:
        said = _joined([f"{gap.name} by {gap.value:.1f} ({gap.low:.1f} to {gap.high:.1f})" for gap in behind])
        sentences.append(
            f"{best} has the highest score, {scores[best].value:.0f} of 100; it is ahead of {said}."
        )
    if equal:
        names = _joined([gap.name for gap in equal])
        inside = _joined([f"{gap.value:+.1f}, {gap.low:+.1f} to {gap.high:+.1f}" for gap in equal])
        sentences.append(
            f"Between {best} and {names} there is no difference beyond the noise ({inside}): choose by speed, licence "
            "and the lights that matter to you."
        )
    return sentences


def _titles(lights: Sequence[Light]) -> str:
    return "; ".join(f"{light.fault} ({light.colour})" for light in lights)


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
