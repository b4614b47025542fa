"""A second opinion on texts about scenes: reads the English, not the data it was made from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lift.scenes.scene import COLOURS, Group, Scene
from lift.scenes.silhouettes import KINDS

COUNTED = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen",
)  # fmt: skip
NUMBERS = {word: number for number, word in enumerate(COUNTED)} | {"a": 1, "an": 1}
SIZES = {"small": "small", "little": "small", "medium-sized": "medium", "middle-sized": "medium",
         "medium": "medium", "large": "large", "big": "large"}  # fmt: skip
RELATIONS = {
    "left of": "left", "right of": "right", "above": "up", "higher up than": "up", "over": "up", "below": "down",
    "further down than": "down", "under": "down", "in front of": "front", "partly covering": "front",
    "behind": "back", "partly covered by": "back",
}  # fmt: skip
THING = re.compile(
    r"\b(?:(?P<exact>exactly|just|only) )?(?P<number>the|some|" + "|".join(NUMBERS) + r") "
    r"(?:(?P<size>" + "|".join(SIZES) + r") )?(?:(?P<colour>" + "|".join(COLOURS) + r") )?"
    r"(?P<kind>" + "|".join(KINDS) + r")(?P<many>s?)\b"
)  # fmt: skip
RELATION = re.compile(r"\b(" + "|".join(RELATIONS) + r")\b")
HALF = re.compile(r"\bin the (left|right|upper|lower) (?:half|part)\b")
TOTAL = re.compile(r"\b(\w+) objects?$")
VALUE = re.compile(r"\b(?:is|are) (?:of )?(" + "|".join((*SIZES, *COLOURS)) + r")\b(?: size)?(?: and (\w+))?")
SLACK = 1 / 64 + 0.02  # less than this off the middle nobody would insist on


def reads_true(text: str, scene: Scene, generous: bool) -> bool:
    """Whether every statement in `text` fits; in doubt yes when `generous`, else no."""
    last: Group | None = None
    for number, sentence in enumerate(text.rstrip(".").split(". ")):
        if number == 0 and ". " in text:
            continue  # background and light
        things = list(THING.finditer(sentence.lower()))
        if not all(_fits(thing, scene, generous) for thing in things):
            return False
        last = _group(things[-1], scene) if things else last
        if not all(_claims(sentence.lower(), things, last, scene, generous)):
            return False
    return True


def _claims(
    words: str, things: list[re.Match[str]], last: Group | None, scene: Scene, generous: bool
) -> Iterator[bool]:
    if relation := RELATION.search(words):
        first, second = (_group(thing, scene) for thing in things[:2])
        about_it = re.match(r" (it|them)\b", words[relation.end() :])
        if about_it or relation.start() < things[0].start():
            first, second = second, first
        assert first and second
        yield _related(first, RELATIONS[relation[1]], second, scene, generous)
    elif half := HALF.search(words):
        assert last
        low, high = _span(last, half[1] in ("left", "right"))
        yield high <= 0.5 if half[1] in ("left", "upper") else low >= 0.5
    elif total := TOTAL.search(words):
        yield NUMBERS[total[1]] == sum(group.thing.count for group in scene.groups)
    elif value := VALUE.search(words):
        assert last
        for word in filter(None, value.groups()):
            yield SIZES.get(word, word) in (last.thing.size, last.thing.colour)


def _group(thing: re.Match[str], scene: Scene) -> Group | None:
    return next((group for group in scene.groups if group.thing.kind == thing["kind"]), None)


def _fits(thing: re.Match[str], scene: Scene, generous: bool) -> bool:
    """Whether as many of that description are there as the words say."""
    found = sum(
        1
        for group in scene.groups
        for _ in group.places
        if group.thing.kind == thing["kind"]
        and thing["colour"] in (None, group.thing.colour)
        and SIZES.get(thing["size"]) in (None, group.thing.size)
    )
    number = thing["number"]
    if number in ("the", "some"):
        several = found > 1 if thing["kind"] != "fish" else found > 0
        return found > 0 if generous else several if thing["many"] or number == "some" else found > 0
    if generous and not thing["exact"] and number in ("a", "an"):
        return found >= 1
    return found == NUMBERS[number]


def _span(group: Group, across: bool) -> tuple[float, float]:
    spans = [(p.x if across else p.y, p.width / 2) for p in group.places]
    return min(middle - half for middle, half in spans), max(middle + half for middle, half in spans)


def _related(first: Group, relation: str, second: Group, scene: Scene, generous: bool) -> bool:
    if relation in ("right", "down", "back"):
        flipped = {"right": "left", "down": "up", "back": "front"}[relation]
        return _related(second, flipped, first, scene, generous)
    if relation == "front":
        pair = tuple(map(scene.groups.index, (first, second)))
        if scene.overlap in (pair, pair[::-1]):
            return scene.overlap == pair
        return generous and _related(second, "up", first, scene, generous)  # the lower one may seem nearer
    (low, high), (start, end) = (_span(group, relation == "left") for group in (first, second))
    apart = high <= start + 0.02
    return apart or (generous and (start + end) / 2 - (low + high) / 2 > SLACK)
