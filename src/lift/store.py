"""EmbeddingStore: text vectors by text, written once, tied to the encoder that made them.

    store.json           manifest: fingerprint, rows, dim, dtype, shards with SHA-256, counts of cut texts
    vectors-00000.npy    float16 (or float32) unit vectors (n, D), memory-mapped
    texts-00000.jsonl    the texts of those rows, one JSON string a line

While a STORE is being made its finished shards lie in `.NAME.partial`; a rerun goes on behind the last of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import read_manifest, settle, sha256_file, swap, write_bytes, write_json
from lift.errors import LiftError
from lift.fingerprint import Fingerprint

KEY_BYTES = 16
NORM_TOLERANCE = 2e-3  # float16 rounding of a unit vector moves its length by less than this


def text_key(text: str) -> bytes:
    """16 bytes naming a text by its UTF-8 content."""
    return hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest()


def check_vectors(vectors: np.ndarray, where: str) -> None:
    """Raise LiftError unless all rows are finite and of unit length."""
    norms = np.linalg.norm(vectors.astype(np.float32), axis=-1)
    bad = int((~(np.abs(norms - 1) < NORM_TOLERANCE)).sum())  # written so that NaN counts as bad
    if bad:
        raise LiftError(
            f"{bad} of {len(vectors)} vectors in {where} are not finite and of unit length",
            "the text encoder is broken for some texts: try another --encoder or --dtype float32",
        )


class StoreWriter:
    """Writes a STORE shard by shard; every finished shard survives a kill."""

    def __init__(self, out: Path, request: dict[str, Any]) -> None:
        """Go on with what a killed run of the same `request` left, else start anew."""
        self.out, self.request = out, request
        self.partial = out.with_name(f".{out.name}.partial")
        settle(out)
        marker = self.partial / "request.json"
        if not marker.is_file() or json.loads(marker.read_text(encoding="utf-8")) != request:
            if self.partial.exists():
                shutil.rmtree(self.partial)
            self.partial.mkdir(parents=True)
            write_json(marker, request)

    def has(self, number: int, texts: Sequence[str]) -> bool:
        """True when shard `number` is finished, undamaged, and holds exactly `texts`."""
        side = self.partial / f"shard-{number:05d}.json"
        if not side.is_file():
            return False
        known = json.loads(side.read_text(encoding="utf-8"))
        files = [self.partial / known["vectors"], self.partial / known["texts"]]
        return (
            known["rows"] == len(texts)
            and [sha256_file(file) for file in files] == known["sha256"]
            and files[1].read_bytes() == _texts_bytes(texts)
        )

    def write(
        self, number: int, texts: Sequence[str], vectors: np.ndarray, dtype: str, seconds: float = 0.0
    ) -> None:
        """Write shard `number`: vectors and texts first, the small file that declares them finished last.

        `seconds` is the time the encoder took; the manifest has the sum over all shards, kills or not.
        """
        stored = vectors.astype(dtype)
        check_vectors(stored, f"shard {number}")
        names = [f"vectors-{number:05d}.npy", f"texts-{number:05d}.jsonl"]
        buffer = io.BytesIO()
        np.save(buffer, stored)
        write_bytes(self.partial / names[0], buffer.getvalue())
        write_bytes(self.partial / names[1], _texts_bytes(texts))
        sums = [sha256_file(self.partial / name) for name in names]
        entry = {
            "vectors": names[0],
            "texts": names[1],
            "rows": len(texts),
            "sha256": sums,
            "seconds": seconds,
        }
        write_json(self.partial / f"shard-{number:05d}.json", entry)

    def close(self, fingerprint: Fingerprint, dtype: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Gather the shards under one manifest (returned) and give the STORE its name."""
        sides = sorted(self.partial.glob("shard-*.json"))
        shards = [json.loads(side.read_text(encoding="utf-8")) for side in sides]
        seconds = sum(shard.pop("seconds") for shard in shards)
        manifest = {
            "format": 1,
            "fingerprint": fingerprint.asdict(),
            "dim": fingerprint.dim,
            "dtype": dtype,
            "rows": sum(shard["rows"] for shard in shards),
            "shards": shards,
            "seconds": round(seconds, 2),
            **facts,
            "request": self.request,
        }
        write_json(self.partial / "store.json", manifest)
        swap(self.partial, self.out)
        tidy(self.out)
        return manifest


