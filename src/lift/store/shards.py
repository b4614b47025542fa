"""One shard of a STORE: vectors, keys and texts of the same rows, in the order of the keys.

    shards/<name>.vectors.npy      (n, D) float16, float32, or int8 (a row's largest component is ±127)
    shards/<name>.keys.npy         (2, n) uint64: the two halves of each text's 16-byte key, ascending
    shards/<name>.texts.jsonl.zst  one JSON string a line; never read when a STORE is opened

The name ends in a digest of the contents, so that two writers meet in one file only when their bytes are equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any

import numpy as np

from lift.artefact import digest
from lift.errors import LiftError
from lift.place import Place, npy_parts

KEY_BYTES = 16
VECTORS, KEYS, TEXTS = "vectors.npy", "keys.npy", "texts.jsonl.zst"
FILES = (VECTORS, KEYS, TEXTS)
FOLDER = "shards"
TORCH_GRAIN = 32768  # elements from which torch uses several threads
NORM_TOLERANCE = 2e-3  # float16 rounding of a unit vector moves its length by less than this
ZSTD_LEVEL = (
    9  # Flickr8k captions of 55 bytes: 15.0 (level 1: 18.6; a Parquet column at 9: 15.9), 0.8 M texts/s
)


def text_key(text: str) -> bytes:
    """16 bytes naming a text by its UTF-8 content."""
    return hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest()


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """The keys of `texts` as numbers that sort as the bytes do: uint64 (2, n), first the leading halves."""
    joined = b"".join([hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest() for text in texts])
    return np.ascontiguousarray(np.frombuffer(joined, ">u8").reshape(-1, 2).T, dtype=np.uint64)


def key_order(keys: np.ndarray) -> np.ndarray:
    """Positions that sort keys (2, n), equal ones in their order: int64 (n,)."""
    return np.lexsort((keys[1], keys[0]))


def key_name(keys: np.ndarray, position: int) -> str:
    """One key of (2, n) as 32 hexadecimal digits."""
    return f"{int(keys[0, position]):016x}{int(keys[1, position]):016x}"


def check_vectors(vectors: np.ndarray, where: str) -> None:
    """Raise LiftError unless all rows are finite and of unit length; int8 rows must reach ±127 instead."""
    if vectors.dtype == np.int8:
        largest = np.abs(vectors.astype(np.int16)).max(-1) if vectors.size else np.zeros(0)
        bad = int((largest != 127).sum())
    else:
        wide = vectors.astype(np.float32, copy=False)
        norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        bad = int((~(np.abs(norms - 1) < NORM_TOLERANCE)).sum())  # written so that NaN counts as bad
    if bad:
        raise LiftError(
            f"{bad} of {len(vectors)} vectors in {where} are not finite and of unit length",
            "the text encoder is broken for some texts: try another --encoder or --dtype float32",
        )


def to_dtype(vectors: np.ndarray, dtype: str) -> np.ndarray:
    """Unit vectors (n, D) as they are stored.

    int8 is symmetric, its scale the row's largest component; the scale itself is not kept, because it falls out when
    a row is brought back to unit length.
    """
    if dtype != "int8":
        return vectors.astype(dtype)
    largest = np.abs(vectors).max(-1, keepdims=True) if vectors.size else np.ones((len(vectors), 1))
    return np.rint(vectors / largest * 127).astype(np.int8)


def widen(vectors: np.ndarray) -> np.ndarray:
    """The same numbers (n, D) as float32, by torch where it is float16: 1,024 rows of 4096 take 4 ms, by numpy 10.

    In parts too small for torch to share among threads: on a busy machine waiting for them takes 50 times longer.
    """
    if vectors.dtype != np.float16 or not vectors.flags.writeable:  # a mapped array: torch would warn
        return vectors.astype(np.float32)
    import torch

    wide = np.empty(vectors.shape, np.float32)
    source, target = torch.from_numpy(vectors), torch.from_numpy(wide)
    step = max(1, (TORCH_GRAIN - 1) // vectors.shape[1])
    for start in range(0, len(vectors), step):
        target[start : start + step].copy_(source[start : start + step])
    return wide


def to_unit(vectors: np.ndarray) -> np.ndarray:
    """Stored vectors (n, D) brought back to unit length: float32 (n, D)."""
    out = widen(vectors)
    out /= np.sqrt(np.einsum("ij,ij->i", out, out))[:, None]
    return out


def pack_texts(texts: Sequence[str]) -> bytes:
    """Texts as zstd-compressed JSON lines."""
    import pyarrow

    lines = "".join([encode_basestring(text) + "\n" for text in texts]).encode()
    packed: bytes = pyarrow.Codec("zstd", compression_level=ZSTD_LEVEL).compress(lines, asbytes=True)
    return packed


def unpack_texts(packed: bytes) -> list[str]:
    """The inverse of `pack_texts`; ValueError when the bytes are damaged."""
    import pyarrow

    try:
        lines = pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd").read()
    except OSError as error:
        raise ValueError(f"not to be decompressed ({error})") from error
    return [json.loads(line) for line in lines.decode().split("\n") if line]


def write_shard(
    place: Place, prefix: str, number: int, keys: np.ndarray, vectors: np.ndarray, texts: Sequence[str]
) -> dict[str, Any]:
    """Write the files of one shard, rows sorted by key; returns the entry that a commit lists."""
    contents = [npy_parts(vectors), npy_parts(keys), (pack_texts(texts),)]
    sums = []
    for parts in contents:
        total = hashlib.sha256()
        for part in parts:
            total.update(part)
        sums.append(total.hexdigest())
    entry: dict[str, Any] = {
        "name": f"{prefix}-{number:05d}-{digest(sums)[:12]}",
        "rows": len(texts),
        "first": key_name(keys, 0),
        "last": key_name(keys, -1),
        "sha256": sums,
        "bytes": [sum(len(part) for part in parts) for parts in contents],
    }
    for name, parts in zip(file_names(entry), contents, strict=True):
        place.write(name, *parts, sync_folder=False)  # the declaration that follows syncs it
    return entry


def file_names(entry: dict[str, Any]) -> list[str]:
    """The files of a shard, in the order of its sums."""
    return [f"{FOLDER}/{entry['name']}.{file}" for file in FILES]


def recall_of_int8(vectors: np.ndarray, stored: np.ndarray, queries: int, top: int = 10) -> float:
    """Of the `top` nearest rows of the first `queries` rows, by float vectors, the share that int8 rows find too.

    vectors, stored: the same rows (n, D) as the encoder gave them and as int8. A query never finds itself.
    """
    top = min(top, len(vectors) - 1)
    if top < 1:
        return 1.0
    asked, found = vectors[:queries].astype(np.float32), []
    for rows in (vectors.astype(np.float32), to_unit(stored)):
        scores = asked @ rows.T
        scores[np.arange(len(asked)), np.arange(len(asked))] = -np.inf
        found.append(np.argpartition(-scores, top - 1, axis=1)[:, :top])
    return float(np.mean([len(np.intersect1d(*pair)) / top for pair in zip(*found, strict=True)]))
