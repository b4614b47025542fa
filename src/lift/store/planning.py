"""Which texts one run of `lift embed` encodes, and in which shards: decided once, recorded, then followed.

    plans/<run>.json    the shards of a run that is under way: rows, key range and digest of the keys of each

The texts that the STORE lacks are sorted by key and cut every `shard_rows`. A killed run that is given again follows
the recorded plan, so it makes the same shards even when other runs have been committed meanwhile.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from lift.artefact import digest
from lift.errors import LiftError
from lift.place import Place
from lift.store.commits import Commit, StoreFacts, all_commits, effective, json_bytes, read_json
from lift.store.lookup import Lookup
from lift.store.opening import open_for_writing
from lift.store.shards import key_name, key_order, text_keys

PLANS = "plans"


@dataclass(frozen=True)
class Plan:
    """The shards of one run. A worker on another machine needs the STORE's place, `bare()`, and a shard's texts."""

    run: str
    """16 hexadecimal digits naming the run and its commit: the digest of `request`."""
    facts: dict[str, Any]
    """Encoder and dtype of its vectors: StoreFacts.asdict()."""
    request: dict[str, Any]
    against: list[str]
    """Commits whose texts were left out."""
    replaces: list[str]
    """Commits whose place it takes (--overwrite)."""
    generation: int
    """Grows by one with every replacement; see Commit.replaces."""
    shards: list[dict[str, Any]]
    """Rows, first and last key, and digest of the keys of each."""
    texts: list[str] = field(default_factory=list, repr=False)
    """All texts of the run, by ascending key; not part of the record."""

    def __len__(self) -> int:
        return len(self.shards)

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return self.starts[-1]

    @cached_property
    def starts(self) -> list[int]:
        """Rows before each shard, and of all."""
        return [0, *itertools.accumulate(shard["rows"] for shard in self.shards)]

    @cached_property
    def prefix(self) -> str:
        """What the names of its shards begin with: the run, and a digest of the plan.

        Two processes that are given the same command may plan differently, when a commit comes in between.
        """
        return f"{self.run}-{digest(self.record())[:8]}"

    def shard(self, number: int) -> list[str]:
        """The texts of shard `number`."""
        return self.texts[self.starts[number] : self.starts[number + 1]]

    def bare(self) -> Plan:
        """The plan without its texts, small enough to be sent to every worker."""
        return replace(self, texts=[])

    def record(self) -> dict[str, Any]:
        """The JSON of the recorded plan."""
        names = ("run", "facts", "request", "against", "replaces", "generation", "shards")
        return {name: getattr(self, name) for name in names}


def keys_digest(keys: np.ndarray) -> str:
    """16 hexadecimal digits over keys (2, n)."""
    return hashlib.sha256(np.ascontiguousarray(keys).tobytes()).hexdigest()[:16]


def _cut(keys: np.ndarray, shard_rows: int) -> list[dict[str, Any]]:
    """Rows, key range and digest of every shard of sorted keys (2, n)."""
    parts = [keys[:, start : start + shard_rows] for start in range(0, keys.shape[1], shard_rows)]
    return [
        {
            "rows": part.shape[1],
            "first": key_name(part, 0),
            "last": key_name(part, -1),
            "keys": keys_digest(part),
        }
        for part in parts
    ]


def plan_shards(
    place: Place,
    texts: Sequence[str],
    *,
    facts: StoreFacts,
    request: dict[str, Any],
    shard_rows: int,
    overwrite: bool = False,
) -> Plan:
    """The plan for those of `texts` that the STORE at `place` lacks (all of them with `overwrite`), recorded there.

    Makes the STORE when there is none. An unfinished run of the same request goes on with the plan it had. A plan
    without shards is not recorded: nothing is missing. Raises LiftError when the place holds something else, or
    vectors of another encoder or dtype.
    """
    open_for_writing(place, facts, overwrite=overwrite)
    run = digest(request)
    everything = all_commits(place)
    present = effective(everything)
    replaces = [commit.name for commit in present] if overwrite else []
    ordered, keys = _sorted_distinct(texts)

    old = _recorded(place, run)
    made = {commit.name: commit.content["generation"] for commit in present}.get(run)
    done = made is not None and (not overwrite or (old is not None and made == old["generation"]))

    def planned(against: Sequence[Commit], generation: int) -> Plan:
        absent = np.zeros(len(ordered), bool) if done else Lookup(place, against).find(keys) < 0
        return Plan(
            run=run,
            facts=facts.asdict(),
            request=request,
            against=[commit.name for commit in against],
            replaces=old["replaces"] if done and old else replaces,
            generation=generation,
            shards=_cut(keys[:, absent], shard_rows),
            texts=[ordered[i] for i in np.flatnonzero(absent)],
        )

    if old is not None and not done and bool(old["replaces"]) == bool(replaces):
        named = [commit for commit in everything if commit.name in set(old["against"])]
        again = replace(planned(named, old["generation"]), replaces=old["replaces"])
        if StoreFacts.from_dict(old["facts"]).fits(facts):  # the probes of a server are never twice the same
            again = replace(again, facts=old["facts"])
        if again.record() == old:
            return again
    highest = max((commit.content["generation"] for commit in present), default=0)
    plan = planned([] if overwrite else present, highest + bool(replaces))
    if plan.shards:
        place.write(f"{PLANS}/{run}.json", json_bytes(plan.record()))
    return plan


def _recorded(place: Place, run: str) -> dict[str, Any] | None:
    """The recorded plan of a run; None when there is none, or it cannot be read."""
    try:
        return read_json(place, f"{PLANS}/{run}.json")
    except (FileNotFoundError, LiftError):
        return None


def _sorted_distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Distinct texts by ascending key, and their keys (2, n)."""
    distinct = list(dict.fromkeys(texts))
    keys = text_keys(distinct)
    order = key_order(keys)
    return [distinct[i] for i in order], keys[:, order]
