"""check, store: is an artefact what it was when it was written; what is in a STORE, merging and compacting it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from lift.artefact import VERB_OF, read_manifest, sha256_file
from lift.catalogue import checking
from lift.console import note, say, show_table
from lift.data import Dataset
from lift.data.dataset import manifest_of
from lift.errors import LiftError
from lift.place import Place
from lift.store import EmbeddingStore, compact, merge, sweep
from lift.store.combining import DAY

KINDS = ("dataset", "store", "run", "index", "query", "export", "exam", "comparison", "calibration")


@dataclass(frozen=True)
class CheckConfig:
    """Compare a DATASET, STORE, RUN or INDEX with what was written; ends with 1 and a list when something is wrong.

    Query encoders (`lift distill-query`), exports, exams, comparisons and calibrations too.

    Every file against its SHA-256; in a STORE also that vectors are finite and of unit length, that texts belong to
    their vectors, and that all of them are by one encoder.
    """

    place: Positional[str]
    """The artefact: a folder, or the fsspec URL of a STORE."""


@dataclass(frozen=True)
class StoreInfoConfig:
    """Tell what is in a STORE: encoder, rows, runs, bytes, and whether `lift store gc` would help."""

    store: Positional[str]
    """The STORE: a folder or an fsspec URL."""


@dataclass(frozen=True)
class StoreMergeConfig:
    """Make one STORE of several by the same encoder and dtype; memory stays at one shard."""

    stores: Positional[tuple[str, ...]]
    """The STOREs, two or more; where two hold a text the first one's vector is taken."""
    out: str
    """The STORE to make."""


@dataclass(frozen=True)
class StoreGcConfig:
    """Compact small shards, drop duplicates, remove what killed runs left; readers never find the STORE away."""

    store: Positional[str]
    """The STORE: a folder or an fsspec URL."""
    now: bool = False
    """Also remove what is younger than a day: only when no process writes to the STORE or has it open."""


StoreConfig = (
    Annotated[StoreInfoConfig, tyro.conf.subcommand("info")]
    | Annotated[StoreMergeConfig, tyro.conf.subcommand("merge")]
    | Annotated[StoreGcConfig, tyro.conf.subcommand("gc")]
)


def check(config: CheckConfig) -> None:
    """Print every fault with its remedy, and raise LiftError when there is one."""
    place = Place(config.place)
    kinds = [kind for kind in KINDS if place.exists(f"{kind}.json")]
    if not kinds:
        raise LiftError(
            f"{place} is none of {', '.join(kind.upper() for kind in KINDS)}",
            "give the folder of a finished artefact",
        )
    if kinds[0] == "store":
        opened = EmbeddingStore(place)
        found, what = list(opened.faults()), f"{len(opened):,} texts by {opened.facts}"
    elif kinds[0] == "dataset" and "shards" in manifest_of(place):
        opened_set = Dataset(place.name)
        found, what = (
            list(opened_set.faults()),
            f"{len(opened_set):,} photos and all files as they were written",
        )
    elif kinds[0] == "index" and place.local is not None and checking.is_of_commits(place.local):
        found, photos = checking.faults(place.local)
        what = f"{photos:,} photos and all files as they were written"
    elif place.local is None:
        raise LiftError(f"{place} is a {kinds[0].upper()} on object storage", "check a local copy of it")
    else:
        sums = _sums(place.local, kinds[0])
        found = list(_faults(sums, kinds[0]))
        what = "every file as it was written" if sums else "but it was made before sums were kept"
    for fault in found:
        note(str(fault))
    if found:
        raise LiftError(f"{len(found)} faults in {place}", "see above, each with its remedy")
    say(f"{place}: {kinds[0].upper()} in order, {what}")


def _sums(folder: Path, kind: str) -> dict[Path, str]:
    """The files of an artefact other than a STORE, with the SHA-256 that its manifest has of them."""
    manifest = read_manifest(folder, kind)
    if kind == "run":
        named, folder = manifest["checkpoint"]["sha256"], folder / "checkpoint"
        return {folder / (n if "." in n else f"{n}.safetensors"): value for n, value in named.items()}
    return {folder / name: value for name, value in manifest.get("sha256", {}).items()}


def _faults(sums: dict[Path, str], kind: str) -> Iterator[LiftError]:
    """Files that are missing or not as their sum says."""
    remedy = f"bring back a copy, or make it again with `lift {VERB_OF[kind]} --overwrite`"
    for file, expected in sums.items():
        if not file.is_file():
            yield LiftError(f"{file} is missing", remedy)
        elif sha256_file(file) != expected:
            yield LiftError(f"{file} has changed since it was written", remedy)


def store(config: StoreInfoConfig | StoreMergeConfig | StoreGcConfig) -> None:
    """Run one of the verbs of the family."""
    if isinstance(config, StoreInfoConfig):
        store_info(config)
    elif isinstance(config, StoreMergeConfig):
        store_merge(config)
    else:
        store_gc(config)


def store_info(config: StoreInfoConfig) -> None:
    """Print a table of the runs in the STORE, and its sums."""
    opened = EmbeddingStore(config.store)
    rows = []
    for commit in opened.commits:
        made = commit.content
        names = ", ".join(one["name"] for one in made.get("datasets", [])) or "–"
        size = sum(sum(entry["bytes"]) for entry in made["shards"])
        rows.append([commit.name, names, f"{made['rows']:,}", len(made["shards"]), f"{size / 1e6:,.1f}"])
    show_table(f"{opened.folder}: {opened.facts}", ["run", "of", "texts", "shards", "MB"], rows)
    manifest = opened.manifest
    vectors, keys, texts = (sum(entry["bytes"][i] for entry in manifest["shards"]) for i in range(3))
    say(
        f"{len(opened):,} texts, {opened.dim} numbers each; {vectors / 1e6:,.1f} MB vectors, {keys / 1e6:,.1f} keys, "
        f"{texts / 1e6:,.1f} texts; {manifest['cut_texts']:,} texts cut; {manifest['seconds']:,.0f} s of encoding"
    )
    for made in (commit.content for commit in opened.commits if "int8" in commit.content):
        say(
            f"int8: recall@10 {made['int8']['recall@10']:.2%} of the encoder's own, "
            f"{made['int8']['queries']:,} queries"
        )
    if len(opened.duplicates):
        note(f"{len(opened.duplicates):,} texts are stored twice: `lift store gc {opened.folder}` drops them")


def store_merge(config: StoreMergeConfig) -> EmbeddingStore:
    """Make the merged STORE; returns it opened."""
    if len(config.stores) < 2:
        raise LiftError("one STORE alone cannot be merged", "name two or more")
    commit = merge([Place(where) for where in config.stores], Place(config.out))
    say(f"{config.out}: {commit.content['rows']:,} distinct texts of {len(config.stores)} STOREs")
    return EmbeddingStore(config.out)


def store_gc(config: StoreGcConfig) -> None:
    """Compact and sweep one STORE; says what changed."""
    place = Place(config.store)
    before = EmbeddingStore(place)
    commit = compact(place)
    gone = sweep(place, least_age=0.0 if config.now else DAY)
    if commit is not None:
        say(
            f"{place}: {len(before.manifest['shards']):,} shards became {len(commit.shards):,}, "
            f"{len(before.duplicates):,} duplicates dropped"
        )
        if not config.now:
            note("the old shards stay for a day, for those who have the STORE open; then gc removes them")
    say(f"{place}: {gone.files:,} files of {gone.bytes_ / 1e6:,.1f} MB removed")
