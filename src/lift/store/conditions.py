"""The conditioning of a STORE's vectors, where there is one: a file beside store.json, named by the fingerprint."""

from __future__ import annotations

from lift.conditioning import Conditioning, pack, unpack
from lift.fingerprint import Fingerprint
from lift.place import Place
from lift.store.commits import damaged, read_facts


def file_of(name: str) -> str:
    """The file of a conditioning; its digest is in the name, so that a STORE that is replaced stays readable."""
    return f"conditioning-{name.rpartition(' ')[2]}.safetensors"


def read_conditioning(place: Place, fingerprint: Fingerprint | None = None) -> Conditioning | None:
    """The conditioning that the STORE's fingerprint names; None when it names none, or there is no STORE.

    Raises LiftError when its file is missing or has changed.
    """
    if fingerprint is None:
        facts = read_facts(place)
        if facts is None:
            return None
        fingerprint = facts.fingerprint
    if fingerprint.post_processing == "none":
        return None
    file = file_of(fingerprint.post_processing)
    try:
        return unpack(place.read(file), fingerprint.post_processing)
    except FileNotFoundError:
        raise damaged(place, f"{file} is missing") from None


def write_conditioning(place: Place, conditioning: Conditioning) -> None:
    """Write it, before the first commit."""
    place.write(file_of(conditioning.name), pack(conditioning))
