"""Drafts of typed hard negatives: a true and a false statement that differ in one point.

Nothing in the texts alone should tell which is true. So what is changed is drawn such that a becomes b as
often as b becomes a; the added element of `add_…` stands in both texts, true in one of them; and half of the
true texts of `negation` deny something. A draft may fail (None) or be doubtful; pairs.py checks it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from lift.scenes.captions import (
    cast_of,
    long_statement,
    mention,
    one_relation,
    surroundings,
    unseen,
)
from lift.scenes.scene import COLOURS, COUNTS, DEPTH, RELATIONS, SIZES, Scene
from lift.scenes.statements import (
    Absent,
    Attribute,
    Claim,
    Mention,
    Present,
    Related,
    Statement,
    is_plausible,
    is_true,
    mentions,
)

# Chance that one thing beside others is used for a `count` pair, by its count: most of them are single.
COUNT_CHANCES = {1: 0.06, 2: 0.24, 3: 0.3, 4: 0.8, 5: 0.95}
# How much a relation is wanted in place of another, by (old, new) being one of depth. Only single things overlap,
# so few pictures allow to turn "left of" into "in front of", and as few shall have the reverse.
RELATION_WEIGHTS = {(False, False): 1.0, (False, True): 3.0, (True, False): 0.07, (True, True): 1.0}
# How frequent the sizes are among things of so many, as they fit into pictures.
SIZE_SHARES = {
    1: {"small": 0.34, "medium": 0.41, "large": 0.25},
    2: {"small": 0.62, "medium": 0.33, "large": 0.05},
    3: {"small": 0.93, "medium": 0.07},
    4: {"small": 1.0},
    5: {"small": 1.0},
}
Draft = tuple[Statement, Statement]


def _base(lots: random.Random, scene: Scene, is_long: bool) -> Statement:
    """A true statement; every thing that is mentioned has its colour, and half of the time its size."""
    if is_long:
        return long_statement(lots, scene)
    cast = cast_of(scene)
    sized = lots.random() < 0.5
    related = one_relation(lots, scene) if lots.random() < 0.6 else None
    claims: tuple[Claim, ...]
    if related is not None:
        first, second = related.first.which, related.second.which
        claims = (Related(Mention(first, size=sized), related.relation, Mention(second, size=sized)),)
    else:
        order = lots.sample(range(len(cast)), min(len(cast), 2))
        claims = tuple(Present(Mention(which, size=sized)) for which in order)
    return Statement(cast, scene.background, scene.light, (*claims, *surroundings(lots, 0.2)))


def _with_relation(lots: random.Random, scene: Scene, is_long: bool) -> tuple[Statement, Related] | None:
    """A true statement that tells exactly one relation, and that claim; None when the scene has none."""
    if is_long:
        statement = long_statement(lots, scene, relation_only=True)
    else:
        related = one_relation(lots, scene)
        if related is None:
            return None
        claims = (related, *surroundings(lots, 0.2))
        statement = Statement(cast_of(scene), scene.background, scene.light, claims)
    found = [claim for claim in statement.claims if isinstance(claim, Related)]
    return (statement, found[0]) if found else None


def _said(statement: Statement, attribute: str) -> list[int]:
    """Things that are there and whose attribute is said somewhere."""
    told = {
        m.which
        for c in statement.claims
        if not isinstance(c, Absent)
        for m in mentions(c)
        if getattr(m, attribute)
    }
    return sorted(told)


def _pair(positive: Statement, negative: Statement | None) -> Draft | None:
    return None if negative is None else (positive, negative)


def _other_attribute(
    lots: random.Random, statement: Statement, which: int, attribute: str
) -> Statement | None:
    """The statement with another colour or size of thing `which`; None for most sizes that are rare."""
    values = COLOURS if attribute == "colour" else SIZES
    thing = statement.cast[which]
    old = getattr(thing, attribute)
    new = lots.choice([value for value in values if value != old])
    if attribute == "size":
        shares = SIZE_SHARES[thing.count]
        if lots.random() * shares[old] > shares.get(new, 0):
            return None
    return statement.with_thing(which, thing.with_attribute(attribute, new))


def _replace_object(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    base = _base(lots, scene, is_long)
    which = lots.choice(_said(base, "colour"))
    thing = base.cast[which]
    return base, base.with_thing(which, replace(unseen(lots, base, thing), colour=thing.colour))


def _replace_attribute(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    base = _base(lots, scene, is_long)
    attribute = lots.choice(("colour", "colour", "size"))
    if not (told := _said(base, attribute)):
        return None
    return _pair(base, _other_attribute(lots, base, lots.choice(told), attribute))


def _replace_relation(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    if (found := _with_relation(lots, scene, is_long)) is None:
        return None
    base, claim = found
    options, weights = [], []
    for relation in RELATIONS:
        changed = base.with_claim(claim, replace(claim, relation=relation))
        # Lower may mean nearer: "below" is never turned into "in front of", so neither is the reverse.
        too_near = {relation, claim.relation} in ({"below", "in front of"}, {"above", "behind"})
        if not too_near and is_plausible(changed) and is_true(changed, scene) is False:
            options.append(changed)
            weights.append(RELATION_WEIGHTS[claim.relation in DEPTH, relation in DEPTH])
    return (base, lots.choices(options, weights)[0]) if options else None


def _swap_object(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    if (found := _with_relation(lots, scene, is_long)) is None:
        return None
    return found[0], found[0].with_claim(
        found[1], Related(found[1].second, found[1].relation, found[1].first)
    )


def _swap_attribute(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    base = _base(lots, scene, is_long)
    attribute = lots.choice(("colour", "colour", "size"))
    told = _said(base, attribute)
    if len(told) < 2:
        return None
    first, second = lots.sample(told, 2)
    values = [getattr(base.cast[which], attribute) for which in (first, second)]
    swapped = base.with_thing(first, base.cast[first].with_attribute(attribute, values[1]))
    swapped = swapped.with_thing(second, base.cast[second].with_attribute(attribute, values[0]))
    # Of unequal counts the sizes are unequally frequent, which would give the swapped text away.
    uneven = attribute == "size" and base.cast[first].count != base.cast[second].count
    return None if uneven or values[0] == values[1] else (base, swapped)


def _add_object(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    """Both texts add something to what is said of the rest of the scene; in one of them it is there."""
    if len(scene.groups) < 2:
        return None
    base, which = _without_one(lots, scene, is_long)
    base = replace(base, claims=(*base.claims, Present(mention(lots, which), added=True)))
    return base, base.with_thing(which, unseen(lots, base, base.cast[which]))


def _without_one(lots: random.Random, scene: Scene, is_long: bool) -> tuple[Statement, int]:
    """A true statement on all things (short: one thing) but one, and the number of that one."""
    cast = cast_of(scene)
    first, which = lots.sample(range(len(cast)), 2)
    if is_long:
        return long_statement(lots, scene, hold_back=which), which
    return Statement(cast, scene.background, scene.light, (Present(mention(lots, first)),)), which


def _add_attribute(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    """One attribute more, right or wrong, than a statement that tells none of that thing."""
    attribute = lots.choice(("colour", "colour", "size"))
    cast = cast_of(scene)
    which = lots.randrange(len(cast))
    if is_long:
        base = long_statement(lots, scene, plain=(which, attribute))
        base = replace(base, claims=(*base.claims, Attribute(which, attribute)))
    else:
        related = one_relation(lots, scene) if lots.random() < 0.6 else None
        order = [related.first.which, related.second.which] if related else [which]
        which = lots.choice(order)
        bare = {i: Mention(i, colour=False, size=False) for i in order}
        bare[which] = Mention(which, colour=attribute == "colour", size=attribute == "size")
        claim: Claim = (
            Related(bare[order[0]], related.relation, bare[order[1]]) if related else Present(bare[which])
        )
        base = Statement(cast, scene.background, scene.light, (claim, *surroundings(lots, 0.3)))
    return _pair(base, _other_attribute(lots, base, which, attribute))


def _count(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    cast = cast_of(scene)
    which = lots.randrange(len(cast))
    if len(cast) > 1 and lots.random() > COUNT_CHANCES[cast[which].count]:
        return None
    if is_long:
        base = long_statement(lots, scene, plain=(which, "size"), exact=which)
    else:
        told = Present(Mention(which, colour=lots.random() < 0.6, size=False), exact=True)
        base = Statement(cast, scene.background, scene.light, (told, *surroundings(lots, 0.4)))
    thing = cast[which]
    # The size is not said, and a small heap is thinkable for every count.
    count = lots.choice([count for count in COUNTS if count != thing.count])
    base = base.with_thing(which, replace(thing, size="small"))
    return base, base.with_thing(which, replace(thing, size="small", count=count))


def _negation(lots: random.Random, scene: Scene, is_long: bool) -> Draft | None:
    """ "no key" against "a key", "a ball but no key" against "a key but no ball"; true ones deny as often."""
    cast = cast_of(scene)
    bare = Statement(cast, scene.background, scene.light, ())
    colour = lots.random() < 0.4
    if is_long:
        if len(cast) < 2:
            return None
        bare, which = _without_one(lots, scene, is_long)
    else:
        which = lots.randrange(len(cast))
    there = Mention(which, colour=colour, size=False, number=False)
    missing = replace(there, which=len(bare.cast))
    full = replace(bare, cast=(*bare.cast, unseen(lots, bare, cast[which])))
    is_there, not_there = Present(there, added=True), Absent(there, added=True)
    is_missing, not_missing = Absent(missing, added=True), Present(missing, added=True)
    if not is_long and lots.random() < 0.4:
        order = lots.choice((1, -1))
        claims = (is_there, is_missing)[::order], (not_missing, not_there)[::order]
        return replace(full, claims=claims[0]), replace(full, claims=claims[1])
    true, false = lots.choice(((is_there, not_there), (is_missing, not_missing)))
    return replace(full, claims=(*bare.claims, true)), replace(full, claims=(*bare.claims, false))


DRAFTS: dict[str, Callable[[random.Random, Scene, bool], Draft | None]] = {
    "replace_object": _replace_object, "replace_attribute": _replace_attribute,
    "replace_relation": _replace_relation, "swap_object": _swap_object, "swap_attribute": _swap_attribute,
    "add_object": _add_object, "add_attribute": _add_attribute, "count": _count, "negation": _negation,
}  # fmt: skip
