"""Which column of a table is what: guessed from names, then from contents; overridable."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lift.data.columns import IMAGE_NAMES, TEXT_NAMES, by_name, plain
from lift.data.files import PICTURES
from lift.errors import LiftError
from lift.ingest.config import IngestConfig
from lift.ingest.items import Asides, Item, PhotoBytes, PhotoSource, split_name
from lift.sentences import count_words

LONG_NAMES = (
    "longcaption", "longcaptions", "longtext", "longtexts", "longdescription", "long", "detailedcaption",
    "detaileddescription", "densecaption", "details", "長文", "長い説明", "詳細", "詳細説明", "詳細説明文",
    "商品説明",
)  # fmt: skip
SPLIT_NAMES = ("split", "set", "subset", "fold", "partition", "分割", "区分", "データ区分")
LABEL_NAMES = (
    "class", "label", "category", "classname", "labelname", "categoryname", "cls", "target",
    "分類", "クラス", "クラス名", "ラベル", "カテゴリ", "カテゴリー", "種類", "分類名",
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Names of the columns in use; an absent role is None or empty."""

    image: str | None
    texts: tuple[str, ...]
    long: tuple[str, ...]
    split: str | None
    label: str | None

    def asdict(self) -> dict[str, Any]:
        """For the report: role -> column name or names."""
        return {
            "image": self.image,
            "texts": list(self.texts),
            "long": list(self.long),
            "split": self.split,
            "label": self.label,
        }

    def __str__(self) -> str:
        parts = [f"image = {self.image}"] if self.image else []
        parts.append(f"texts = {', '.join(self.texts) or 'none'}")
        parts += [f"long = {', '.join(self.long)}"] if self.long else []
        parts += [f"split = {self.split}"] if self.split else []
        parts += [f"label = {self.label}"] if self.label else []
        return "; ".join(parts)


def guess_columns(
    header: Sequence[str], rows: Sequence[Mapping[str, Any]], config: IngestConfig, *, need_image: bool = True
) -> Columns:
    """Choose columns by option, by name, then by what `rows` hold; LiftError when one is missing."""
    image = _given(config.image_column, header, "--image-column") or by_name(header, IMAGE_NAMES)
    if image is None or (not config.image_column and rows and not _looks_like_photos(image, rows)):
        image = next((name for name in header if _looks_like_photos(name, rows)), image)
    if image is None and need_image:
        raise LiftError(
            f"no column looks like photo file names; there are: {', '.join(header)}",
            "name it with --image-column",
        )
    if not need_image:
        image = None
    split = _role(config.split_column, header, "--split-column", SPLIT_NAMES)
    label = _role(config.label_column, header, "--label-column", LABEL_NAMES)
    long: tuple[str, ...]
    if config.long_column:
        long_name = _role(config.long_column, header, "--long-column", ())
        long = (long_name,) if long_name else ()
    else:
        long = tuple(name for name in header if plain(name) in LONG_NAMES)
    taken = {image, split, label, *long}
    if config.text_columns:
        texts = tuple(str(_given(name, header, "--text-columns")) for name in config.text_columns)
    else:
        texts = tuple(name for name in header if name not in taken and plain(name) in TEXT_NAMES)
        if not texts and not long:
            texts = _wordiest([name for name in header if name not in taken], rows)
    if label and not config.label_column and (texts or long) and _only_true_or_false(label, rows):
        raise LiftError(
            f"the column {label} holds only true and false; where it says whether a text fits the photo, false texts "
            "would become captions",
            "keep the true rows in a table of their own (all of them serve `lift evaluate --pairs`), or say what the "
            f"column is: --label-column none, or --label-column {label} for class names",
        )
    if not texts and not long and not label:
        raise LiftError(
            f"no column looks like captions; there are: {', '.join(header)}",
            "name one or more with --text-columns, or the class names with --label-column",
        )
    return Columns(image, texts, long, split, label)


def texts_in(cell: Any) -> list[str]:
    """The texts of one cell: a list, a list written as text, a {"raw": …} record, or one text."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return [""]
    if isinstance(cell, np.ndarray | list | tuple):
        return [text for part in cell for text in texts_in(part)]
    if isinstance(cell, Mapping):
        named = [value for name, value in cell.items() if name == "raw" or plain(str(name)) in TEXT_NAMES]
        return texts_in(named[0]) if named else [""]
    text = str(cell)
    if text.lstrip().startswith("["):
        parts = _written_list(text)
        return [text] if parts is None else parts
    return [text]


def item_of(
    row: Mapping[str, Any],
    columns: Columns,
    *,
    key: str,
    photo: PhotoSource,
    split: str | None,
    source: str | None,
    asides: Asides,
) -> Item:
    """The Item of one table row; an unknown split is noted and then made by hash."""
    given = row.get(columns.split) if columns.split else None
    if given is not None and not _blank(given):
        known = split_name(given)
        if known is None:
            asides.add(
                key, f"unknown split: {str(given)[:40]!r}; it is made by hash", "write train, val or test"
            )
        split = known or split
    label = row.get(columns.label) if columns.label else None
    captions: list[str] = []
    for name in columns.texts:  # a text that stands in two columns counts once
        captions += [text for text in texts_in(row.get(name)) if text not in captions]
    return Item(
        key=key,
        photo=photo,
        captions=captions,
        long_captions=[text for name in columns.long for text in texts_in(row.get(name)) if text.strip()],
        split=split,
        label=None if label is None or _blank(label) else str(label).strip(),
        source=source,
    )


def embedded_photo(cell: Any) -> PhotoBytes | None:
    """The photo inside a cell that holds bytes, or {"bytes": …} as Hugging Face writes; None otherwise."""
    content = cell.get("bytes") if isinstance(cell, Mapping) else cell
    return PhotoBytes(bytes(content)) if isinstance(content, bytes | bytearray | memoryview) else None


def _given(name: str | None, header: Sequence[str], flag: str) -> str | None:
    if name is not None and name not in header:
        raise LiftError(f"{flag} {name}: there is no such column", f"use one of: {', '.join(header)}")
    return name


def _role(name: str | None, header: Sequence[str], flag: str, known: Sequence[str]) -> str | None:
    if name == "none" and "none" not in header:
        return None
    return _given(name, header, flag) or by_name(header, known)


def _blank(value: Any) -> bool:
    return (isinstance(value, float) and bool(np.isnan(value))) or not str(value).strip()


def _looks_like_photos(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """True when most cells hold a file name of a picture, or a picture itself."""
    cells = [row.get(name) for row in rows]
    named = sum(str(cell).split("#")[0].strip().lower().endswith(PICTURES) for cell in cells)
    embedded = sum(embedded_photo(cell) is not None for cell in cells)
    return 2 * (named + embedded) > len(cells)


def _only_true_or_false(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """True when every filled cell is a truth value, as in tables of sentences judged true or false of a photo."""
    given = [row.get(name) for row in rows]
    cells = [str(value).strip().lower() for value in given if value is not None and not _blank(value)]
    return bool(cells) and set(cells) <= {"true", "false"}


def _wordiest(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The one column with the longest texts, if its texts have two words or more on average."""

    def words(name: str) -> float:
        texts = [text for row in rows for text in texts_in(row.get(name))]
        return sum(map(count_words, texts)) / max(1, len(texts))

    best = max(names, key=words, default=None)
    return (best,) if best is not None and words(best) >= 2 else ()


def _written_list(text: str) -> list[str] | None:
    """The texts of '["a", "b"]' or "['a', 'b']"; None when it is no such list."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return value
    return None
