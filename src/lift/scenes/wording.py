"""Words and phrases: Thing and Mention -> "two small red balls"."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from lift.scenes.scene import Thing
from lift.scenes.statements import Mention

T = TypeVar("T")

NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen",
)  # fmt: skip
SIZE_WORDS = {
    "small": ("small", "little"),
    "medium": ("medium-sized", "middle-sized"),
    "large": ("large", "big"),
}
PLURALS = {"fish": "fish"}
RELATION_WORDS = {
    "left of": ("to the left of", "left of", "on the left of"),
    "right of": ("to the right of", "right of", "on the right of"),
    "above": ("above", "higher up than", "over"),
    "below": ("below", "further down than", "under"),
    "in front of": ("in front of", "partly covering", "in front of"),
    "behind": ("behind", "partly covered by", "behind"),
}
# Colours that a warm or a dim light would change are not named.
BACKGROUND_ENDINGS = {
    "sky": ("against a cloudy sky", "in a pale sky"),
    "night sky": ("in the night sky", "against a starry night sky"),
    "meadow": ("in a meadow", "before a green meadow"),
    "lawn": ("on the grass", "on a green lawn"),
    "beach": ("on the sand", "on a sandy beach"),
    "snow": ("in the snow", "on fresh snow"),
    "water": ("on the water", "on small waves"),
    "brick wall": ("against a brick wall", "on a brick wall"),
    "wall": ("against a plain wall", "on a bare wall"),
    "wooden floor": ("on a wooden floor", "on wooden boards"),
    "tiles": ("on a tiled floor", "on chequered tiles"),
}
BACKGROUND_NAMES = {
    "sky": ("a pale sky with soft clouds", "a cloudy daytime sky"),
    "night sky": ("a dark night sky with tiny dots of light", "a starry night sky"),
    "meadow": ("a green meadow under a pale sky", "a meadow with the sky above it"),
    "lawn": ("a green lawn", "short green grass"),
    "beach": ("a sandy beach", "fine sand"),
    "snow": ("a field of snow", "fresh snow"),
    "water": ("water with small waves", "a wavy sea"),
    "brick wall": ("a brick wall with pale joints", "a wall of red bricks"),
    "wall": ("a plain wall without a pattern", "a bare wall"),
    "wooden floor": ("a floor of wooden boards", "a wooden floor"),
    "tiles": ("a floor with light and dark tiles", "a chequered tiled floor"),
}
LIGHT_ENDINGS = {
    "bright": ("in bright light", "brightly lit"),
    "dim": ("in dim light", "dimly lit"),
    "left": ("lit from the left", "with light from the left"),
    "right": ("lit from the right", "with light from the right"),
    "evening": ("in warm evening light", "lit by a warm light"),
}


class Choices:
    """Takes one of several wordings; each choice uses up one random number, whatever it chooses from.

    So two statements of one form, worded with equal seeds, get the same sentences but for what differs.
    """

    def __init__(self, seed: int) -> None:
        self._lots = random.Random(seed)
        self._style = self._lots.random()

    def __call__(self, options: Sequence[T]) -> T:
        return options[int(self._lots.random() * len(options))]

    def size_word(self, size: str) -> str:
        """A word for a size, the same throughout a text."""
        return SIZE_WORDS[size][int(self._style * 2)]

    def skip(self) -> None:
        """Use up one random number."""
        self._lots.random()

    def chance(self, share: float) -> bool:
        """True in `share` of all cases."""
        return self._lots.random() < share


def noun(thing: Thing) -> str:
    """The kind of a thing, in the plural for more than one."""
    return thing.kind if thing.count == 1 else plural(thing.kind)


def plural(kind: str) -> str:
    """The plural of a kind."""
    return PLURALS.get(kind, f"{kind}s")


def article(words: str) -> str:
    """`words` after "a" or "an"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def described(thing: Thing, mention: Mention, pick: Choices) -> str:
    """Size, colour and kind as far as mentioned: "small red balls"."""
    words = [pick.size_word(thing.size)] if mention.size else []
    if mention.colour:
        words.append(thing.colour)
    return " ".join([*words, noun(thing)])


def phrase(thing: Thing, mention: Mention, pick: Choices, exact: bool = False) -> str:
    """The things with an indefinite number: "a small red ball", "exactly two fish", "some keys"."""
    words = described(thing, mention, pick)
    number = pick(("{}", "exactly {}", "just {}", "only {}"))
    if exact:
        return f"{number.format(NUMBERS[thing.count])} {words}"
    if thing.count == 1:
        return article(words)
    return f"{NUMBERS[thing.count] if mention.number else 'some'} {words}"


def none_of(thing: Thing, mention: Mention, pick: Choices) -> str:
    """ "no small red ball", "no keys"."""
    words = described(thing, mention, pick)
    pick.skip()  # as many choices as phrase(), so that a denied text keeps its other words
    return f"no {words}"


def be(thing: Thing) -> str:
    """ "is" or "are"."""
    return "is" if thing.count == 1 else "are"


def joined(parts: Sequence[str], link: str = " and ") -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + link + parts[-1]
