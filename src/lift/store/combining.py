"""Rewriting shards by key range: merging STOREs, compacting one, and taking away what nobody needs any more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lift.artefact import digest
from lift.errors import LiftError
from lift.place import Place
from lift.store.commits import (
    COMMITS,
    FORMAT,
    SUMS,
    Commit,
    StoreFacts,
    all_commits,
    drop_replaced,
    read_commits,
    read_facts,
    standing_commits,
    total,
)
from lift.store.conditions import file_of, read_conditioning, write_conditioning
from lift.store.lookup import Lookup, Shard
from lift.store.opening import open_for_writing
from lift.store.planning import PLANS
from lift.store.shards import FILES, FOLDER, KEY_BYTES, key_order
from lift.store.writing import RunFiles

SHARD_BYTES = 128 << 20  # of a shard written here; several copies of it are in memory at once
SHARD_ROWS = 1 << 18
DAY = 24 * 3600.0


class Swept(NamedTuple):
    """What `sweep` took away."""

    files: int
    bytes_: int


def rows_per_shard(facts: StoreFacts) -> int:
    """Rows of a shard written here: 262,144, fewer when the vectors are long."""
    row = np.dtype(facts.dtype).itemsize * facts.dim + KEY_BYTES
    return max(1, min(SHARD_ROWS, SHARD_BYTES // row))


def combined_run(commits: Sequence[Commit], shard_rows: int) -> str:
    """The name of the run that makes one commit of `commits`."""
    parts = [[commit.name, [entry["sha256"] for entry in commit.shards]] for commit in commits]
    return digest({"combined": parts, "shard_rows": shard_rows})


class _Source:
    """One commit, read from its lowest key to its highest."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self._texts: tuple[Shard | None, list[str]] = (None, [])

    def _texts_of(self, shard: Shard) -> list[str]:
        if self._texts[0] is not shard:
            self._texts = (shard, shard.texts())
        return self._texts[1]

    def between(self, low: int, high: int) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
        """Keys, vectors and texts whose leading key half is in [low, high)."""
        keys: list[np.ndarray] = []
        vectors: list[np.ndarray] = []
        texts: list[str] = []
        for shard in self.shards:
            if int(shard.entry["last"][:16], 16) < low or int(shard.entry["first"][:16], 16) >= high:
                continue
            begin = np.searchsorted(shard.keys[0], np.uint64(low))
            end = shard.rows if high >= 1 << 64 else np.searchsorted(shard.keys[0], np.uint64(high))
            if begin < end:
                keys.append(shard.keys[:, begin:end])
                vectors.append(shard.vectors[begin:end])
                texts += self._texts_of(shard)[begin:end]
        return keys, vectors, texts


def _sources(lookup: Lookup) -> Iterator[_Source]:
    """One source for each commit."""
    start = 0
    for commit in lookup.commits:
        yield _Source(lookup.shards[start : start + len(commit.shards)])
        start += len(commit.shards)


