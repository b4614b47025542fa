"""STOREs without an encoder: the vector of a text is drawn from its key, so any process makes the same one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lift.fingerprint import Fingerprint
from lift.place import Place
from lift.store import Commit, EmbeddingStore, Plan, StoreFacts, StoreWriter, plan_shards, text_key

PRINT = Fingerprint("toy", "toy", "w", "t", "", "mean", 8, True, 8, "float32")


def vectors_of(texts: Sequence[str], dim: int = 8) -> np.ndarray:
    """Unit vectors float32 (n, D), each a function of its text."""
    rows = [np.random.default_rng(list(text_key(text))).normal(size=dim) for text in texts]
    drawn = np.array(rows, np.float32).reshape(len(texts), dim)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def words(first: int, last: int) -> list[str]:
    """Texts by number."""
    return [f"text {number}" for number in range(first, last)]


def plan(
    place: Path | str | Place,
    texts: Sequence[str],
    *,
    dtype: str = "float16",
    shard_rows: int = 10,
    overwrite: bool = False,
    fingerprint: Fingerprint = PRINT,
) -> Plan:
    """The plan of a run named by its texts."""
    return plan_shards(
        Place(place),
        texts,
        facts=StoreFacts(fingerprint, dtype),
        request={"texts": list(texts), "dtype": dtype},
        shard_rows=shard_rows,
        overwrite=overwrite,
    )


def write_planned(place: Path | str | Place, planned: Plan) -> Commit:
    """Write what is not there yet, and commit."""
    writer = StoreWriter(place, planned)
    for number in range(len(planned)):
        if not writer.has(number):
            writer.write(number, planned.shard(number), vectors_of(planned.shard(number)), 0.5, tokens=3)
    return writer.commit(flops_per_token=1.0, datasets=[{"name": "toy", "id": "toy"}])


def make_store(place: Path | str | Place, texts: Sequence[str], **options: object) -> EmbeddingStore:
    """Append `texts` to the STORE at `place`, new or not."""
    planned = plan(place, texts, **options)  # type: ignore[arg-type]
    if len(planned):
        write_planned(place, planned)
    else:
        StoreWriter(place, planned).settle()
    return EmbeddingStore(place)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes; of a commit all but the seconds."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in found:
        if name.startswith("commits/") and name.endswith(".json"):
            content = json.loads(found[name])
            content.pop("seconds")
            found[name] = json.dumps(content).encode()
    return found
