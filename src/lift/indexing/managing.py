"""`lift manage`: what is in an INDEX; deleting, snapshots, another model, near-duplicates, tidying."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

from lift.artefact import read_manifest
from lift.catalogue import approximate, changing
from lift.catalogue.view import open_view
from lift.console import note, say, show_table
from lift.errors import LiftError, UsageError
from lift.indexing.folder import Index
from lift.indexing.reindexing import read_pending, reindex, switch
from lift.model import load


@dataclass(frozen=True)
class InfoConfig:
    """Tell what is in an INDEX: photos, model, fields, segments, snapshots, bytes."""

    index: Positional[Path]
    """The INDEX folder."""


@dataclass(frozen=True)
class DeleteConfig:
    """Take photos out of an INDEX by their keys; their files stay."""

    index: Positional[Path]
    """The INDEX folder."""
    keys: Positional[tuple[str, ...]]
    """Keys as `lift search --json` shows them."""


@dataclass(frozen=True)
class SnapshotConfig:
    """Keep the state of an INDEX under a name, to return to with `lift manage rollback`."""

    index: Positional[Path]
    """The INDEX folder."""
    name: Positional[str]
    """A name for it."""
    drop: bool = False
    """Forget the snapshot of this name instead."""


@dataclass(frozen=True)
class RollbackConfig:
    """Return to the state that a snapshot keeps."""

    index: Positional[Path]
    """The INDEX folder."""
    name: Positional[str]
    """Name of the snapshot; `lift manage info` lists them."""


@dataclass(frozen=True)
class ReindexConfig:
    """Encode all photos with another model, beside the vectors in use; `lift manage switch` then goes over to it."""

    index: Positional[Path]
    """The INDEX folder."""
    run: Path
    """Folder of the other model."""
    restart: bool = False
    """Throw away a second line that was begun with yet another model."""


@dataclass(frozen=True)
class SwitchConfig:
    """Go over to the model of `lift manage reindex`, in one step; the old state is kept as a snapshot."""

    index: Positional[Path]
    """The INDEX folder."""
    drop_missing: bool = False
    """Go on without the photos that could not be read for the new model."""


@dataclass(frozen=True)
class DuplicatesConfig:
    """Groups of photos that look nearly the same to the model; every pair is compared."""

    index: Positional[Path]
    """The INDEX folder."""
    threshold: float = 0.97
    """Cosine from which two photos count as the same; try some values, it depends on the model."""
    json: bool = False
    """Print one JSON list of keys per group, for other programs."""


@dataclass(frozen=True)
class ApproximateConfig:
    """Make the approximate index of a large INDEX; `lift index` and `lift watch` do so by themselves."""

    index: Positional[Path]
    """The INDEX folder."""


@dataclass(frozen=True)
class GcConfig:
    """Make one segment of all, and remove files that no state needs; readers are not disturbed."""

    index: Positional[Path]
    """The INDEX folder."""
    now: bool = False
    """Also what is younger than a day, and unnamed earlier states: only when no process has the INDEX open."""


ManageConfig = (
    Annotated[InfoConfig, tyro.conf.subcommand("info")]
    | Annotated[DeleteConfig, tyro.conf.subcommand("delete")]
    | Annotated[SnapshotConfig, tyro.conf.subcommand("snapshot")]
    | Annotated[RollbackConfig, tyro.conf.subcommand("rollback")]
    | Annotated[ReindexConfig, tyro.conf.subcommand("reindex")]
    | Annotated[SwitchConfig, tyro.conf.subcommand("switch")]
    | Annotated[DuplicatesConfig, tyro.conf.subcommand("duplicates")]
    | Annotated[ApproximateConfig, tyro.conf.subcommand("approximate")]
    | Annotated[GcConfig, tyro.conf.subcommand("gc")]
)
AnyConfig = (
    InfoConfig
    | DeleteConfig
    | SnapshotConfig
    | RollbackConfig
    | ReindexConfig
    | SwitchConfig
    | DuplicatesConfig
    | ApproximateConfig
    | GcConfig
)


def manage(config: AnyConfig) -> None:
    """Run one verb of the family."""
    if isinstance(config, RollbackConfig):  # not opened first: the newest state may be damaged
        _rollback(config)
        return
    _RUN[type(config)](Index.open(config.index), config)


def _info(index: Index, config: InfoConfig) -> None:
    view, manifest = index.view, index.manifest
    source = manifest["source"]
    say(f"{index.folder}: {len(index):,} photos by {index.maker}, {manifest['dim']} numbers each")
    say(f"photos of: {source['folder'] or 'added one by one'}; state {view.commit.number}")
    if index.fields:
        say("fields: " + ", ".join(f"{name} ({kind})" for name, kind in sorted(index.fields.items())))
    entries = zip(view.segments, view.commit.segments, strict=False)
    rows = [
        [segment.name, f"{segment.live:,}", f"{len(segment.deleted):,}", f"{entry['bytes'] / 1e6:,.1f}"]
        for segment, entry in entries
    ]
    if rows:
        show_table("segments", ["name", "photos", "deleted", "MB"], rows)
    for name, number in index.snapshots().items():
        say(f"snapshot {name}: state {number}")
    if pending := read_pending(index.folder):
        done = sum(entry["rows"] for entry in pending["segments"])
        say(f"second line by {pending['model']['id']}: {done:,} photos encoded")
    near = approximate.Approximate.open(view)
    if near is not None:
        say(
            f"approximate index: {near.facts['lists']:,} lists, {near.facts['probed']} of them probed, recall@10 "
            f"{near.facts['recall@10']:.1%} when made; {near.uncovered:.0%} of the photos are newer"
        )


def _delete(index: Index, config: DeleteConfig) -> None:
    if not config.keys:
        raise UsageError("no key was given", "`lift search --json` shows keys")
    unknown = [key for key in config.keys if key not in index]
    say(f"{index.delete(config.keys)} photos taken out; {len(index):,} left")
    if unknown:
        raise LiftError(
            f"{len(unknown)} keys were not there: {', '.join(unknown[:5])}", "check their spelling"
        )


def _snapshot(index: Index, config: SnapshotConfig) -> None:
    if config.drop:
        index.drop_snapshot(config.name)
        say(f"snapshot {config.name} forgotten")
        return
    index.snapshot(config.name)
    say(f"snapshot {config.name}: {len(index):,} photos")


def _rollback(config: RollbackConfig) -> None:
    if read_manifest(config.index, "index")["format"] == 1:
        changing.writable(Index.open(config.index).view)
    changing.restore(config.index, None, config.name)
    index = Index.open(config.index)
    say(f"{index.folder} is as it was at {config.name}: {len(index):,} photos by {index.maker}")


def _reindex(index: Index, config: ReindexConfig) -> None:
    changing.writable(index.view)
    line = reindex(index.folder, load(config.run), restart=config.restart)
    for item in line.set_aside[:5]:
        note(f"set aside: {item.file}: {item.reason} ({item.remedy})")
    say(
        f"{line.encoded:,} photos encoded, {len(line.set_aside)} could not be read; "
        f"go over with `lift manage switch {index.folder}`"
    )


def _switch(index: Index, config: SwitchConfig) -> None:
    changing.writable(index.view)
    view, name = switch(index.folder, drop_missing=config.drop_missing)
    approximate.keep_fresh(view)
    opened = Index.open(index.folder)
    say(f"{opened!r}; back with `lift manage rollback {index.folder} {name}`")


def _duplicates(index: Index, config: DuplicatesConfig) -> None:
    if not 0 < config.threshold <= 1:
        raise UsageError(f"--threshold must be above 0 and at most 1, not {config.threshold}", "try 0.97")
    groups = index.near_duplicates(config.threshold)
    for number, group in enumerate(groups, start=1):
        if config.json:
            say(json.dumps([match.key for match in group], ensure_ascii=False))
            continue
        say(f"group {number}")
        for match in group:
            say(f"  {match.score:6.3f}  {match.path}")
    if not config.json:
        photos = sum(map(len, groups))
        say(f"{len(groups):,} groups with {photos:,} of {len(index):,} photos")


def _approximate(index: Index, config: ApproximateConfig) -> None:
    facts = approximate.make(index.view)
    say(
        f"{facts['lists']:,} lists, {facts['probed']} of them probed for a recall@10 of {facts['recall@10']:.1%}, "
        f"{facts['bytes'] / 1e6:,.0f} MB; used from {approximate.EXACT_UP_TO:,} photos on"
    )


def _gc(index: Index, config: GcConfig) -> None:
    swept = changing.tidy(index.folder, index.view, now=config.now)
    view = open_view(index.folder)
    say(f"{len(view.segments)} segments; {swept.files:,} files of {swept.bytes_ / 1e6:,.1f} MB removed")
    if not config.now:
        note("what is younger than a day stays, for those who have the INDEX open; a later gc removes it")


_RUN: dict[type, Callable[[Index, Any], None]] = {
    InfoConfig: _info,
    DeleteConfig: _delete,
    SnapshotConfig: _snapshot,
    ReindexConfig: _reindex,
    SwitchConfig: _switch,
    DuplicatesConfig: _duplicates,
    ApproximateConfig: _approximate,
    GcConfig: _gc,
}
