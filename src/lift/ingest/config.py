"""What `lift ingest` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.sentences import LONG_WORDS

Kind = Literal["auto", "folder", "table", "tar", "hf", "classes"]


@dataclass(frozen=True)
class IngestConfig:
    """Read photos and texts into a DATASET: decoded once, stored at training size, split, checked."""

    source: Positional[Path]
    """Folder of photos, table file, folder of .tar shards, or Hugging Face `save_to_disk` folder."""
    out: Path
    """Folder of the DATASET to write."""
    kind: Kind = "auto"
    """Form of the source: folder (photo.jpg + photo.txt), table, tar, hf, or classes (a folder per class)."""
    table: str | None = None
    """Table to use when the folder holds several, such as captions.jsonl."""
    image_column: str | None = None
    """Column with the photo's file name."""
    text_columns: tuple[str, ...] = ()
    """Columns with captions."""
    long_column: str | None = None
    """Column with long texts ("none": there is none)."""
    split_column: str | None = None
    """Column with train, val or test ("none": make splits)."""
    label_column: str | None = None
    """Column with the class name ("none": there is none)."""
    encoding: str | None = None
    """Text encoding of tables and .txt files, such as cp932; found by itself when not given."""
    template: str = "a photo of {class}"
    """Caption made from a class name where a photo has no text of its own."""
    long_words: int = LONG_WORDS
    """Texts of more words than this are long captions (Japanese: two characters count as a word)."""
    pairs: tuple[Path, ...] = ()
    """JSONL files of {image, positive, negative, kind}: true and minimally different false texts."""
    size: int = 64
    """Side of the stored square photos, in pixels."""
    resize_mode: Literal["squash", "shortest", "longest"] = "squash"
    """squash: whole photo into the square; shortest: centre square; longest: whole photo padded on grey."""
    max_pixels: int = MAX_PIXELS
    """Photos with more pixels than this are set aside without being decoded."""
    val_fraction: float = 0.1
    """Share of the photos for validation when the source gives no val split."""
    test_fraction: float = 0.0
    """Share of the photos for test when the source gives no splits."""
    drop_leakage: bool = False
    """Take train photos out that are near-duplicates of val or test photos."""
    limit: int | None = None
    """Use only the first so many photos, for a trial."""
    layout: Literal["pixels", "in-place"] = "pixels"
    """pixels: photos are stored once, decoded, at --size. in-place (tar): the shards stay where they are and are read
    from there, whenever a photo is needed; nothing is copied."""
    name: str | None = None
    """Name of the DATASET; the source's name when not given."""
    workers: int = 0
    """Decoding threads; 0: one per core. The result is the same for any number."""
    overwrite: bool = False
    """Replace what is in --out."""

    def check(self) -> None:
        """Raise LiftError for values that cannot work."""
        if not self.source.exists():
            raise LiftError(f"there is no {self.source}", "check the path of the photos")
        if self.size < 8:
            raise LiftError(f"--size {self.size} is too small", "use 8 or more; 64 to 224 is usual")
        if self.size > 2048:
            raise LiftError(
                f"--size {self.size} would store giant pictures", "use 2048 or less; 64 to 224 is usual"
            )
        if not (self.val_fraction >= 0 and self.test_fraction >= 0):
            raise LiftError("--val-fraction and --test-fraction must not be negative", "use 0.1, for example")
        if self.val_fraction + self.test_fraction >= 1:
            raise LiftError(
                "--val-fraction and --test-fraction leave nothing to train on", "use 0.1, for example"
            )
        if "{class}" not in self.template:
            raise LiftError("--template has no {class}", 'write it like "a photo of {class}"')
        if self.workers < 0 or self.max_pixels < 1:
            raise LiftError("--workers and --max-pixels must not be negative", "leave them out")
        if self.limit is not None and self.limit < 1:
            raise LiftError(f"--limit {self.limit} leaves no photo", "use 1 or more, or leave it out")
