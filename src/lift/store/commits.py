"""What makes a folder a STORE: its facts, written first, and its commits, each the end of one run.

    store.json             format, kind, fingerprint, dim, dtype: what every vector in the STORE has in common
    commits/<run>.json     the shards of one run of `lift embed` (or of gc, merge), with rows, key range and SHA-256

A commit is one file, written last; what no commit lists is not there for a reader. A commit that `replaces` others
takes their place in the same moment, whether their files are still there or not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lift.artefact import VERB_OF
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.place import Place
from lift.store.shards import file_names

FORMAT = 2
FACTS, COMMITS = "store.json", "commits"
OF_FACTS = ("fingerprint", "dtype")
OF_COMMIT = (*OF_FACTS, "rows", "shards", "request", "against", "replaces", "generation")


def json_bytes(value: Any) -> bytes:
    """Indented UTF-8 JSON; equal values give equal bytes."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class StoreFacts:
    """What all vectors of a STORE have in common; `dtype` is float16, float32 or int8."""

    fingerprint: Fingerprint
    dtype: str

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.fingerprint.dim

    def asdict(self) -> dict[str, Any]:
        """As written into store.json and every commit."""
        return {"fingerprint": self.fingerprint.asdict(), "dim": self.dim, "dtype": self.dtype}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> StoreFacts:
        """The inverse of `asdict`."""
        return cls(Fingerprint.from_dict(value["fingerprint"]), value["dtype"])

    def fits(self, other: StoreFacts) -> bool:
        """May vectors of both lie in one STORE? Not when an endpoint's model has changed behind its name."""
        return self.fingerprint.matches(other.fingerprint) and self.dtype == other.dtype

    def __str__(self) -> str:
        return f"{self.fingerprint}, {self.dtype}"


@dataclass(frozen=True)
class Commit:
    """One finished run: `name`, and the JSON of its file."""

    name: str
    content: dict[str, Any]

    @property
    def shards(self) -> list[dict[str, Any]]:
        """Its shards, by ascending keys."""
        shards: list[dict[str, Any]] = self.content["shards"]
        return shards

    @property
    def facts(self) -> StoreFacts:
        """Encoder and number type of its vectors."""
        return StoreFacts.from_dict(self.content)

    def excludes(self, other: Commit) -> bool:
        """True when no text of `other` can be in this one, because it was planned knowing `other`."""
        known = set(self.content["against"])
        parts = other.content.get("contains", [])  # of a commit that gc made from others
        return other.name in known or bool(parts and known.issuperset(parts))

    def replaces(self, other: Commit) -> bool:
        """True when this commit takes the place of `other`; a later commit of the same name is not meant."""
        named = other.name in self.content["replaces"]
        earlier: bool = other.content["generation"] < self.content["generation"]
        return named and earlier


SUMS = ("seconds", "tokens", "flops", "cut_texts")


def total(parts: Sequence[dict[str, Any]], name: str) -> Any:
    """Sum of a number over shards or commits; None when it is not known of one of them."""
    values = [part.get(name, 0) for part in parts]
    return None if None in values else sum(values)


def damaged(place: Place, what: str) -> LiftError:
    """The error for a STORE whose files are not what they were."""
    return LiftError(
        f"{place} is damaged: {what}",
        "run `lift check` for every fault; bring back a copy, or make it again with `lift embed --overwrite`",
    )


def read_json(place: Place, name: str) -> dict[str, Any]:
    """A JSON object of the STORE; LiftError when it is none."""
    try:
        value = json.loads(place.read(name))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise damaged(place, f"{name} cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise damaged(place, f"{name} holds no object")
    return value


def require(place: Place, name: str, value: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """`value`, the content of the file `name`; LiftError when a field that readers rely on is missing."""
    missing = [field for field in fields if field not in value]
    if missing:
        raise damaged(place, f"{name} lacks {', '.join(missing)}")
    return value


def read_facts(place: Place) -> StoreFacts | None:
    """The facts of a STORE, finished or not; None where there is none. LiftError for another format."""
    try:
        value = read_json(place, FACTS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if value.get("format") != FORMAT:
        older = value.get("format") == 1
        raise LiftError(
            f"{place}/{FACTS} is of format {value.get('format')!r}, this version knows {FORMAT}",
            "embed again with --overwrite: this version keeps STOREs in another layout"
            if older
            else "update lift, or make the STORE again with this version",
        )
    return StoreFacts.from_dict(require(place, FACTS, value, OF_FACTS))


def write_facts(place: Place, facts: StoreFacts) -> None:
    """Write store.json."""
    place.write(FACTS, json_bytes({"format": FORMAT, "kind": "store", **facts.asdict()}))


def all_commits(place: Place) -> list[Commit]:
    """Every commit file, by name, replaced ones as well."""
    found = []
    for name in place.names(COMMITS):
        if name.endswith(".json"):
            try:
                file = f"{COMMITS}/{name}"
                content = require(place, file, read_json(place, file), OF_COMMIT)
                found.append(Commit(name.removesuffix(".json"), content))
            except FileNotFoundError:  # replaced and swept between the listing and the reading
                continue
    return found


def effective(commits: Sequence[Commit]) -> list[Commit]:
    """Those of `commits` that no other one replaces."""
    return [one for one in commits if not any(other.replaces(one) for other in commits)]


def read_commits(place: Place) -> list[Commit]:
    """The commits that make up the STORE, by name; the first that holds a text gives its vector."""
    return effective(all_commits(place))


def drop_replaced(place: Place, *, least_age: float = 0.0, before: Sequence[Commit] = ()) -> None:
    """Remove commits whose replacement is `least_age` seconds old, their files first.

    before: what commits held that were written anew under the same name. Oldest first: what replaced a commit must
    stay until that commit is gone, or it would come back.
    """
    everything = all_commits(place)
    gone = []
    for commit in sorted(everything, key=lambda one: one.content["generation"]):
        by = [other for other in everything if other.replaces(commit)]
        if any(place.age(f"{COMMITS}/{other.name}.json") >= least_age for other in by):
            gone.append(commit)
    names = {commit.name for commit in gone}
    listed = {entry["name"] for one in everything if one.name not in names for entry in one.shards}
    for commit in (*before, *gone):
        for entry in commit.shards:
            if entry["name"] not in listed:
                for name in file_names(entry):
                    place.remove(name)
    for commit in gone:
        place.remove(f"{COMMITS}/{commit.name}.json")


def standing_commits(place: Place) -> list[Commit]:
    """As `read_commits`; LiftError when there is none, or they are of different encoders."""
    if read_facts(place) is None or not (commits := read_commits(place)):
        raise not_a_store(place)
    for commit in commits[1:]:
        if not commit.facts.fits(commits[0].facts):
            raise damaged(
                place,
                f"it holds vectors of {commits[0].facts} and of {commit.facts}, which must not be mixed",
            )
    return commits


def not_a_store(place: Place) -> LiftError:
    """The error for a place without a finished STORE, saying what is there instead."""
    kinds = [kind for kind in VERB_OF if kind != "store" and place.exists(f"{kind}.json")]
    if kinds:
        found = f"it is a {kinds[0].upper()}"
    elif place.exists(FACTS):
        found = "it holds an unfinished run of `lift embed`, which goes on when it is given again"
    elif place.is_empty():
        found = "there is nothing there"
    else:
        found = "it holds no finished artefact of lift"
    return LiftError(
        f"{place} is not a STORE: {found}",
        f"make one with `lift embed … --out {place}`, or give the place of one",
    )
