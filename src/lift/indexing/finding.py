"""`lift index` and `lift search`: make an INDEX, and find photos in it by a sentence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from tyro.conf import Positional

from lift.catalogue.approximate import keep_fresh
from lift.catalogue.fields import parse_where
from lift.console import note, say
from lift.data import BadImage
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError, UsageError
from lift.indexing.building import open_source, request_of
from lift.indexing.folder import Index, Match
from lift.indexing.grid import Section, write_grid
from lift.indexing.photos import SetAside
from lift.indexing.query import Query
from lift.indexing.updating import bring
from lift.model import load, resizing_note

REASONS_SHOWN = 5


@dataclass(frozen=True)
class IndexConfig:
    """Encode photos once with a trained RUN, so that `lift search` finds them by a sentence."""

    run: Positional[Path]
    """folder of a trained model, made by `lift train`"""
    photos: Positional[str | Path]
    """folder of photos at any depth, or a DATASET (folder, or URL of one in shards)"""
    out: Path
    """where to write the INDEX folder"""
    split: Literal["all", "train", "val", "test"] = "all"
    """which photos of a DATASET"""
    max_pixels: int = MAX_PIXELS
    """photos with more pixels than this are set aside before decoding"""
    metadata: Path | None = None
    """table (CSV, JSONL, Excel) with a row per photo; its columns become fields for `lift search --where`"""
    metadata_column: str | None = None
    """column of the table that names the photo (default: the one that fits)"""
    overwrite: bool = False
    """replace what is in --out"""


@dataclass(frozen=True)
class SearchConfig:
    """Find photos by one or several sentences; prints rank, score (cosine, -1 to 1) and path."""

    index: Positional[Path]
    """INDEX folder, made by `lift index`"""
    sentences: Positional[tuple[str, ...]] = ()
    """what to look for, each sentence in quotes"""
    top: int = 10
    """how many photos to show for each sentence"""
    grid: Path | None = None
    """also write the photos found as a picture to this PNG file"""
    image: Path | None = None
    """look for photos like this one; with a sentence, for both at once"""
    without: tuple[str, ...] = ()
    """sentences for what the photos shall not show"""
    weight: float = 0.5
    """share of the sentence, 0 to 1, where --image is given, too"""
    where: tuple[str, ...] = ()
    """conditions on metadata, "price<20" "shop=tokyo,osaka"; all must hold"""
    exact: bool = False
    """compare every photo of a large INDEX, too, in place of using its approximate index"""
    run: Path | None = None
    """folder of the model (default: the one recorded in the INDEX)"""
    query_encoder: Path | None = None
    """folder of a light text encoder made by `lift distill-query`, in place of the model's own"""
    json: bool = False
    """print one JSON object per photo found, for other programs"""


def index(config: IndexConfig) -> Index:
    """Make the INDEX, say what was set aside, and open it."""
    model = load(config.run)
    source = open_source(
        config.photos, config.split, config.metadata, config.metadata_column, config.max_pixels
    )
    if source.dataset is not None and (warning := resizing_note(model, source.dataset)):
        note(warning)
    request = request_of(model, source, config.split)
    done = bring(model, source, config.out, request, overwrite=config.overwrite)
    if done.how == "same":
        say(f"already done: {config.out} holds {done.photos} photos")
    elif done.how == "made":
        say(f"{config.out}: {done.added} of {done.photos} photos indexed with {model.id}")
    else:
        say(f"{config.out}: {done.added} photos added, {done.updated} updated, {done.deleted} taken out")
    tell_set_aside(done.set_aside, config.out)
    opened = Index.open(config.out)
    if facts := keep_fresh(opened.view):
        note(f"approximate index made, recall@10 {facts['recall@10']:.1%}")
    return opened


def tell_set_aside(set_aside: Sequence[SetAside], out: Path) -> None:
    """Say which photos could not be used, and why; of many the first and the counts."""
    for item in set_aside[:REASONS_SHOWN]:
        note(f"set aside: {item.file}: {item.reason} ({item.remedy})")
    if len(set_aside) > REASONS_SHOWN:
        reasons = Counter(item.reason for item in set_aside).most_common()
        counts = ", ".join(f"{count} x {reason}" for reason, count in reasons)
        note(f"set aside in all: {counts}; every file is in {out / 'report.json'}")


def search(config: SearchConfig) -> list[list[Match]]:
    """Print the best photos for every sentence; returns them, one list per sentence."""
    if not all(s.strip() for s in config.sentences) or not (config.sentences or config.image):
        raise UsageError("no sentence was given", 'add one in quotes: `lift search INDEX "a dog on grass"`')
    if config.top < 1:
        raise UsageError(f"--top must be at least 1, not {config.top}", "leave it away for 10 photos")
    opened = Index.open(config.index)
    model = opened.load_model(config.run)
    if config.query_encoder is not None:
        model.stand_in(config.query_encoder)
    where = parse_where(config.where, opened.fields)
    queries: Sequence[str | Query] = config.sentences
    if config.image is not None or config.without:
        asked = config.sentences or (None,)
        queries = [Query(text, config.image, config.without, config.weight) for text in asked]
    found = opened.search_many(queries, config.top, model=model, where=where, exact=config.exact or None)
    names = config.sentences or (str(config.image),)
    for sentence, matches in zip(names, found, strict=True):
        if not config.json:
            say(sentence)
        for rank, match in enumerate(matches, start=1):
            say(_json_line(sentence, rank, match) if config.json else _line(rank, match))
    if config.grid is not None:
        picture_grid(opened, names, found, config.grid)
    return found


def _line(rank: int, match: Match) -> str:
    return f"{rank:>4}  {match.score:6.3f}  {match.path}"


def _json_line(sentence: str, rank: int, match: Match) -> str:
    fields = {
        "query": sentence,
        "rank": rank,
        "score": round(match.score, 6),
        "key": match.key,
        "path": str(match.path),
        **({"metadata": dict(match.metadata)} if match.metadata else {}),
    }
    return json.dumps(fields, ensure_ascii=False, default=str)


def picture_grid(
    opened: Index,
    sentences: Sequence[str],
    found: Sequence[Sequence[Match]],
    out: Path,
    *,
    right: Sequence[Sequence[bool]] | None = None,
    legend: str = "",
) -> None:
    """Write what was found for each sentence as a PNG; photos that are `right` get a green frame."""
    sections = [
        Section(
            sentence,
            [_picture(opened, match) for match in matches],
            [f"{rank}   {match.score:.3f}" for rank, match in enumerate(matches, start=1)],
            right[number] if right is not None else (),
        )
        for number, (sentence, matches) in enumerate(zip(sentences, found, strict=True))
    ]
    write_grid(sections, out, legend)
    note(f"picture grid: {out}")


def _picture(opened: Index, match: Match) -> Image.Image | None:
    """The photo, or None with a word about why when it cannot be read any more."""
    try:
        return opened.picture(match)
    except (BadImage, LiftError) as error:
        note(f"not shown in the grid: {match.path}: {error}")
        return None
