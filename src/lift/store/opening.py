"""Opening a place for writing: a new STORE, or one of the same encoder and dtype; nothing else is touched."""

from __future__ import annotations

from lift.errors import LiftError
from lift.place import Place
from lift.store.commits import (
    FACTS,
    StoreFacts,
    all_commits,
    effective,
    read_facts,
    read_json,
    write_facts,
)


def refuse_other(place: Place, facts: StoreFacts, *, overwrite: bool) -> None:
    """Raise LiftError, naming both, when the STORE's encoder or dtype is not that of `facts`."""
    standing = effective(all_commits(place))
    # After a killed --overwrite store.json may still tell of what was replaced: the commits count.
    found = standing[0].facts if standing else read_facts(place)
    if found is None or found.fits(facts) or overwrite:
        return
    changed = "dtype" if found.fingerprint.matches(facts.fingerprint) else "encoder"
    raise LiftError(
        f"the STORE {place} holds vectors of {found}, not of {facts} (other {changed})",
        f"give another --out, the same --{changed} as before, or add --overwrite to replace what is there",
    )


def open_for_writing(place: Place, facts: StoreFacts, *, overwrite: bool = False) -> None:
    """Make sure that `place` is a STORE of these facts, a new one if need be.

    Raises LiftError when it holds something that is not lift's, or vectors of another encoder or dtype. With
    `overwrite` those may be replaced, and stay until the new run is committed.
    """
    if place.local is not None and place.local.exists() and not place.local.is_dir():
        raise LiftError(f"{place} is a file", "give a folder as --out")
    if overwrite:
        _remove_format_1(place)
    found = read_facts(place)
    if found is None and not place.is_empty() and not _only_leftovers(place):
        raise LiftError(f"{place} exists and is not a STORE", "give another --out")
    refuse_other(place, facts, overwrite=overwrite)
    if found is None or (not found.fits(facts) and not effective(all_commits(place))):
        write_facts(place, facts)


def _only_leftovers(place: Place) -> bool:
    """True for a folder in which a process was killed before it had written store.json."""
    if place.local is None:
        return False
    mine = {name for name, _ in place.leftovers("") if name.startswith(f".{FACTS}.")}
    return {entry.name for entry in place.local.iterdir()} == mine


def _remove_format_1(place: Place) -> None:
    """Remove the files of a STORE in the layout of the first version, its manifest last."""
    try:
        value = read_json(place, FACTS)
    except (FileNotFoundError, NotADirectoryError):
        return
    if value.get("format") == 1:
        for shard in value["shards"]:
            place.remove(shard["vectors"])
            place.remove(shard["texts"])
        place.remove(FACTS)