def tidy(out: Path) -> None:
    """Remove the marks of progress from a finished STORE: they stay until it has its name, in case of a kill."""
    for mark in [*out.glob("shard-*.json"), *out.glob(".*.partial"), out / "request.json"]:
        mark.unlink(missing_ok=True)


def _texts_bytes(texts: Sequence[str]) -> bytes:
    return "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts).encode()


class EmbeddingStore:
    """A STORE opened for reading; look up vectors by text."""

    def __init__(self, folder: Path | str) -> None:
        """Open `folder`; raises LiftError when it is no finished STORE or a shard is missing."""
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder, "store")
        self.fingerprint = Fingerprint.from_dict(self.manifest["fingerprint"])
        self.dim: int = self.manifest["dim"]
        self._shards: list[np.ndarray] = []
        self._row: dict[bytes, int] = {}
        try:
            for shard in self.manifest["shards"]:
                self._shards.append(np.load(self.folder / shard["vectors"], mmap_mode="r"))
                for text in self._texts(shard):
                    self._row[text_key(text)] = len(self._row)
        except (OSError, ValueError) as error:
            raise LiftError(
                f"{self.folder} is damaged ({error})", "make it again with `lift embed --overwrite`"
            ) from error
        if len(self._row) != self.manifest["rows"]:
            raise LiftError(
                f"{self.folder} is damaged: {len(self._row)} of {self.manifest['rows']} texts found",
                "make it again with `lift embed --overwrite`",
            )

    def _texts(self, shard: dict[str, Any]) -> list[str]:
        return [
            json.loads(line) for line in (self.folder / shard["texts"]).read_text("utf-8").split("\n") if line
        ]

    def __len__(self) -> int:
        return len(self._row)

    def texts(self) -> list[str]:
        """All texts, in row order."""
        return [text for shard in self.manifest["shards"] for text in self._texts(shard)]

    def contains(self, texts: Sequence[str]) -> np.ndarray:
        """Which of `texts` have a vector: bool (n,)."""
        return np.array([text_key(text) in self._row for text in texts], dtype=bool)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Row number of each text: int64 (n,); LiftError names a text that is not there."""
        try:
            return np.array([self._row[text_key(text)] for text in texts], dtype=np.int64)
        except KeyError:
            missing = [text for text in texts if text_key(text) not in self._row]
            raise LiftError(
                f"{len(missing)} texts have no vector in {self.folder}, the first: {missing[0][:80]!r}",
                "run `lift embed --overwrite` on this DATASET, or give the STORE that was made from it",
            ) from None

    def matrix(self) -> np.ndarray:
        """All vectors in row order, brought back to unit length: float32 (rows, D)."""
        if not self._shards:
            return np.zeros((0, self.dim), np.float32)
        vectors = np.concatenate(self._shards).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of `texts`: float32 (n, D); LiftError names a text that is not there."""
        rows = self.rows(texts)
        ends = np.cumsum([len(shard) for shard in self._shards])
        out = np.empty((len(rows), self.dim), np.float32)
        owner = np.searchsorted(ends, rows, side="right")
        for number in np.unique(owner):
            mine = owner == number
            start = ends[number] - len(self._shards[number])
            out[mine] = self._shards[number][rows[mine] - start]
        return out / np.linalg.norm(out, axis=-1, keepdims=True)

    def check(self) -> None:
        """Verify checksums, finiteness and unit length of every shard; LiftError names the first fault."""
        for shard, vectors in zip(self.manifest["shards"], self._shards, strict=True):
            for name, expected in zip((shard["vectors"], shard["texts"]), shard["sha256"], strict=True):
                if sha256_file(self.folder / name) != expected:
                    raise LiftError(
                        f"{self.folder / name} has changed since it was written",
                        "make it again with `lift embed --overwrite`",
                    )
            check_vectors(vectors, shard["vectors"])
