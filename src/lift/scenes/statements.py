"""What can be claimed of a scene, as data, and whether it is true; wording comes later, in grammar.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lift.scenes.scene import DEPTH, SIZES_BY_COUNT, Scene, Thing, may_overlap, relation_holds


@dataclass(frozen=True)
class Mention:
    """Points to thing `which` of a Statement's cast; colour, size and number are said only where True."""

    which: int
    colour: bool = True
    size: bool = True
    number: bool = True


@dataclass(frozen=True)
class Present:
    """The mentioned things are there; `exact` words ("exactly two") exclude that there are more.

    `added` puts the claim in a sentence (or a half of one) of its own.
    """

    mention: Mention
    exact: bool = False
    added: bool = False


@dataclass(frozen=True)
class Absent:
    """Nothing that fits the mention is there."""

    mention: Mention
    added: bool = False


@dataclass(frozen=True)
class Related:
    """All of `first` are in `relation` to all of `second`."""

    first: Mention
    relation: str
    second: Mention


@dataclass(frozen=True)
class Attribute:
    """The things `which` of the cast have the colour (or the size) that the cast says."""

    which: int
    name: str


@dataclass(frozen=True)
class Located:
    """All things `which` of the cast are in one half of the picture: left, right, upper or lower."""

    which: int
    half: str


@dataclass(frozen=True)
class Total:
    """The things `which` of the cast, counted together, are all that there is."""

    which: tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """The background is as the Statement says."""


@dataclass(frozen=True)
class Lighting:
    """The light is as the Statement says."""


Claim = Present | Absent | Related | Attribute | Located | Total | Setting | Lighting


@dataclass(frozen=True)
class Statement:
    """Claims about a cast of things: true when all of them are. One word for a thing everywhere, so that a
    changed cast or claim gives a text that contradicts the picture but never itself."""

    cast: tuple[Thing, ...]
    background: str
    light: str
    claims: tuple[Claim, ...]

    def with_thing(self, which: int, thing: Thing) -> Statement:
        """The same claims with another thing in place of `which`."""
        return replace(self, cast=(*self.cast[:which], thing, *self.cast[which + 1 :]))

    def with_claim(self, old: Claim, new: Claim) -> Statement:
        """The same claims with `new` in place of `old`."""
        return replace(self, claims=tuple(new if claim is old else claim for claim in self.claims))


def is_true(statement: Statement, scene: Scene) -> bool | None:
    """True or False where everybody would agree, None where people could disagree."""
    return _all(_claim_holds(claim, statement, scene) for claim in statement.claims)


def is_plausible(statement: Statement) -> bool:
    """Whether some scene could make it true: no five large things, no heap behind a ball."""
    said = {m.which for claim in statement.claims for m in mentions(claim)}
    if any(statement.cast[i].size not in SIZES_BY_COUNT[statement.cast[i].count] for i in said):
        return False
    depth = [c for c in statement.claims if isinstance(c, Related) and c.relation in DEPTH]
    return all(may_overlap(statement.cast[c.first.which], statement.cast[c.second.which]) for c in depth)


def mentions(claim: Claim) -> tuple[Mention, ...]:
    """The mentions inside a claim."""
    if isinstance(claim, Related):
        return claim.first, claim.second
    return (claim.mention,) if isinstance(claim, Present | Absent) else ()


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    """False when one is False, else None when one is None, else True."""
    seen = set(verdicts)
    if False in seen:
        return False
    return None if None in seen else True


def _claim_holds(claim: Claim, statement: Statement, scene: Scene) -> bool | None:
    if isinstance(claim, Present):
        return _present(claim, statement.cast[claim.mention.which], scene)
    if isinstance(claim, Absent):
        return not _fitting(claim.mention, statement.cast[claim.mention.which], scene)
    if isinstance(claim, Related):
        return _related(claim, statement, scene)
    if isinstance(claim, Attribute):
        thing = statement.cast[claim.which]
        there = [group.thing for group in scene.groups if group.thing.kind == thing.kind]
        return bool(there) and all(getattr(t, claim.name) == getattr(thing, claim.name) for t in there)
    if isinstance(claim, Total):
        claimed = sum(statement.cast[which].count for which in claim.which)
        return claimed == sum(group.thing.count for group in scene.groups)
    if isinstance(claim, Located):
        return _located(claim.half, statement.cast[claim.which], scene)
    if isinstance(claim, Setting):
        return statement.background == scene.background
    return statement.light == scene.light


def _fitting(mention: Mention, thing: Thing, scene: Scene) -> list[int]:
    """Numbers of the groups that the words of a mention fit, whatever their count."""
    return [
        number
        for number, group in enumerate(scene.groups)
        if group.thing.kind == thing.kind
        and (not mention.colour or group.thing.colour == thing.colour)
        and (not mention.size or group.thing.size == thing.size)
    ]


def _present(claim: Present, thing: Thing, scene: Scene) -> bool | None:
    found = sum(scene.groups[number].thing.count for number in _fitting(claim.mention, thing, scene))
    if found == thing.count:
        return True
    if found == 0:
        return False
    if (
        not claim.mention.number
    ):  # "a ball" or "balls": true enough of any number but the other of one and many
        return None if (found == 1) != (thing.count == 1) else True
    # "two balls" before three balls is false only when the words rule out more.
    return False if claim.exact or found < thing.count else None


def _related(claim: Related, statement: Statement, scene: Scene) -> bool | None:
    ends = []
    for mention in (claim.first, claim.second):
        thing = statement.cast[mention.which]
        if not (fitting := _fitting(mention, thing, scene)):
            return False
        if scene.groups[fitting[0]].thing.count != thing.count:
            return None
        ends.append(fitting[0])
    return relation_holds(scene, ends[0], claim.relation, ends[1])


def _located(half: str, thing: Thing, scene: Scene) -> bool | None:
    """False for things that are not there; None for things across the middle line."""
    if thing.kind not in scene.kinds:
        return False
    left, top, right, bottom = scene.groups[scene.kinds.index(thing.kind)].extent
    low, high = (left, right) if half in ("left", "right") else (top, bottom)
    if high <= 0.5 or low >= 0.5:
        return (high <= 0.5) == (half in ("left", "upper"))
    return None
