"""Statement -> English, short (a phrase or a clause) or long (several sentences).

True and false statements go through the same functions with equal seeds, so that no wording tells them apart.
"""

from __future__ import annotations

from lift.scenes.scene import Thing
from lift.scenes.statements import (
    Absent,
    Attribute,
    Claim,
    Lighting,
    Located,
    Mention,
    Present,
    Related,
    Setting,
    Statement,
    Total,
)
from lift.scenes.wording import (
    BACKGROUND_ENDINGS,
    BACKGROUND_NAMES,
    LIGHT_ENDINGS,
    NUMBERS,
    RELATION_WORDS,
    Choices,
    be,
    described,
    joined,
    none_of,
    phrase,
)

FRAMES = (
    "{}", "{}", "{}", "a picture of {}", "a drawing of {}", "an image with {}", "there {be} {}",
    "you can see {}", "this shows {}", "{} can be seen",
)  # fmt: skip
CLAUSE_FRAMES = (
    "there {be} {}", "you can see {}", "{} can be seen", "a picture with {}", "here {be} {}", "this shows {}",
)  # fmt: skip
SHORT_RELATIONS = (
    "{a} {relation} {b}",
    "{a} {relation} {b}",
    "{a}, {relation} {b}",
    "{b} with {a} {relation} {it}",
    "{a} that {be} {relation} {b}",
)
LINKS = (" and ", " and ", " as well as ", " together with ")
ADDED_LINKS = (" and also ", ", along with ", " and besides ")
BUT_LINKS = (" but ", ", but ", " and ")

OPENINGS = (
    "The picture shows {place}, {light}.",
    "This is a drawing of {place}, {light}.",
    "The background is {place}, {light}.",
    "Behind everything there is {place}, {light}.",
    "This scene, {light}, has {place} as its background.",
)
LISTS = (
    "There {be} {}.",
    "In it you can see {}.",
    "The drawing contains {}.",
    "It shows {}.",
    "One can see {}.",
)
SINGLES = (
    "There {be} {}.", "{} can be seen.", "You can see {}.", "The picture contains {}.",
    "{} {be} part of the scene.",
)  # fmt: skip
ADDITIONS = (
    "There {be} {} in the picture.", "{} can be found here.", "You can see {} here.",
    "The scene has {} in it.",
)  # fmt: skip
RELATED = (
    "{a} {be} {relation} {b}.",
    "{a} can be found {relation} {b}.",
    "{relation} {b} {be} {a}.",
    "Looking closely, you find {a} {relation} {b}.",
)
ATTRIBUTES = ("{} {be} {value}.", "You will notice that {} {be} {value}.", "{} {be} {value}, as you can see.")
PLACES = (
    "{} {be} in the {half} half of the picture.", "In the {half} half you find {}.", "{} {be} in the {half} part.",
)  # fmt: skip
TOTALS = (
    "Altogether there {be} {n} {objects}.",
    "In total the picture has {n} {objects}.",
    "That makes {n} {objects}.",
)


def short_text(statement: Statement, seed: int) -> str:
    """A short text, without a full stop: what is there and what not, or one relation; setting and light."""
    pick = Choices(seed)
    relations = [claim for claim in statement.claims if isinstance(claim, Related)]
    body, verb = _relation_clause(relations[0], statement, pick) if relations else _inventory(statement, pick)
    denies = any(isinstance(claim, Absent) or getattr(claim, "added", False) for claim in statement.claims)
    text = pick(CLAUSE_FRAMES if denies else FRAMES).format(body, be=verb)
    place = pick(BACKGROUND_ENDINGS[statement.background])
    light = pick(LIGHT_ENDINGS[statement.light])
    if any(isinstance(claim, Setting) for claim in statement.claims):
        text += f" {place}"
    if any(isinstance(claim, Lighting) for claim in statement.claims):
        text += f", {light}"
    return text


def _relation_clause(claim: Related, statement: Statement, pick: Choices) -> tuple[str, str]:
    """The words for one relation, and "is" or "are" for what they begin with."""
    first, second = statement.cast[claim.first.which], statement.cast[claim.second.which]
    a, b = phrase(first, claim.first, pick), phrase(second, claim.second, pick)
    words = pick(RELATION_WORDS[claim.relation])
    form = pick(SHORT_RELATIONS)
    it = "it" if second.count == 1 else "them"
    text = form.format(a=a, b=b, relation=words, be=be(first), it=it)
    return text, be(second if form.startswith("{b}") else first)


