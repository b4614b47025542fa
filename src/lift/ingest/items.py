"""What readers hand on: one Item per photo, and the Asides of what cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from lift.data.decoding import read_photo
from lift.predict import spoken
from lift.sentences import count_words

SPLIT_NAMES = {
    "train": "train", "training": "train", "trn": "train", "restval": "train",
    "学習": "train", "訓練": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "検証": "val",
    "test": "test", "testing": "test", "テスト": "test", "評価": "test",
}  # fmt: skip


class PhotoSource(Protocol):
    """Where the bytes of a photo are; read late, so that a large set never sits in memory."""

    def read(self) -> bytes:
        """The file's bytes; raises BadImage when there are none."""
        ...


@dataclass(frozen=True)
class PhotoFile:
    """A photo in a file of its own."""

    path: Path

    def read(self) -> bytes:
        """The file's bytes."""
        return read_photo(self.path)


@dataclass(frozen=True)
class PhotoBytes:
    """A photo that came inside a table cell."""

    content: bytes = field(repr=False)

    def read(self) -> bytes:
        """The cell's bytes."""
        return self.content


@dataclass(frozen=True)
class Item:
    """One photo of the source with its texts; `made` says that its captions come from the class name."""

    key: str
    photo: PhotoSource
    captions: list[str] = field(default_factory=list)
    long_captions: list[str] = field(default_factory=list)
    split: str | None = None
    label: str | None = None
    source: str | None = None
    made: bool = False


@dataclass
class Asides:
    """What was set aside: `add(file, reason, remedy)`; the run goes on."""

    entries: list[dict[str, str]] = field(default_factory=list)

    def add(self, file: str, reason: str, remedy: str) -> None:
        """Note that `file` (or a part of it) is not used."""
        self.entries.append({"file": file, "reason": reason, "remedy": remedy})

    def counts(self) -> dict[str, int]:
        """Number of entries by the first words of their reason, the most frequent first."""
        found: dict[str, int] = {}
        for entry in self.entries:
            word = re.split(r"[:(]", entry["reason"])[0].strip()
            found[word] = found.get(word, 0) + 1
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def split_name(value: object) -> str | None:
    """train, val or test for the usual names of splits; None when `value` is no such name."""
    return SPLIT_NAMES.get(str(value).strip().lower())


def merge_rows(items: Iterable[Item], asides: Asides) -> list[Item]:
    """Join items of one photo (repeated rows) in order of first appearance."""
    merged: dict[str, Item] = {}
    for item in items:
        first = merged.get(item.key)
        if first is None:
            merged[item.key] = item
            continue
        if item.split and first.split and item.split != first.split:
            asides.add(
                item.key,
                f"conflicting split: {item.split} after {first.split}; {first.split} is kept",
                "give every row of a photo the same split",
            )
        merged[item.key] = with_texts_of(first, item)
    return list(merged.values())


def with_texts_of(first: Item, other: Item) -> Item:
    """`first` with the texts of `other` that it does not have yet."""
    return replace(
        first,
        captions=first.captions + [text for text in other.captions if text not in first.captions],
        long_captions=first.long_captions + [t for t in other.long_captions if t not in first.long_captions],
        split=first.split or other.split,
        label=first.label or other.label,
    )


def clean_texts(item: Item, *, long_words: int, template: str, asides: Asides) -> Item | None:
    """`item` with tidy, distinct texts sorted into short and long; None when no text is left."""
    short, long = _tidy(item.captions), _tidy(item.long_captions)
    empty = (len(item.captions) - len(short)) + (len(item.long_captions) - len(long))
    if empty and (short or long):
        asides.add(item.key, "empty text", "nothing: the photo's other texts are used")
    made = False
    if not short and not long and item.label and not item.label.isdigit():
        short, made = [template.replace("{class}", spoken(item.label))], True
    if not short and not long:
        numbered = bool(item.label)
        asides.add(
            item.key,
            "no text: the class is only a number" if numbered else "no text",
            "give the class names instead of numbers" if numbered else "write a caption for the photo",
        )
        return None
    captions = [text for text in short if count_words(text) <= long_words]
    long += [text for text in short if count_words(text) > long_words]
    return replace(item, captions=captions, long_captions=long, made=made)


def _tidy(texts: Iterable[str]) -> list[str]:
    """Texts with single spaces and without control characters; empty ones are left out."""
    whole = (
        text.encode("utf-8", "replace").decode() for text in texts
    )  # half of a surrogate pair cannot be stored
    tidy = (" ".join(text.replace("\0", " ").split()) for text in whole)
    return [text for text in tidy if text]
