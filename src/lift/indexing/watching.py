"""`lift watch INDEX FOLDER`: an INDEX that follows a folder, photo by photo, until Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from lift.catalogue import approximate
from lift.console import note, say
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.indexing.building import Source
from lift.indexing.folder import Index
from lift.indexing.photos import list_photos, refuse_odd_name, sign_of
from lift.indexing.updating import Brought, update
from lift.model import Model, Rival

#: Seconds between two looks at a file that may still be growing.
PATIENCE = 0.5


@dataclass(frozen=True)
class WatchConfig:
    """Keep an INDEX in step with a folder: photos that come, change or go are taken up; ends with Ctrl-C."""

    index: Positional[Path]
    """INDEX folder, made by `lift index`"""
    folder: Positional[Path]
    """folder of photos, at any depth"""
    once: bool = False
    """bring it in step once and end, as for cron"""
    wait: float = 2.0
    """seconds without a change to wait for before taking changes up"""
    run: Path | None = None
    """folder of the model (default: the one recorded in the INDEX)"""
    max_pixels: int = MAX_PIXELS
    """photos with more pixels than this are set aside before decoding"""


def watch(config: WatchConfig, stop: threading.Event | None = None) -> int:
    """Follow the folder until Ctrl-C or `stop`; how often the INDEX was changed."""
    if not config.folder.is_dir():
        raise LiftError(f"there is no folder {config.folder}", "give a folder of photos")
    refuse_odd_name(config.folder)
    if config.index.resolve().is_relative_to(config.folder.resolve()):
        raise LiftError(f"the INDEX {config.index} lies inside the folder", "keep it elsewhere")
    index = Index.open(config.index)
    model = index.load_model(config.run)
    changes = 0
    try:
        for _ in _moments(config, stop):
            changes += _take_up(index, model, config)
    except KeyboardInterrupt:
        say("stopped; the INDEX holds all that was taken up")
    return changes


def _moments(config: WatchConfig, stop: threading.Event | None) -> Iterator[None]:
    """Now, and then whenever something has changed and `wait` seconds have been quiet."""
    if config.once:
        yield None
        return
    from watchfiles import watch as changes_of

    quiet = int(1000 * config.wait)
    while stop is None or not stop.is_set():
        watched = _folder_itself(config.folder)
        # Begun before the first look, so that nothing that comes during it is missed.
        events = changes_of(
            config.folder,
            stop_event=stop,
            step=min(quiet, 500),
            debounce=max(quiet, 500),
            rust_timeout=1000,
            yield_on_timeout=True,
            raise_interrupt=True,
            watch_filter=None,
        )
        first = True
        try:
            for found in events:
                if first or found:
                    first = False
                    yield None
                if _folder_itself(config.folder) != watched:
                    break  # another one is in its place, of which there would be no events
        except RuntimeError:  # watchfiles ends so at a file name that is not UTF-8; begin anew with a look
            time.sleep(config.wait)


def _folder_itself(folder: Path) -> tuple[int, int]:
    """Device and number of the folder; LiftError when it is gone."""
    try:
        stat = folder.stat()
    except OSError as error:
        raise LiftError(
            f"the folder {folder} is gone; nothing was taken out of the INDEX",
            "see whether its disk is there, then watch it again",
        ) from error
    return stat.st_dev, stat.st_ino


def _take_up(index: Index, model: Model | Rival, config: WatchConfig) -> int:
    """Bring the INDEX in step with what lies in the folder now; 1 when something changed."""
    files = _settled(config.folder, stop_after=60.0)
    index.refresh()
    index.check_model(model)
    if not files and len(index):
        empty = LiftError(
            f"{config.folder} holds no photos, so nothing is taken out of {index.folder}",
            "see whether its disk is there; take photos out with `lift manage delete` if they shall go",
        )
        if config.once:
            raise empty
        note(str(empty))
        return 0
    source, view = Source(config.folder, files, max_pixels=config.max_pixels), index.view
    first = not view.commit.places or view.commit.places[0] == source.place
    prefix = "" if first else f"{config.folder.resolve().name}/"
    done = update(model, source, index.folder, view, prefix=prefix)
    index.refresh()
    for item in done.set_aside:
        note(f"set aside: {item.file}: {item.reason} ({item.remedy})")
    changed = any((done.added, done.updated, done.deleted))
    if changed or config.once:
        say(f"{time.strftime('%H:%M:%S')} {_counts(done)}; {len(index)} photos")
    if changed:
        approximate.keep_fresh(index.view)
    return int(changed)


def _counts(done: Brought) -> str:
    return f"{done.added} added, {done.updated} updated, {done.deleted} taken out"


def _settled(folder: Path, stop_after: float) -> list[Path]:
    """The photos of a folder, once none that is younger than a minute grows any more, or after `stop_after` seconds."""
    began = time.monotonic()
    while True:
        files = list_photos(folder)
        young = {file: sign_of(folder / file) for file in files if _age(folder / file) < 60}
        if not young:
            return files
        time.sleep(PATIENCE)
        growing = [file for file, sign in young.items() if sign_of(folder / file) not in (sign, "-")]
        if not growing:
            return [file for file in files if (folder / file).exists()]
        if time.monotonic() - began > stop_after:
            note(f"still growing, taken up later: {', '.join(map(str, growing[:5]))}")
            return [file for file in files if file not in growing]


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 1e9
