"""What to say of a scene: statements that are true of it, short and long, and the texts made of them."""

from __future__ import annotations

import random
from dataclasses import replace

from lift.scenes.grammar import long_text, short_text
from lift.scenes.scene import COLOURS, DEPTH, Scene, Thing, true_relations
from lift.scenes.silhouettes import KINDS
from lift.scenes.statements import (
    Absent,
    Claim,
    Lighting,
    Located,
    Mention,
    Present,
    Related,
    Setting,
    Statement,
    Total,
    is_true,
)

SHORT_CAPTIONS = 3
DEPTH_WEIGHT = 1.5  # so that all relations are told about equally often
LONG_WORDS = (40, 120)
DETAILS = (
    (True, True),
    (True, True),
    (True, False),
    (True, False),
    (False, True),
    (False, False),
)  # colour, size


def short_captions(scene: Scene) -> list[str]:
    """Three different short texts, all true."""
    return list(short_statements(scene))


def short_statements(scene: Scene) -> dict[str, Statement]:
    """The short texts of a scene, each with what it claims."""
    lots = random.Random(f"short {scene.grain}")
    found: dict[str, Statement] = {}
    while len(found) < SHORT_CAPTIONS:
        statement = short_statement(lots, scene)
        found[short_text(statement, lots.getrandbits(32))] = statement
    return found


def long_captions(scene: Scene) -> list[str]:
    """One or two long texts, all true, of 40 to 120 words."""
    lots = random.Random(f"long {scene.grain}")
    return [_long_caption(lots, scene) for _ in range(lots.choice((1, 2)))]


def _long_caption(lots: random.Random, scene: Scene) -> str:
    """Says what is missing, one sentence after another, until the text is long enough."""
    statement, seed = long_statement(lots, scene), lots.getrandbits(32)
    while len((text := long_text(statement, seed)).split()) < LONG_WORDS[0]:
        statement = add_absent(lots, statement)
    return text


def cast_of(scene: Scene) -> tuple[Thing, ...]:
    """The things of a scene, numbered as its groups."""
    return tuple(group.thing for group in scene.groups)


def mention(lots: random.Random, which: int) -> Mention:
    """Thing `which` with or without its colour and size."""
    colour, size = lots.choice(DETAILS)
    return Mention(which, colour, size)


def surroundings(lots: random.Random, share: float) -> tuple[Claim, ...]:
    """Background in `share` of all cases, light in a third of that."""
    claims: tuple[Claim, ...] = (Setting(),) if lots.random() < share else ()
    return (*claims, Lighting()) if lots.random() < share / 3 else claims


def unseen(lots: random.Random, statement: Statement, like: Thing) -> Thing:
    """A thing of a kind and colour drawn by lot, the kind not in the cast; size and count as `like`."""
    used = {thing.kind for thing in statement.cast}
    kind = lots.choice([kind for kind in KINDS if kind not in used])
    return replace(like, kind=kind, colour=lots.choice(COLOURS))


def add_absent(lots: random.Random, statement: Statement) -> Statement:
    """The statement with one more claim: that some thing is not there."""
    missing = unseen(lots, statement, statement.cast[0])
    claim = Absent(Mention(len(statement.cast), colour=lots.random() < 0.3, size=False))
    return replace(statement, cast=(*statement.cast, missing), claims=(*statement.claims, claim))


def short_statement(lots: random.Random, scene: Scene) -> Statement:
    """A true statement for a short caption: one thing, several, two in a relation, or one and not another."""
    cast, groups = cast_of(scene), len(scene.groups)
    statement = Statement(cast, scene.background, scene.light, ())
    form = lots.random()
    if form < 0.07:
        bare = replace(statement, claims=(Present(mention(lots, lots.randrange(groups)), added=True),))
        return add_absent(lots, bare)
    if groups == 1:
        return replace(statement, claims=(Present(mention(lots, 0)), *surroundings(lots, 0.6)))
    if form < 0.6 and (related := one_relation(lots, scene)) is not None:
        return replace(statement, claims=(related, *surroundings(lots, 0.25)))
    order = lots.sample(range(groups), lots.choice((groups, groups, 2, 1)))
    return replace(
        statement, claims=(*(Present(mention(lots, which)) for which in order), *surroundings(lots, 0.3))
    )


def one_relation(lots: random.Random, scene: Scene) -> Related | None:
    """One true relation with random details; None when there is none."""
    if not (known := true_relations(scene)):
        return None
    first, relation, second = lots.choices(
        known, [DEPTH_WEIGHT if fact[1] in DEPTH else 1 for fact in known]
    )[0]
    return Related(mention(lots, first), relation, mention(lots, second))


def long_statement(
    lots: random.Random,
    scene: Scene,
    *,
    hold_back: int | None = None,
    plain: tuple[int, str] | None = None,
    exact: int | None = None,
    relation_only: bool = False,
) -> Statement:
    """A true statement on everything in the scene.

    `hold_back` leaves thing so-and-so out; `plain` (thing, "colour" or "size") does not say that attribute;
    `exact` counts that thing in words that exclude more; `relation_only` says a single relation and no
    places, so that the relation can be changed without contradicting another.
    """
    cast = cast_of(scene)
    order = lots.sample(range(len(cast)), len(cast))
    if hold_back is not None:
        order.remove(hold_back)
    claims: list[Claim] = [Setting(), Lighting()]
    for which in order:
        hidden = plain[1] if plain is not None and plain[0] == which else ""
        said = Mention(which, colour=hidden != "colour", size=hidden != "size")
        claims.append(Present(said, exact=which == exact))
    extra: list[Claim] = _relations(lots, scene, order, 1 if relation_only else 3, exact is None)
    if not relation_only:
        extra += _places(lots, scene, order, cast)
    lots.shuffle(extra)
    claims += extra
    if hold_back is None and (len(cast) == 1 or lots.random() < 0.4):
        claims.append(Total(tuple(order)))
    statement = Statement(cast, scene.background, scene.light, tuple(claims))
    return add_absent(lots, statement) if lots.random() < 0.35 else statement


def _relations(lots: random.Random, scene: Scene, order: list[int], most: int, depth: bool) -> list[Claim]:
    """Up to `most` true relations, one for each two things; those of `depth` on demand only."""
    known = [fact for fact in true_relations(scene) if fact[0] in order and fact[2] in order]
    known = [fact for fact in known if depth or fact[1] not in DEPTH]
    lots.shuffle(known)
    chosen = {frozenset((a, b)): (a, relation, b) for a, relation, b in known}
    bare = {which: Mention(which, colour=False, size=False) for which in order}
    return [Related(bare[a], relation, bare[b]) for a, relation, b in list(chosen.values())[:most]]


def _places(lots: random.Random, scene: Scene, order: list[int], cast: tuple[Thing, ...]) -> list[Claim]:
    """For up to two things the half of the picture that they are in, where that is clear."""
    claims: list[Claim] = []
    for which in order[:2]:
        claim = Located(which, lots.choice(("left", "right", "upper", "lower")))
        if is_true(Statement(cast, scene.background, scene.light, (claim,)), scene):
            claims.append(claim)
    return claims