def combine(
    lookups: Sequence[Lookup],
    place: Place,
    facts: StoreFacts,
    *,
    replaces: Sequence[str] = (),
    shard_rows: int | None = None,
) -> Commit:
    """Write all commits of `lookups` as one commit at `place`, by key range, so that memory stays at one shard.

    The first that holds a text gives its vector, byte for byte. Goes on where a killed call of the same stopped.
    """
    commits = [commit for lookup in lookups for commit in lookup.commits]
    rows = sum(lookup.rows for lookup in lookups)
    per_shard = shard_rows or rows_per_shard(facts)
    run = combined_run(commits, per_shard)
    files = RunFiles(place, run)
    for lookup in lookups:
        for shard in lookup.shards:
            shard.verify()  # a flipped bit must not get a fresh checksum
    sources = [source for lookup in lookups for source in _sources(lookup)]
    ranges = max(1, -(-rows // per_shard))  # hashes are spread evenly: equal ranges hold about equally many
    edges = [(1 << 64) * number // ranges for number in range(ranges + 1)]
    written = 0
    for low, high in itertools.pairwise(edges):
        written += _write_range(files, written, sources, low, high)
    entries = [side["entry"] for side in files.sides(written)]
    contents = [commit.content for commit in commits]
    content: dict[str, Any] = {
        "format": FORMAT,
        **facts.asdict(),
        "rows": sum(entry["rows"] for entry in entries),
        "shards": entries,
        **{name: total(contents, name) for name in SUMS},
        "max_tokens": facts.fingerprint.max_tokens,
        "datasets": [made for one in contents for made in one.get("datasets", [])],
        **next(({"int8": one["int8"]} for one in contents if "int8" in one), {}),
        "request": {"combined": [commit.name for commit in commits], "shard_rows": per_shard},
        "against": [],
        "replaces": list(replaces),
        "contains": list(replaces),
        "generation": max((c.content["generation"] for c in commits), default=0) + 1 if replaces else 0,
    }
    commit = files.commit(content)
    files.tidy()
    return commit


def _write_range(files: RunFiles, number: int, sources: Sequence[_Source], low: int, high: int) -> int:
    """Write the rows of one key range as shard `number`; returns 1, or 0 when there are none."""
    side = files.finished(number)
    if side is not None and side["range"] == [low, high]:
        return 1
    parts = [source.between(low, high) for source in sources]
    all_keys = [keys for part in parts for keys in part[0]]
    if not all_keys:
        return 0
    keys = np.concatenate(all_keys, axis=1)
    vectors = np.concatenate([rows for part in parts for rows in part[1]])
    texts = [text for part in parts for text in part[2]]
    order = key_order(keys)  # stable: of equal keys the earlier source comes first
    keys = keys[:, order]
    keep = np.ones(len(order), bool)
    keep[1:] = (keys[:, 1:] != keys[:, :-1]).any(0)
    chosen = order[keep]
    files.write(
        number,
        np.ascontiguousarray(keys[:, keep]),
        vectors[chosen],
        [texts[i] for i in chosen],
        {"range": [low, high]},
    )
    return 1


def compact(place: Place, *, shard_rows: int | None = None) -> Commit | None:
    """One commit of large shards without duplicates in place of many; None when the STORE is fine as it is.

    The new commit replaces the others in one moment. Their files stay for readers that have the STORE open, until
    `sweep` finds the replacement a day old.
    """
    commits = standing_commits(place)
    lookup = Lookup(place, commits)
    facts = commits[0].facts
    ideal = -(-lookup.rows // (shard_rows or rows_per_shard(facts)))
    if not len(lookup.duplicates) and len(lookup.shards) <= 2 * ideal:
        return None
    names = [commit.name for commit in commits]
    return combine([lookup], place, facts, replaces=names, shard_rows=shard_rows)


def merge(sources: Sequence[Place], out: Place, *, shard_rows: int | None = None) -> Commit:
    """All texts of several STOREs in a new one at `out`; where two hold a text, the first one's vector counts.

    Raises LiftError when their encoders or dtypes differ, or `out` is another STORE already.
    """
    lookups = [Lookup(place, standing_commits(place)) for place in sources]
    facts = [lookup.commits[0].facts for lookup in lookups]
    for place, other in zip(sources[1:], facts[1:], strict=True):
        if not other.fits(facts[0]):
            raise LiftError(
                f"{sources[0]} holds vectors of {facts[0]}, {place} of {other}: they must not be mixed",
                "embed the texts of one of them again with the encoder and dtype of the other",
            )
    commits = [commit for lookup in lookups for commit in lookup.commits]
    run = combined_run(commits, shard_rows or rows_per_shard(facts[0]))
    for commit in read_commits(out):
        if commit.name != run:
            raise LiftError(f"{out} is a STORE already, of other texts", "give another --out")
        RunFiles(out, run).tidy()
        return commit
    open_for_writing(out, facts[0])
    conditioning = read_conditioning(sources[0])
    if conditioning is not None:
        write_conditioning(out, conditioning)
    return combine(lookups, out, facts[0], shard_rows=shard_rows)


def sweep(place: Place, *, least_age: float = DAY) -> Swept:
    """Remove commits whose replacement is `least_age` seconds old, and leftovers to which nothing was added since.

    The age of a run's newest file decides over all of its files: a run that is under way keeps its first shards.
    """
    drop_replaced(place, least_age=least_age)
    listed = {entry["name"] for commit in all_commits(place) for entry in commit.shards}
    runs: dict[str, list[str]] = {}
    for name in place.names(PLANS):
        runs.setdefault(name.removesuffix(".json"), []).append(f"{PLANS}/{name}")
    for name in place.names(FOLDER):
        if not any(name.endswith(f".{file}") and name.removesuffix(f".{file}") in listed for file in FILES):
            runs.setdefault(name.partition("-")[0], []).append(f"{FOLDER}/{name}")
    for name in unused_conditionings(place):
        runs.setdefault(name, []).append(name)
    for folder in ("", FOLDER, COMMITS, PLANS):
        for name, may_live in place.leftovers(folder):
            path = f"{folder}/{name}" if folder else name
            runs.setdefault(path if may_live else "", []).append(path)
    gone = Swept(0, 0)
    for run, names in runs.items():
        if run and min(place.age(name) for name in names) < least_age:
            continue
        for name in names:
            gone = Swept(gone.files + 1, gone.bytes_ + place.size(name))
            place.remove(name)
    return gone


def unused_conditionings(place: Place) -> list[str]:
    """Files of conditionings that neither store.json nor a commit names."""
    facts = [commit.facts for commit in all_commits(place)]
    if (standing := read_facts(place)) is not None:
        facts.append(standing)
    used = {file_of(one.fingerprint.post_processing) for one in facts}
    return [name for name in place.names() if name.startswith("conditioning-") and name not in used]
