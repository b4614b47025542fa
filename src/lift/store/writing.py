"""Writing the shards of a plan, by one process or many, and committing them.

shards/<run>-<number>.json    declares one shard finished; written behind its files, gone after the commit
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lift.errors import LiftError
from lift.place import Place
from lift.store.commits import (
    COMMITS,
    FACTS,
    FORMAT,
    Commit,
    StoreFacts,
    all_commits,
    drop_replaced,
    json_bytes,
    read_json,
    total,
    write_facts,
)
from lift.store.opening import refuse_other
from lift.store.planning import PLANS, Plan, keys_digest
from lift.store.shards import (
    FILES,
    FOLDER,
    check_vectors,
    file_names,
    recall_of_int8,
    text_keys,
    to_dtype,
    write_shard,
)

JUDGED_ROWS, JUDGED_QUERIES = 20_000, 1_000  # the sample on which the recall of int8 is measured


class RunFiles:
    """The shards that one run has finished, and its commit; `prefix` begins their names, with the run's."""

    def __init__(self, place: Place, run: str, prefix: str = "") -> None:
        self.place, self.run, self.prefix = place, run, prefix or run

    def _side(self, number: int) -> str:
        return f"{FOLDER}/{self.prefix}-{number:05d}.json"

    def finished(self, number: int) -> dict[str, Any] | None:
        """What is known of shard `number` when it is finished and undamaged."""
        try:
            side = read_json(self.place, self._side(number))
            entry = side["entry"]
            for name, expected in zip(file_names(entry), entry["sha256"], strict=True):
                if self.place.sha256(name) != expected:
                    return None
        except (FileNotFoundError, LiftError):
            return None
        return side

    def write(
        self, number: int, keys: np.ndarray, vectors: np.ndarray, texts: Sequence[str], facts: dict[str, Any]
    ) -> None:
        """Write shard `number`, rows sorted by key, and declare it finished; `facts` are kept beside it."""
        entry = write_shard(self.place, self.prefix, number, keys, vectors, texts)
        self.place.write(self._side(number), json_bytes({"entry": entry, **facts}))

    def sides(self, count: int) -> list[dict[str, Any]]:
        """What is known of all `count` shards; LiftError when one is not finished."""
        there = set(self.place.names(FOLDER))
        missing = [n for n in range(count) if self._side(n).rpartition("/")[2] not in there]
        if not missing:
            sides = [read_json(self.place, self._side(number)) for number in range(count)]
            files = [name.rpartition("/")[2] for side in sides for name in file_names(side["entry"])]
            missing = [n // len(FILES) for n, name in enumerate(files) if name not in there]
        if missing:
            raise LiftError(
                f"{len(missing)} of {count} shards of the run {self.run} at {self.place} are not finished",
                "run the same command again",
            )
        return sides

    def commit(self, content: dict[str, Any]) -> Commit:
        """Write the commit: from now on readers see the run."""
        self.place.write(f"{COMMITS}/{self.run}.json", json_bytes(content))
        return Commit(self.run, content)

    def tidy(self) -> None:
        """Remove the run's plan, declarations of finished shards, and what killed processes left of it."""
        for name in self.place.names(FOLDER):
            if name.startswith(self.run) and name.endswith(".json"):
                self.place.remove(f"{FOLDER}/{name}")
        for folder in ("", FOLDER, COMMITS, PLANS):
            for name, may_live in self.place.leftovers(folder):
                mine = name.startswith((f".{self.run}", f".{FACTS}"))
                if mine and not may_live:
                    self.place.remove(f"{folder}/{name}" if folder else name)
        self.place.remove(
            f"{PLANS}/{self.run}.json"
        )  # last: until then the same command knows that it is done


class StoreWriter:
    """Writes the shards of a plan into a STORE; every finished shard survives a kill.

    Any number of processes may write shards of one plan, each with a StoreWriter of its own; one of them commits.
    """

    def __init__(self, place: Place | str, plan: Plan) -> None:
        """Go on with `plan`, as recorded in the STORE at `place`."""
        self.place, self.plan = Place(place), plan
        self.facts = StoreFacts.from_dict(plan.facts)
        self.files = RunFiles(self.place, plan.run, plan.prefix)

    def has(self, number: int) -> bool:
        """True when shard `number` is finished, undamaged, and holds exactly the texts of the plan."""
        side = self.files.finished(number)
        return side is not None and side["keys"] == self.plan.shards[number]["keys"]

    def write(
        self,
        number: int,
        texts: Sequence[str],
        vectors: np.ndarray,
        seconds: float = 0.0,
        *,
        tokens: int | None = 0,
        cut_texts: int | None = 0,
    ) -> None:
        """Write shard `number`: the unit vectors (n, D) of its texts, in the order of the plan.

        seconds, tokens, cut_texts: what the encoder spent on them; the commit has the sums over all shards, kills or
        not. Raises LiftError when a vector is not finite and of unit length.
        """
        keys = text_keys(texts)
        if keys_digest(keys) != self.plan.shards[number]["keys"]:
            raise ValueError(f"these are not the texts of shard {number} in the order of the plan")
        check_vectors(np.asarray(vectors, np.float32), f"shard {number}")
        stored = to_dtype(np.asarray(vectors), self.facts.dtype)
        facts: dict[str, Any] = {
            "keys": keys_digest(keys),
            "seconds": seconds,
            "tokens": tokens,
            "cut_texts": cut_texts,
        }
        start = self.plan.starts[number]
        if (
            self.facts.dtype == "int8" and start < JUDGED_ROWS
        ):  # hashes order the rows: the first are a fair sample
            rows = min(len(texts), JUDGED_ROWS - start)
            queries = max(1, JUDGED_QUERIES * rows // min(JUDGED_ROWS, self.plan.rows))
            recall = recall_of_int8(np.asarray(vectors)[:rows], stored[:rows], queries)
            facts["int8"] = {"rows": rows, "queries": min(queries, rows), "recall@10": recall}
        self.files.write(number, keys, stored, texts, facts)

    def committed(self) -> Commit | None:
        """The commit of the run when it is there; another process may have been given the same command."""
        for commit in all_commits(self.place):
            if commit.name == self.plan.run and commit.content["generation"] == self.plan.generation:
                return commit
        return None

    def commit(self, *, flops_per_token: float = 0.0, **facts: Any) -> Commit:
        """Make the run's shards part of the STORE; `facts` (JSON) go into the commit.

        Raises LiftError when a shard is not finished, or the STORE has been given to another encoder meanwhile.
        """
        try:
            sides = self.files.sides(len(self.plan))
        except (FileNotFoundError, LiftError):
            made = self.committed()
            if made is None:
                raise
            self.settle()
            return made
        refuse_other(self.place, self.facts, overwrite=bool(self.plan.replaces))
        content = {
            "format": FORMAT,
            **self.facts.asdict(),
            "rows": self.plan.rows,
            "shards": [side["entry"] for side in sides],
            "seconds": round(sum(side["seconds"] for side in sides), 2),
            "tokens": (tokens := total(sides, "tokens")),
            "cut_texts": total(sides, "cut_texts"),
            "flops": None if tokens is None else float(flops_per_token * tokens),
            **facts,
            **_int8(sides),
            "request": self.plan.request,
            "against": self.plan.against,
            "replaces": self.plan.replaces,
            "generation": self.plan.generation,
        }
        before = [one for one in all_commits(self.place) if one.name == self.plan.run]
        commit = self.files.commit(content)
        self.settle(before)
        return commit

    def settle(self, before: Sequence[Commit] = ()) -> None:
        """After the commit: take away what it replaced, and the run's marks of progress. May be done again."""
        if self.plan.replaces:
            drop_replaced(self.place, before=before)
            write_facts(self.place, self.facts)
        self.files.tidy()


def _int8(sides: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall of int8 over the judged shards, as the commit tells it."""
    judged = [side["int8"] for side in sides if "int8" in side]
    if not judged:
        return {}
    queries = sum(one["queries"] for one in judged)
    mean = sum(one["recall@10"] * one["queries"] for one in judged) / queries
    rows = max(one["rows"] for one in judged)
    return {"int8": {"recall@10": round(mean, 5), "queries": queries, "rows": rows}}
