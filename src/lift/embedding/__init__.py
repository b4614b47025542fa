"""embed: DATASET -> STORE. Every distinct caption goes through the frozen text encoder once."""

from lift.embedding.shards import Encoded, encode_shard
from lift.embedding.stage import EmbedConfig, embed

__all__ = ["EmbedConfig", "Encoded", "embed", "encode_shard"]
