"""Whether suspicious words and hot places are right more often than chance: only then they are shown.

Words: on foils, the share whose most suspicious phrase overlaps a changed word, against a phrase drawn at random from
the same text (its chance is known exactly). Places: the deletion test of RISE (Petsiuk, Das & Saenko 2018, arXiv
1806.07421): with the hottest patches painted over the cosine must fall more than with as many patches at random, and
than with those in the middle of the photo, where most of what is told of is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from lift.data import Row
from lift.explaining.foils import Foil, foils_by_borrowing, foils_of_rows
from lift.explaining.places import neutral_text, tells_places
from lift.explaining.probes import Probe
from lift.explaining.trials import deletion
from lift.explaining.words import METHOD, EncodeText, phrase_scores, prepare
from lift.image import ImageEncoder
from lift.metrics import bootstrap_interval

LEAST = 30  # fewer photos prove nothing
BATCH = 200  # foils whose vectors are held at a time


@dataclass(frozen=True)
class Share:
    """A rate, that of chance, and the 95 % interval of their difference over n cases of `photos` photos."""

    rate: float
    control: float
    low: float
    high: float
    n: int
    photos: int

    @property
    def shown(self) -> bool:
        """Whether it is better than chance beyond doubt."""
        return self.low > 0 and self.photos >= LEAST


@dataclass(frozen=True)
class Proof:
    """What was found for words and for places, None where there was nothing to measure; words also by kind of foil.

    Of places rate and control are falls of the cosine: `places` against random patches, `middle` against those in the
    middle of the photo.
    """

    method: str
    words: Share | None
    places: Share | None
    middle: Share | None
    kinds: dict[str, Share]

    @property
    def words_shown(self) -> bool:
        """Whether suspicious words may be shown."""
        return self.method == METHOD and self.words is not None and self.words.shown

    @property
    def places_shown(self) -> bool:
        """Whether heatmaps may be shown."""
        return all(one is not None and one.shown for one in (self.places, self.middle))

    def asdict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Proof:
        """The inverse of `asdict`."""
        words, places, middle = (
            Share(**value[name]) if value.get(name) else None for name in ("words", "places", "middle")
        )
        kinds = {kind: Share(**one) for kind, one in value["kinds"].items()}
        return cls(value["method"], words, places, middle, kinds)


def proof(
    rows: Sequence[Row],
    photo_features: Float[np.ndarray, "N D"],
    encode_text: EncodeText,
    *,
    others: Float[np.ndarray, "M D"] | None = None,
    image_encoder: ImageEncoder | None = None,
    pixels: UInt8[np.ndarray, "N S S 3"] | None = None,
    foils: Sequence[Foil] | None = None,
    most: int = 60,
    seed: int = 0,
) -> Proof:
    """Measure words, and places where `image_encoder` and `pixels` are given, on photos that were not trained on.

    rows: the photos' texts; others: the background that will be used with the model (default: the photos themselves);
    foils: with `photo` as a row number (default: made of the rows, by rule and by borrowing, at most `most` of a kind).
    """
    found = list(foils) if foils is not None else _default_foils(rows, seed, most)
    background = photo_features if others is None else others
    words, kinds = None, {}
    if found:
        hits, chances = word_hits(found, photo_features, encode_text, background)
        photos = np.array([foil.photo for foil in found])
        words = share(hits, chances, photos)
        for kind in sorted({foil.kind for foil in found}):
            of_kind = np.array([foil.kind == kind for foil in found])
            kinds[kind] = share(hits[of_kind], chances[of_kind], photos[of_kind])
    places = middle = None
    if isinstance(image_encoder, ImageEncoder) and pixels is not None and tells_places(image_encoder):
        places, middle = place_shares(image_encoder, pixels, [row.texts for row in rows], encode_text, seed)
    return Proof(METHOD, words, places, middle, kinds)


def place_shares(
    image_encoder: ImageEncoder,
    pixels: UInt8[np.ndarray, "N S S 3"],
    texts: Sequence[Sequence[str]],
    encode_text: EncodeText,
    seed: int = 0,
) -> tuple[Share, Share] | tuple[None, None]:
    """The deletion test with the first text of each photo: against random patches and against the middle."""
    told = [number for number, some in enumerate(texts) if some]
    if not told:
        return None, None
    first = [texts[number][0] for number in told]
    vectors = encode_text([*first, neutral_text(first[0])])
    falls = deletion(image_encoder, pixels[told], vectors[:-1], vectors[-1], seed=seed)
    photos = np.array(told)
    return share(falls.hottest, falls.random, photos), share(falls.hottest, falls.middle, photos)


def _default_foils(rows: Sequence[Row], seed: int, most: int) -> list[Foil]:
    return foils_of_rows(rows, seed=seed, most=most) + foils_by_borrowing(rows, seed=seed, most=most)


def share(rates: Float[np.ndarray, " n"], controls: Float[np.ndarray, " n"], photos: np.ndarray) -> Share:
    """The means and the interval of their difference, whole photos drawn anew."""
    low, high = bootstrap_interval(rates - controls, photos)
    return Share(float(rates.mean()), float(controls.mean()), low, high, len(rates), len(np.unique(photos)))


def word_hits(
    foils: Sequence[Foil],
    photo_features: Float[np.ndarray, "N D"],
    encode_text: EncodeText,
    others: Float[np.ndarray, "M D"] | None,
    *,
    method: str = METHOD,
    longest: int | None = None,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """For every foil: whether the most suspicious phrase overlaps a changed word, and the chance of a random one.

    Of phrases that are equally suspicious each counts in part.
    """
    hits, chances = np.zeros(len(foils)), np.zeros(len(foils))
    for start in range(0, len(foils), BATCH):
        part = foils[start : start + BATCH]
        texts = prepare([foil.text for foil in part], encode_text, method=method, longest=longest)
        for number, (foil, text) in enumerate(zip(part, texts, strict=True), start):
            if text.probes:
                touched = overlaps(text.probes, foil)
                scores = phrase_scores(photo_features[foil.photo], text, others, method=method)
                hits[number] = touched[scores == scores.max()].mean()
                chances[number] = touched.mean()
    return hits, chances


def overlaps(probes: Sequence[Probe], foil: Foil) -> Float[np.ndarray, " P"]:
    """1 for every phrase that shares a character with a changed word."""
    return np.array(
        [any(a < probe.phrase.end and probe.phrase.start < b for a, b in foil.spans) for probe in probes],
        float,
    )
