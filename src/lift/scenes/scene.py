"""A scene as data: which things, where, before what, in which light; all else follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black")
SIZES = ("small", "medium", "large")
BACKGROUNDS = (
    "sky", "night sky", "meadow", "lawn", "beach", "snow", "water", "brick wall", "wall",
    "wooden floor", "tiles",
)  # fmt: skip
LIGHTS = ("bright", "dim", "left", "right", "evening")
RELATIONS = ("left of", "right of", "above", "below", "in front of", "behind")
DEPTH = ("in front of", "behind")  # the relations of things of which one covers the other in part
COUNTS = (1, 2, 3, 4, 5)
# Five large things do not fit into one picture.
SIZES_BY_COUNT = {1: SIZES, 2: SIZES, 3: ("small", "medium"), 4: ("small",), 5: ("small",)}
PIXELS_BY_SIZE = {"small": (14, 15), "medium": (21, 22), "large": (30, 31)}
REFERENCE = 64  # the pixel grid on which things are laid out, whatever size is drawn

TOUCHING = 0.01  # extents apart by less than -TOUCHING overlap, in picture widths
LEVEL = 0.03  # centres nearer than this along an axis count as level


@dataclass(frozen=True)
class Thing:
    """What words can say of one or several equal objects."""

    kind: str
    colour: str
    size: str
    count: int

    def with_attribute(self, name: str, value: str) -> Thing:
        """The same but for its colour or its size."""
        return replace(self, colour=value) if name == "colour" else replace(self, size=value)


@dataclass(frozen=True)
class Place:
    """Where one object is: centre and width in picture widths, tilt (index of TILTS), mirrored or not."""

    x: float
    y: float
    width: float
    tilt: int
    mirrored: bool


@dataclass(frozen=True)
class Group:
    """A Thing and the places of its `count` objects."""

    thing: Thing
    places: tuple[Place, ...]

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the smallest box around all objects, in picture widths."""
        return (
            min(p.x - p.width / 2 for p in self.places),
            min(p.y - p.width / 2 for p in self.places),
            max(p.x + p.width / 2 for p in self.places),
            max(p.y + p.width / 2 for p in self.places),
        )


@dataclass(frozen=True)
class Scene:
    """One picture, before drawing. Kinds of its groups differ; groups overlap only where `overlap` says so.

    `overlap` is (group in front, group behind) or None; `grain` seeds texture, noise and choice of words.
    """

    groups: tuple[Group, ...]
    overlap: tuple[int, int] | None
    background: str
    light: str
    grain: int

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of object that are there."""
        return tuple(group.thing.kind for group in self.groups)


def may_overlap(first: Thing, second: Thing) -> bool:
    """Whether one may be drawn over the other: single things, not both small, to stay readable."""
    return first.count == second.count == 1 and not (first.size == second.size == "small")


def relation_holds(scene: Scene, first: int, relation: str, second: int) -> bool | None:
    """Whether group `first` is in `relation` to group `second`; None where people could disagree."""
    a, b = scene.groups[first].extent, scene.groups[second].extent
    if relation == "left of":
        return _before(a[0], a[2], b[0], b[2])
    if relation == "right of":
        return _before(b[0], b[2], a[0], a[2])
    if relation == "above":
        return _before(a[1], a[3], b[1], b[3])
    if relation == "below":
        return _before(b[1], b[3], a[1], a[3])
    if relation == "behind":
        return _in_front(scene, second, first)
    return _in_front(scene, first, second)


def true_relations(scene: Scene) -> list[tuple[int, str, int]]:
    """Every (first, relation, second) that holds beyond doubt."""
    pairs = permutations(range(len(scene.groups)), 2)
    return [
        (a, relation, b) for a, b in pairs for relation in RELATIONS if relation_holds(scene, a, relation, b)
    ]


def _before(a_low: float, a_high: float, b_low: float, b_high: float) -> bool | None:
    """True when a ends before b begins, False when a's middle is not before b's, None in between."""
    if a_high <= b_low + TOUCHING:
        return True
    if (a_low + a_high) / 2 >= (b_low + b_high) / 2 - LEVEL:
        return False
    return None


def _in_front(scene: Scene, first: int, second: int) -> bool | None:
    if scene.overlap in ((first, second), (second, first)):
        return scene.overlap == (first, second)
    # In a picture the lower of two things may pass for the nearer one.
    return False if relation_holds(scene, first, "below", second) is False else None
