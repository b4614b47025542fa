"""Foils with known false words, heatmaps of a real encoder, and the proof, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from lift.data import Pair, Row
from lift.errors import LiftError
from lift.explaining import Proof, Share, heatmap, overlay, proof, tells_places
from lift.explaining.foils import Foil, changed_spans, foils_by_borrowing, foils_of_pairs, foils_of_rows
from lift.explaining.places import patch_cosines, scaled
from lift.explaining.proof import word_hits
from lift.explaining.trials import centrality, deletion, painted, pointing
from lift.image import ImageEncoder
from lift.image.vit import ViTShape
from lift.rewording.english.words import ANIMALS

THINGS = ("dog", "cat", "horse", "cow", "bird", "sheep")
PLACES = ("grass", "sand", "snow", "ice")
ROWS = [
    Row(f"{thing} {place}", [f"A {thing} is standing on the {place} ."], "val")
    for thing in THINGS for place in PLACES for _ in range(2)
]  # fmt: skip


def encode(texts: list[str]) -> np.ndarray:
    """Which of the words are there, and a little of something that always is; unit length."""
    words = (*ANIMALS, *PLACES)
    rows = np.array(
        [[*(f" {word}" in f" {text}".lower() for word in words), 0.01] for text in texts], np.float32
    )
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(ViTShape(8, 1, 2, 4), image_size=16, dim=6).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    ("true", "false", "words"),
    [
        ("a red dog", "a green dog", ["green"]),
        ("a dog runs", "a dog is not running", ["is not running"]),
        ("a dog is not here", "a dog is here", ["is here"]),
        ("an apple here", "a pear here", ["pear"]),
        ("a man rides a horse", "a horse rides a man", ["horse", "man"]),
        ("赤い車", "青い車", ["青"]),
        ("same", "same", []),
    ],
)
def test_changed_spans(true: str, false: str, words: list[str]) -> None:
    assert [false[a:b] for a, b in changed_spans(true, false)] == words


def test_foils_are_false_and_drawn_by_seed() -> None:
    ruled = foils_of_rows(ROWS, most=3)
    assert {foil.kind for foil in ruled} == {"negation", "object"}
    assert all(sum(one.kind == foil.kind for one in ruled) <= 3 for foil in ruled)
    borrowed = foils_by_borrowing(ROWS)
    assert borrowed == foils_by_borrowing(ROWS) != foils_by_borrowing(ROWS, seed=1)
    for foil in borrowed:
        ((a, b),) = foil.spans
        assert foil.text[a:b] not in foil.true
        assert foil.text[:a] == foil.true[:a]
    # "standing" and "on" stand in every caption: there is nothing to put in their place.
    assert {foil.kind for foil in borrowed} == {"borrowed_noun"}
    told = [Row("a", ["a dog on sand", "an ox on sand"], "val"), Row("b", ["the ox"], "val")]
    assert [foil.photo for foil in foils_by_borrowing(told)] == [
        1
    ]  # the first photo's texts have every word there is
    pair = Pair(ROWS[0].key, "a dog sees a cat", "a cat sees a dog", "swap", "val")
    (foil,) = foils_of_pairs([pair, Pair("elsewhere", "a", "b", "swap", "val")], ROWS)
    assert (foil.kind, foil.spans) == ("swap", ((2, 5), (13, 16)))


def test_hits_and_chance_by_hand() -> None:
    """Four phrases; the changed word is in one of them, a pair of swapped words in two."""
    photo = encode(["a dog on the grass"])
    foils = [
        Foil(0, "A cat is standing on the grass .", ((2, 5),), "object", ""),
        Foil(0, "A cat is standing on the snow .", ((2, 5), (25, 29)), "both", ""),
    ]
    hits, chances = word_hits(foils, photo, encode, None, method="out")
    assert chances.tolist() == [0.25, 0.5]
    assert hits[0] == 1
    ties, _ = word_hits(foils[:1], np.zeros_like(photo), encode, None, method="alone")
    assert ties.tolist() == [0.25]  # all phrases alike: each counts in part
    assert word_hits([Foil(0, "...", ((0, 1),), "marks", "")], photo, encode, None)[0].tolist() == [0]


def test_the_proof_tells_a_good_encoder_from_a_blind_one() -> None:
    photos = encode([row.captions[0] for row in ROWS])
    found = proof(ROWS, photos, encode, most=40)
    assert found.words is not None and found.words_shown and not found.places_shown
    assert found.kinds["object"].rate == 1.0 > 0.3 > found.kinds["object"].control
    assert Proof.from_dict(found.asdict()) == found
    blind = np.random.default_rng(0).standard_normal(photos.shape).astype(np.float32)
    assert not proof(ROWS, normalize(torch.from_numpy(blind)).numpy(), encode, most=40).words_shown
    assert proof([], photos[:0], encode).words is None
    assert not Share(0.9, 0.1, 0.5, 0.9, 40, photos=29).shown  # too few photos prove nothing
    assert not Share(0.9, 0.1, 0.0, 0.9, 40, photos=40).shown


def test_patches_against_one_at_a_time(encoder: ImageEncoder, photos: np.ndarray) -> None:
    texts = np.eye(6, dtype=np.float32)[:5]
    found = patch_cosines(encoder, photos, texts)
    assert found.shape == (5, 4, 4)
    for number in range(5):
        image = torch.from_numpy(photos[number]).permute(2, 0, 1)[None].float() / 255
        for place, token in enumerate(encoder.patch_features(image)[0]):
            vector = normalize(encoder.head(token), dim=0).numpy()
            assert found[number].flat[place] == pytest.approx(float(vector @ texts[number]), abs=1e-5)


def test_heatmap_is_hottest_where_the_text_is_the_patch(encoder: ImageEncoder, photos: np.ndarray) -> None:
    image = torch.from_numpy(photos[0]).permute(2, 0, 1)[None].float() / 255
    text = normalize(encoder.head(encoder.patch_features(image)[0, 6]), dim=0).numpy()
    heat = heatmap(encoder, photos[0], text, np.zeros(6, np.float32))
    assert heat.dtype == np.float32 and heat.shape == (4, 4)
    assert heat.argmax() == 6 and heat.max() == 1 and heat.min() == 0
    assert not scaled(np.full((2, 2), 0.3)).any()


def test_models_without_places_are_refused() -> None:
    assert not tells_places(None) and not tells_places(object())
    with pytest.raises(LiftError, match="which place"):
        heatmap(object(), np.zeros((4, 4, 3), np.uint8), np.zeros(6), np.zeros(6))  # type: ignore[arg-type]


def test_overlay_keeps_the_size_and_gets_lighter_with_heat() -> None:
    grey = Image.new("RGB", (40, 20), (90, 90, 90))
    picture = np.asarray(overlay(grey, np.array([[0, 1.0], [0, 1.0]], np.float32)), float)
    assert picture.shape == (20, 40, 3)
    assert picture[10, 39].sum() > picture[10, 20].sum() > picture[10, 0].sum()
    assert picture[10, 39, 0] > picture[10, 39, 2] and picture[10, 0, 2] > picture[10, 0, 0]  # yellow, blue


def test_painting_and_deletion(encoder: ImageEncoder, photos: np.ndarray) -> None:
    black = np.zeros((1, 4, 4, 3), np.uint8)
    black[0, :2, :2] = 200  # a mean of 50
    out = painted(black, np.array([[3]]), side=2)
    assert (out[0, 2:, 2:] == 50).all() and (out[0, :2] == black[0, :2]).all() and not black[0, 2:].any()
    even, texts, nothing = np.full((3, 16, 16, 3), 77, np.uint8), np.eye(6, dtype=np.float32), np.zeros(6)
    assert np.allclose(deletion(encoder, even, texts[:3], nothing), 0, atol=1e-6)  # paint of the same colour
    falls = deletion(encoder, photos, texts[:5], nothing, batch=5)
    assert falls.hottest == pytest.approx(
        deletion(encoder, photos, texts[:5], nothing, batch=2).hottest, abs=1e-6
    )
    hottest = np.argsort(-patch_cosines(encoder, photos[:1], texts[:1]).ravel())[:4][None]
    pair = (
        torch.from_numpy(np.stack([photos[0], painted(photos[:1], hottest, 4)[0]])).permute(0, 3, 1, 2) / 255
    )
    before, after = encoder(pair)[:, 0].tolist()
    assert falls.hottest[0] == pytest.approx(before - after, abs=1e-6)
    neutral = texts[5]  # what is near every text is taken away before the hottest are chosen
    other = np.argsort(-patch_cosines(encoder, photos[:1], texts[:1] - neutral).ravel())[:4][None]
    assert set(other[0]) != set(hottest[0])
    shown = torch.from_numpy(painted(photos[:1], other, 4)).permute(0, 3, 1, 2) / 255
    fall = before - encoder(shown)[0, 0].item()
    assert deletion(encoder, photos[:1], texts[:1], neutral).hottest[0] == pytest.approx(fall, abs=1e-6)
    assert (
        centrality(4) == -np.array([[1.5] * 4, [1.5, 0.5, 0.5, 1.5], [1.5, 0.5, 0.5, 1.5], [1.5] * 4])
    ).all()


def test_places_must_beat_random_and_the_middle() -> None:
    good, bad = Share(0.2, 0.1, 0.05, 0.2, 40, 40), Share(0.2, 0.2, -0.05, 0.05, 40, 40)
    assert Proof("out", None, good, good, {}).places_shown
    assert not Proof("out", None, good, bad, {}).places_shown
    assert not Proof("out", None, good, None, {}).places_shown
    assert not Proof("some other method", good, None, None, {}).words_shown


def test_pointing_by_hand() -> None:
    heat = np.array([[0.9, 0.1], [0.2, 0.1]])
    assert pointing(heat, [(0.1, 0.1, 0.4, 0.4)]) == (1.0, 0.25)
    assert pointing(heat, [(0.6, 0.0, 1.0, 0.4), (0.6, 0.6, 0.9, 0.9)]) == (0.0, 0.5)
    assert pointing(np.ones((2, 2)), [(0.0, 0.0, 0.5, 0.5)]) == (
        0.25,
        0.25,
    )  # an edge is no overlap; ties in part
