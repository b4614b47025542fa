"""The texts to be examined: all of them as numbers, and a sample of whole items as texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import digest
from lift.auditing.tables import ENDINGS, find_column, read_table
from lift.data import Dataset
from lift.data.reading import is_binary, read_text
from lift.errors import LiftError

TEXT_COLUMNS = (
    "text", "texts", "caption", "captions", "sentence", "sentences", "description", "title", "name",
    "テキスト", "文章", "説明", "説明文", "キャプション", "商品名",
)  # fmt: skip
ITEM_COLUMNS = (
    "item", "image", "photo", "picture", "file", "file_name", "filename", "image_path", "path", "url", "sku",
    "product", "product_id", "item_id", "image_id", "id", "key", "商品", "商品コード", "品番", "画像", "写真",
)  # fmt: skip
TEXTS_PER_ITEM = 20  # an item with thousands of texts would be the whole sample
FEWEST = 10  # texts below which nothing can be said

Items = Iterable[tuple[str, list[str]]]  # an item's name and its texts


@dataclass(frozen=True)
class Corpus:
    """Distinct texts of a sample of whole items, and which text stands at which item in all of the data.

    `texts`: distinct texts of the sample. Text member_texts[m] (a number in `texts`) belongs to item
    member_items[m]. `all_texts` and `all_items` are the same over all data, texts numbered from 0 up.
    """

    name: str
    id: str
    texts: list[str]
    member_texts: np.ndarray
    member_items: np.ndarray
    all_texts: np.ndarray
    all_items: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def item_of(self) -> np.ndarray:
        """For each text of the sample the first item it belongs to, the cluster of the intervals: int (n,)."""
        first = np.full(len(self.texts), -1, np.int64)
        first[self.member_texts[::-1]] = self.member_items[::-1]
        return first


def read_corpus(
    source: Path, *, limit: int, seed: int, text_column: str | None = None, item_column: str | None = None
) -> Corpus:
    """The corpus of a DATASET folder or of a .txt, .csv, .tsv, .jsonl or .xlsx file.

    Raises LiftError when there is no such thing, or it holds too few texts.
    """
    facts: dict[str, Any] = {"source": str(source)}
    if not source.exists():
        raise LiftError(f"there is no {source}", "give a DATASET folder or a file with texts")
    if source.is_dir():
        dataset = Dataset(source)
        facts |= {"kind": "DATASET", "dataset": dataset.id}
        items: Items = ((row.key, row.texts) for row in dataset.rows)
        return corpus_of(items, dataset.name, limit=limit, seed=seed, facts=facts)
    if source.suffix.lower() == ".txt":
        content, facts["encoding"] = read_text(source.read_bytes(), None, source.name)
        if is_binary(content):
            raise LiftError(
                f"{source.name} holds no text: it is a binary file", "give a file with one text a line"
            )
        items = ((f"line {number}", [line]) for number, line in enumerate(content.splitlines(), 1))
        facts["kind"] = "text file, one text a line"
    elif source.suffix.lower() in ENDINGS:
        items = _items_of_table(source, text_column, item_column, facts)
    else:
        raise LiftError(
            f"{source.name} is neither a DATASET nor a file of texts",
            f"give a DATASET folder, a .txt file with one text a line, or a table ({', '.join(ENDINGS[:3])}, .xlsx)",
        )
    return corpus_of(items, source.stem, limit=limit, seed=seed, facts=facts)


def _items_of_table(
    path: Path, text_column: str | None, item_column: str | None, facts: dict[str, Any]
) -> Items:
    table = read_table(path)
    column = find_column(table.header, text_column, TEXT_COLUMNS, "--text-column")
    item = find_column(table.header, item_column, ITEM_COLUMNS, "--item-column")
    if column is None:
        rest = [name for name in table.header if name != item]
        if len(rest) != 1:
            raise LiftError(
                f"{path.name} does not say which column holds the texts",
                f"name it with --text-column; columns: {', '.join(table.header)}",
            )
        column = rest[0]
    facts |= {"kind": "table", "encoding": table.encoding, "text column": column, "item column": item}
    facts["unreadable lines"] = table.unreadable
    for number, record in enumerate(table.records, 1):
        cell = record.get(column)
        texts = cell if isinstance(cell, list) else [cell]
        name = record.get(item) if item else None
        known = name is not None and str(name).strip()
        yield (str(name) if known else f"row {number}"), ["" if text is None else str(text) for text in texts]


def corpus_of(
    items: Items, name: str, *, limit: int = 4000, seed: int = 0, facts: dict[str, Any] | None = None
) -> Corpus:
    """The corpus of named items: items of one name are one; a text twice at an item counts once.

    The sample takes whole items in the order of a hash of (seed, item) until it holds `limit` distinct texts, so
    that the same data give the same sample whatever the order of the rows.
    """
    grouped: dict[str, dict[str, None]] = {}
    empty = given = damaged = 0
    for item, texts in items:
        kept = grouped.setdefault(item, {})
        for text in texts:
            given += 1
            text = (
                text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").strip()
            )  # JSON may hold half a letter
            if text:
                kept[text] = None
                damaged += "\ufffd" in text
            else:
                empty += 1
    grouped = {item: texts for item, texts in grouped.items() if texts}
    number: dict[str, int] = {}
    members = [
        (number.setdefault(text, len(number)), row)
        for row, texts in enumerate(grouped.values())
        for text in texts
    ]
    if len(number) < FEWEST:
        raise LiftError(
            f"{name} holds {len(number)} distinct texts; the exam needs at least {FEWEST}",
            "give more texts: some hundreds for rough lights, thousands for sure ones",
        )
    everything = np.array(members, dtype=np.int64)
    texts, sampled = _sample(grouped, limit, seed)
    facts = (facts or {}) | {
        "texts": given,
        "empty texts": empty,
        "texts with a replacement character": damaged,
        "items": len(grouped),
        "distinct texts": len(number),
        "examined texts": len(texts),
        "examined items": len(set(sampled[:, 1].tolist())),
    }
    return Corpus(
        name=name,
        id=digest(texts),
        texts=texts,
        member_texts=sampled[:, 0],
        member_items=sampled[:, 1],
        all_texts=everything[:, 0],
        all_items=everything[:, 1],
        facts=facts,
    )


def _sample(grouped: dict[str, dict[str, None]], limit: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Distinct texts of whole items in hash order, and pairs (text, item)."""
    names = list(grouped)
    order = sorted(range(len(names)), key=lambda row: _lot(seed, names[row]))
    number: dict[str, int] = {}
    members: list[tuple[int, int]] = []
    for row in order:
        if len(number) >= limit:
            break
        texts = list(grouped[names[row]])
        if len(texts) > TEXTS_PER_ITEM:
            texts = sorted(texts, key=lambda text: _lot(seed, text))[:TEXTS_PER_ITEM]
        members += [(number.setdefault(text, len(number)), row) for text in texts]
    return list(number), np.array(members, dtype=np.int64)


def _lot(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode(errors="surrogatepass"), digest_size=8).digest()
