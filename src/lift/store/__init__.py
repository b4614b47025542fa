"""STORE: text vectors by text, written once, tied to the encoder that made them; docs/store.md tells the layout."""

from lift.store.combining import combine, compact, merge, sweep
from lift.store.commits import Commit, StoreFacts, read_commits, read_facts
from lift.store.conditions import read_conditioning, write_conditioning
from lift.store.planning import Plan, plan_shards
from lift.store.reading import EmbeddingStore
from lift.store.shards import check_vectors, text_key, text_keys
from lift.store.writing import StoreWriter

__all__ = [
    "Commit",
    "EmbeddingStore",
    "Plan",
    "StoreFacts",
    "StoreWriter",
    "check_vectors",
    "combine",
    "compact",
    "merge",
    "plan_shards",
    "read_commits",
    "read_conditioning",
    "read_facts",
    "sweep",
    "text_key",
    "text_keys",
    "write_conditioning",
]