def _inventory(statement: Statement, pick: Choices) -> tuple[str, str]:
    """What is and is not there, in the order of the claims, and "is" or "are" for the first."""
    claims = [claim for claim in statement.claims if isinstance(claim, Present | Absent)]
    parts = [_there(claim, statement, pick) for claim in claims]
    mixed = any(isinstance(c, Absent) for c in claims) and any(isinstance(c, Present) for c in claims)
    links = BUT_LINKS if mixed else ADDED_LINKS if claims[-1].added else LINKS
    return joined(parts, pick(links)), be(statement.cast[claims[0].mention.which])


def _there(claim: Present | Absent, statement: Statement, pick: Choices) -> str:
    thing = statement.cast[claim.mention.which]
    if isinstance(claim, Absent):
        return none_of(thing, claim.mention, pick)
    return phrase(thing, claim.mention, pick, claim.exact)


def long_text(statement: Statement, seed: int) -> str:
    """Several sentences: background and light, then the claims in their order."""
    pick = Choices(seed)
    place, light = pick(BACKGROUND_NAMES[statement.background]), pick(LIGHT_ENDINGS[statement.light])
    sentences = [pick(OPENINGS).format(place=place, light=light)]
    listed = [claim for claim in statement.claims if isinstance(claim, Present) and not claim.added]
    if pick.chance(0.5):
        words = joined(
            [_there(claim, statement, pick) for claim in listed], pick((" and ", " and ", " as well as "))
        )
        verb = be(statement.cast[listed[0].mention.which])
        sentences.append(pick(LISTS).format(words, be=verb))
    else:
        sentences += [_single(claim, statement, pick) for claim in listed]
    sentences += [_sentence(claim, statement, pick) for claim in statement.claims if claim not in listed]
    return " ".join(words[0].upper() + words[1:] for words in sentences if words)


def _single(claim: Present, statement: Statement, pick: Choices) -> str:
    """One thing in a sentence of its own, or in two: what it is, and how it looks."""
    thing, mention = statement.cast[claim.mention.which], claim.mention
    apart = pick.chance(0.4) and mention.colour and mention.size
    said = Mention(mention.which, colour=False, size=False) if apart else mention
    text = pick(SINGLES).format(phrase(thing, said, pick, claim.exact), be=be(thing))
    looks = f"{pick((thing.size, 'of ' + thing.size + ' size'))} and {thing.colour}"
    if not apart:
        return text
    return f"{text} {'It is' if thing.count == 1 else 'They are'} {looks}."


def _sentence(claim: Claim, statement: Statement, pick: Choices) -> str:
    cast = statement.cast
    if isinstance(claim, Present | Absent):
        verb = be(cast[claim.mention.which])
        return pick(ADDITIONS).format(_there(claim, statement, pick), be=verb)
    if isinstance(claim, Related):
        first = cast[claim.first.which]
        a, b = _the(first, claim.first, pick), _the(cast[claim.second.which], claim.second, pick)
        return pick(RELATED).format(a=a, b=b, relation=pick(RELATION_WORDS[claim.relation]), be=be(first))
    if isinstance(claim, Attribute):
        thing = cast[claim.which]
        the = _the(thing, Mention(claim.which, colour=False, size=False), pick)
        return pick(ATTRIBUTES).format(the, be=be(thing), value=getattr(thing, claim.name))
    if isinstance(claim, Located):
        thing = cast[claim.which]
        the = _the(thing, Mention(claim.which, colour=False, size=False), pick)
        return pick(PLACES).format(the, be=be(thing), half=claim.half)
    if isinstance(claim, Total):
        count = sum(cast[which].count for which in claim.which)
        one = count == 1
        return pick(TOTALS).format(
            be="is" if one else "are", n=NUMBERS[count], objects="object" if one else "objects"
        )
    return ""  # Setting and Lighting are said in the opening


def _the(thing: Thing, mention: Mention, pick: Choices) -> str:
    return f"the {described(thing, mention, pick)}"
