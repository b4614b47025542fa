"""Near-duplicate photos: found by perceptual hashes in bands, confirmed by thumbnails, joined into groups.

dHash survives date stamps, pHash survives changes of contrast; each alone also takes different photos for the
same (960 pairs among 5,096 photos of clothes, 97,000 among 1,989 drawings), so a pair of near hashes counts
only when the 16 x 16 thumbnails correlate as well. Mirrored and turned copies escape both hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

HASH_DISTANCE = 6  # bits of 64 that may differ
# Of thumbnails: recompressed, resized, stamped, brightened and 2 % cropped copies of Flickr8k photos have
# 0.95 to 1.00; at 0.90 chains of merely similar drawings join.
CORRELATION = 0.95
_FLAT = 5  # hashes with fewer bits set (or unset) come from plain pictures and say nothing
_BLOCK = 2048


def near_duplicate_groups(dhash: np.ndarray, phash: np.ndarray, thumbs: np.ndarray) -> np.ndarray:
    """Group number of each photo = row of the group's first photo, int64 (N,).

    dhash, phash: uint64 (N,); thumbs: uint8 (N, 16, 16, 3). Groups are joined through common members.
    """
    parent = np.arange(len(dhash))
    for first, second in near_pairs(dhash, phash, thumbs):
        a, b = _root(parent, first), _root(parent, second)
        parent[max(a, b)] = min(a, b)
    return np.array([_root(parent, row) for row in range(len(parent))], dtype=np.int64)


def near_pairs(dhash: np.ndarray, phash: np.ndarray, thumbs: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the confirmed pairs (i, j); a pair may come more than once."""
    for hashes in (dhash, phash):
        for first, second in candidate_pairs(hashes.astype(np.uint64)):
            same = same_picture(thumbs[first], thumbs[second])
            yield from zip(first[same].tolist(), second[same].tolist(), strict=True)


def candidate_pairs(
    hashes: np.ndarray, distance: int = HASH_DISTANCE
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield arrays (i, j) of all rows whose 64-bit hashes differ in at most `distance` bits.

    Of distance + 1 bands of bits one must be equal, so only photos that share a band are compared.
    """
    bits = np.bitwise_count(hashes)
    telling = np.flatnonzero((bits >= _FLAT) & (bits <= 64 - _FLAT))
    edges = np.linspace(0, 64, distance + 2).round().astype(int)
    for low, high in pairwise(edges.tolist()):
        band = (hashes[telling] >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order])) + 1
        for bucket in np.split(telling[order], starts):
            if len(bucket) > 1:
                yield from _near_in(hashes, bucket, distance)


def same_picture(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """True where two thumbnails, uint8 (P, 16, 16, 3), correlate, whatever their brightness; bool (P,)."""
    a, b = (thumb.reshape(len(thumb), -1).astype(np.float32) for thumb in (first, second))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    together = (a * b).sum(axis=1)
    return together >= CORRELATION * np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


def _near_in(
    hashes: np.ndarray, bucket: np.ndarray, distance: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Near pairs inside one bucket, in blocks so that a huge bucket needs little memory."""
    for start in range(0, len(bucket), _BLOCK):
        rows = bucket[start : start + _BLOCK]
        differing = np.bitwise_count(hashes[rows][:, None] ^ hashes[bucket[start:]][None, :])
        first, second = np.nonzero(np.triu(differing <= distance, k=1))
        if len(first):
            yield rows[first], bucket[start:][second]


def _root(parent: np.ndarray, row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def as_uint64(bits: Sequence[bool] | np.ndarray) -> int:
    """64 booleans, most significant first, as one number."""
    return int.from_bytes(np.packbits(np.asarray(bits, dtype=bool).ravel()).tobytes(), "big")
