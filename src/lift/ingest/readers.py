"""The readers, one for each form of source: `READERS[kind](source, config, asides)` yields Items in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from lift.data.reading import read_text
from lift.ingest.config import IngestConfig
from lift.ingest.huggingface import read_huggingface
from lift.ingest.items import Asides, Item, PhotoFile, split_name
from lift.ingest.source import Source
from lift.ingest.tables import read_table_source
from lift.ingest.tars import read_tars

Reader = Callable[[Source, IngestConfig, Asides], Iterator[Item]]


def read_folder(source: Source, config: IngestConfig, asides: Asides) -> Iterator[Item]:
    """Photos with a .txt of the same name, one caption a line; top folders train/val/test give splits."""
    photos = source.photos()
    texts = {_bare(name): name for name in source.files if name.lower().endswith(".txt")}
    for name in photos:
        captions: list[str] = []
        if (text_file := texts.get(_bare(name))) is not None:
            try:
                content, _ = read_text((source.root / text_file).read_bytes(), config.encoding, text_file)
                captions = [line for line in content.splitlines() if line.strip()]
            except OSError as error:
                asides.add(text_file, f"unreadable text ({error.strerror})", "check the file's permissions")
        parts = PurePosixPath(name).parts
        split = split_name(parts[0]) if len(parts) > 1 else None
        yield Item(name, PhotoFile(source.root / name), captions, split=split, source=name)
    for bare in sorted(texts.keys() - {_bare(name) for name in photos}):
        asides.add(texts[bare], "missing file: a text without its photo", "add the photo, or delete the text")


def read_classes(source: Source, config: IngestConfig, asides: Asides) -> Iterator[Item]:
    """One folder of photos per class, perhaps under train/val/test; the class name becomes the caption."""
    photos = [PurePosixPath(name) for name in source.photos()]
    skipped = _common_folders(photos)
    for path in photos:
        folders = path.parts[skipped:-1]
        split = split_name(folders[0]) if folders else None
        inner = folders[1:] if split else folders
        if not inner:
            asides.add(
                str(path), "no text: the photo is in no class folder", "move it into the folder of its class"
            )
            continue
        name = str(path)
        yield Item(name, PhotoFile(source.root / name), split=split, label=inner[-1], source=name)


def _bare(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _common_folders(photos: list[PurePosixPath]) -> int:
    """Number of leading folders that all photos share and that hold further folders (such as images/)."""
    count = 0
    while photos and all(len(path.parts) > count + 2 for path in photos):
        if len({path.parts[count] for path in photos}) > 1 or split_name(photos[0].parts[count]):
            break
        count += 1
    return count


READERS: dict[str, Reader] = {
    "folder": read_folder,
    "table": read_table_source,
    "tar": read_tars,
    "hf": read_huggingface,
    "classes": read_classes,
}
