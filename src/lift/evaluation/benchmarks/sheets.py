"""What a reader of a benchmark hands over: pictures, and what is asked about them.

A photo is named by its position in `photos`. `without` takes photos out (missing, broken or not drawn) together with
everything that is asked about them; the positions stay as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lift.data import decode_image


@dataclass(frozen=True)
class Photo:
    """A picture file. `crop` is (left, top, right, bottom) and `margin` a border to cut off, in its own pixels;
    `beside` is a second picture that is put to the right of it, at the same height."""

    key: str
    path: Path
    crop: tuple[float, float, float, float] | None = None
    margin: int = 0
    beside: Path | None = None

    def picture(self) -> Path | Image.Image:
        """The upright RGB picture, not yet resized; of a whole file its path, which may be decoded smaller.

        Raises data.BadImage.
        """
        if self.crop is None and not self.margin and self.beside is None:
            return self.path
        picture = decode_image(self.path)  # at full size: the crop counts its pixels
        if self.crop is not None:
            picture = cropped(picture, self.crop)
        if self.margin and min(picture.size) > 2 * self.margin:
            cut, (width, height) = self.margin, picture.size
            picture = picture.crop((cut, cut, width - cut, height - cut))
        if self.beside is not None:
            picture = side_by_side(picture, decode_image(self.beside))
        return picture


def cropped(picture: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """The part of `picture` in `box`, kept inside the picture and at least one pixel wide and high."""
    width, height = picture.size
    left, top = min(max(int(box[0]), 0), width - 1), min(max(int(box[1]), 0), height - 1)
    right, bottom = min(max(int(box[2]), left + 1), width), min(max(int(box[3]), top + 1), height)
    return picture.crop((left, top, right, bottom))


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Both pictures in one, the right one scaled to the height of the left one."""
    width = max(1, round(right.width * left.height / right.height))
    canvas = Image.new("RGB", (left.width + width, left.height))
    canvas.paste(left, (0, 0))
    canvas.paste(right.resize((width, left.height), Image.Resampling.BICUBIC), (left.width, 0))
    return canvas


class Album:
    """Photos in the order in which they are first named; equal ones are read once."""

    def __init__(self) -> None:
        self.photos: list[Photo] = []
        self._number: dict[Photo, int] = {}

    def number(self, photo: Photo) -> int:
        """Position of `photo`, which is added when new."""
        if photo not in self._number:
            self._number[photo] = len(self.photos)
            self.photos.append(photo)
        return self._number[photo]


@dataclass(frozen=True)
class Sheet:
    """Pictures of a benchmark; `note` is said in the protocol."""

    photos: Sequence[Photo]
    note: str = field(default="", kw_only=True)

    @property
    def size(self) -> int:
        """How many items are asked."""
        raise NotImplementedError

    def without(self, bad: Collection[int]) -> Sheet:
        """The sheet without the photos `bad` and all that is asked about them."""
        raise NotImplementedError


@dataclass(frozen=True)
class SearchSheet(Sheet):
    """`texts[i]` describe photo i; empty for one that takes no part. Photos are searched among their own fold."""

    texts: Sequence[Sequence[str]]
    folds: np.ndarray | None = None

    @property
    def size(self) -> int:
        return sum(map(len, self.texts))

    def without(self, bad: Collection[int]) -> SearchSheet:
        return replace(self, texts=[() if i in bad else own for i, own in enumerate(self.texts)])


@dataclass(frozen=True)
class LanguageSheet(Sheet):
    """The same photos with texts in several languages: `texts[language][i]` describe photo i."""

    texts: Mapping[str, Sequence[Sequence[str]]]

    @property
    def size(self) -> int:
        return sum(len(own) for texts in self.texts.values() for own in texts)

    def without(self, bad: Collection[int]) -> LanguageSheet:
        kept = {
            language: [() if i in bad else own for i, own in enumerate(texts)]
            for language, texts in self.texts.items()
        }
        return replace(self, texts=kept)


class Choice(NamedTuple):
    """Every text of `right` should score above every text of `wrong`; `groups` are (metric, group it counts in)."""

    photo: int
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    kind: str = ""
    groups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ChoiceSheet(Sheet):
    """Choices among texts of a photo.

    show_kinds: a metric per kind; mean_from: the mean over kinds counts those with at least so many items that are
    not in `not_in_mean`, 0 for no such mean. For each metric that `groups` name, all items of a group must be right.
    """

    items: Sequence[Choice]
    show_kinds: bool = True
    mean_from: int = 1
    not_in_mean: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        return len(self.items)

    def without(self, bad: Collection[int]) -> ChoiceSheet:
        return replace(self, items=[item for item in self.items if item.photo not in bad])


class Quad(NamedTuple):
    """Two photos and two captions; caption i belongs to photo i."""

    photos: tuple[int, int]
    captions: tuple[str, str]
    kind: str = ""


@dataclass(frozen=True)
class QuadSheet(Sheet):
    """Photos and captions to be matched two by two (Winoground)."""

    items: Sequence[Quad]

    @property
    def size(self) -> int:
        return len(self.items)

    def without(self, bad: Collection[int]) -> QuadSheet:
        return replace(self, items=[item for item in self.items if not bad_ones(item.photos, bad)])


class Claim(NamedTuple):
    """A sentence about one or several photos, true or false; `group` names what it is compared within."""

    photos: tuple[int, ...]
    sentence: str
    label: bool
    group: str = ""


@dataclass(frozen=True)
class ClaimSheet(Sheet):
    """True and false sentences; the score with several photos is the mean of the cosines."""

    items: Sequence[Claim]

    @property
    def size(self) -> int:
        return len(self.items)

    def without(self, bad: Collection[int]) -> ClaimSheet:
        return replace(self, items=[item for item in self.items if not bad_ones(item.photos, bad)])


@dataclass(frozen=True)
class ClassSheet(Sheet):
    """labels[i] numbers the class of photo i in `classes`, -1 for none; a class is the mean over `templates`."""

    labels: Sequence[int]
    classes: Sequence[str]
    templates: Sequence[str]

    @property
    def size(self) -> int:
        return sum(label >= 0 for label in self.labels)

    def without(self, bad: Collection[int]) -> ClassSheet:
        return replace(self, labels=[-1 if i in bad else label for i, label in enumerate(self.labels)])


class Rating(NamedTuple):
    """What a person, or several, thought of `text` as a caption of the photo; higher is better."""

    photo: int
    text: str
    rating: float


@dataclass(frozen=True)
class RatingSheet(Sheet):
    """Ratings to agree with. `prefix` comes before each text; `clip` counts negative cosines as 0 (CLIPScore)."""

    items: Sequence[Rating]
    prefix: str = ""
    clip: bool = False

    @property
    def size(self) -> int:
        return len(self.items)

    def without(self, bad: Collection[int]) -> RatingSheet:
        return replace(self, items=[item for item in self.items if item.photo not in bad])


def bad_ones(photos: Iterable[int], bad: Collection[int]) -> bool:
    """True when one of `photos` is in `bad`."""
    return any(photo in bad for photo in photos)
