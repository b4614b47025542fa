"""Sentences changed by rule: what holds for every kind and language."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from lift.errors import LiftError
from lift.rewording import (
    PARAPHRASES,
    Change,
    edited,
    every_draft,
    language_of,
    minimal_changes,
    paraphrases,
)
from lift.scenes import long_captions, sample_scene, short_captions

FLICKR8K = Path(__file__).parents[2] / "shared" / "data" / "flickr8k" / "captions.jsonl"


def test_language_is_told_by_script() -> None:
    assert language_of("A dog.") == "en"
    assert language_of("犬がいる。") == "ja"
    assert language_of("ABC-1234 のネジ") == "ja"
    assert language_of("") == "en"
    assert minimal_changes("Le chat dort.") == []
    assert minimal_changes("Die rote Tasse steht links.") == []
    assert [c.text for c in minimal_changes("Länge: 5 cm", kinds=["unit"])] == ["Länge: 5 mm"]
    assert minimal_changes("") == [] and paraphrases("") == []


def test_mistakes_are_named() -> None:
    with pytest.raises(LiftError, match="'colour'"):
        minimal_changes("A dog.", kinds=["colour"])
    with pytest.raises(LiftError, match="'fr'"):
        paraphrases("Le chien.", language="fr")
    with pytest.raises(LiftError, match="'fr'"):
        minimal_changes("Le chien.", language="fr")


def test_a_change_says_what_was_replaced() -> None:
    assert minimal_changes("Part ABC-1224.", kinds=["part_number"], seed=1)[0].old == "ABC-1224"
    assert minimal_changes("A man smiles.", kinds=["object"]) == [
        Change("object", "A woman smiles.", "man", "woman")
    ]
    swapped = minimal_changes("A dog chases a boy.", kinds=["order"])
    assert swapped == [Change("order", "A boy chases a dog.", "A dog … a boy", "A boy … a dog")]


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def check(text: str, seed: int) -> Counter[str]:
    """What must hold for every text; returns the kinds made of it."""
    changes = minimal_changes(text, seed=seed)
    kept = {change.text for number in range(3) for change in paraphrases(text, seed=number)}
    assert text not in kept
    assert len({change.kind for change in changes}) == len(changes)
    for change in changes:
        assert change.text.lower() != text.lower() and change.text not in kept, (text, change)
        assert "  " not in change.text.replace(text, "") or "  " in text, (text, change)
        if change.kind == "order":
            assert words(change.text) == words(text), (text, change)
        elif change.kind in ("attribute", "object", "left_right"):  # one word for one, and the article
            gone, new = words(text) - words(change.text), words(change.text) - words(text)
            assert sum(gone.values()) == sum(new.values()) <= 4, (text, change)
        elif change.kind in ("negation", "relation"):
            assert sum((words(text) - words(change.text)).values()) <= 3, (text, change)
        a_or_an = re.findall(r"\b(a [aeo]\w+|an [b-df-gj-np-tv-z]\w+)", change.text.lower())
        before = re.findall(r"\b(a [aeo]\w+|an [b-df-gj-np-tv-z]\w+)", text.lower())
        assert set(a_or_an) <= {*before, "a one"} or change.kind == "order", (text, change)
    return Counter(change.kind for change in changes)


def test_invariants_over_drawn_scenes() -> None:
    found: Counter[str] = Counter()
    for number in range(150):
        scene = sample_scene(5, number)
        for text in (*short_captions(scene), *long_captions(scene)):
            found += check(text, number)
    assert {"order", "negation", "number", "left_right", "relation", "attribute", "object"} <= set(found)


@pytest.mark.skipif(not FLICKR8K.exists(), reason="the Flickr8k captions are not here")
def test_invariants_over_flickr8k() -> None:
    lines = FLICKR8K.read_text().splitlines()
    texts = [text for line in lines for text in json.loads(line)["captions"]][::6]  # all of them take 25 s
    found: Counter[str] = Counter()
    for number, text in enumerate(texts):
        found += check(text, number)
    share = {kind: 100 * n / len(texts) for kind, n in found.items()}
    assert share["object"] > 50 and share["negation"] > 50 and share["attribute"] > 25 and share["order"] > 2


def test_equal_seeds_give_equal_changes_and_others_differ() -> None:
    text = "Two young boys in red shirts play with a blue ball near a wooden fence."
    assert minimal_changes(text, seed=3) == minimal_changes(text, seed=3)
    assert paraphrases(text, seed=3) == paraphrases(text, seed=3)
    assert len({tuple(minimal_changes(text, seed=seed)) for seed in range(10)}) > 5
    only = minimal_changes(text, kinds=["relation", "number"])
    assert only == [c for c in minimal_changes(text) if c.kind in ("relation", "number")]


def test_surface_only_where_nothing_else_applies() -> None:
    for text in ("A man rides a bike.", "Nothing known here.", "写真です。", "青果売り場。"):
        kinds = [change.kind for change in paraphrases(text)]
        assert kinds == ["surface"] or "surface" not in kinds
    assert list(PARAPHRASES)[-1] == "surface"


SCRAPS = [
    "",
    " ",
    ".",
    "and",
    "a",
    "not",
    "5",
    "² ٣ ① № 5²",
    "-",
    "''",
    "の",
    "5cm5cm5cm",
    "there is",
    "\n\n",
    "A" * 5000,
]


@pytest.mark.parametrize("text", SCRAPS)
def test_scraps_are_no_trouble(text: str) -> None:
    for language in (None, "en", "ja"):
        for change in (*minimal_changes(text, language=language), *paraphrases(text, language=language)):
            assert change.text != text


def test_every_draft_lists_all_that_a_rule_can_make() -> None:
    text = "Two men sit."
    made = {edited(text, draft)[0] for kind, draft in every_draft(text, kinds=["number", "object"])}
    assert "Three men sit." in made and "Two women sit." in made
    assert {kind for kind, _ in every_draft(text, kinds=["number"])} == {"number"}
    assert edited("2個ある", every_draft("2個ある", kinds=["number"])[0][1])[0] in ("1個ある", "3個ある")
    with pytest.raises(LiftError, match="kind of change 'tone'"):
        every_draft(text, kinds=["tone"])
