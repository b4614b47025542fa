"""What the routes share: the INDEX, the model, verdicts, lanes of work, the database, and the server's own folder."""

from __future__ import annotations

import copy
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from PIL import Image

from lift.data import decode_image
from lift.errors import LiftError
from lift.indexing import Index, Match, Query
from lift.model import Model
from lift.serve.config import LONG, Limits, ServeConfig
from lift.serve.counting import Counts
from lift.serve.fields import FieldFacts
from lift.serve.judge import Judge
from lift.serve.lanes import Lane, TextLane, one_at_a_time
from lift.serve.logs import event, failure
from lift.serve.pictures import Pictures
from lift.serve.refusing import Refused
from lift.serve.state import State, sqlite_url

T = TypeVar("T")
REFRESH_SECONDS = 1.0


class Service:
    """Opened once per process; `close` finishes what was accepted. Methods that block belong into a lane."""

    def __init__(self, config: ServeConfig) -> None:
        """Open everything; LiftError when something is missing or does not fit."""
        self.config, self.limits, self.counts = config, Limits.of(config), Counts()
        self.index = Index.open(config.index)
        self.model = self.index.load_model(config.run)
        if config.query_encoder is not None:
            self.model.stand_in(config.query_encoder)
        if isinstance(self.model, Model):
            self.model.text_encoder = one_at_a_time(self.model.text_encoder)
        self.folder = config.state or config.index.with_name(config.index.name + ".server")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's photos and answers
        self.pictures = Pictures(self.folder / "pictures")
        self.judge = Judge(self.model, config.calibration)
        self.state = State(config.database or sqlite_url(self.folder / "state.db"))
        self.texts = TextLane(self.model.encode_text, waiting=config.waiting, seconds=LONG * config.seconds)
        self.work = Lane("work", config.threads, config.waiting, LONG * config.seconds)
        # One at a time anyway, and a thread of its own: a search need not wait until an upload has been encoded.
        self.changes = Lane("changes", 1, config.waiting, LONG * config.seconds)
        self.views = Lane("views", 2, 256, LONG * config.seconds)
        self.ready, self.switched, self._facts = False, False, FieldFacts()
        self._looked, self._changing = time.monotonic(), threading.Lock()
        self.lanes = (self.texts, self.work, self.changes, self.views)
        for lane in self.lanes:
            self.counts.watch_lane(lane.name, lambda lane=lane: lane.held)  # type: ignore[misc]
        self.counts.held.set_function(lambda: len(self.index))

    def warm(self) -> None:
        """Encode one sentence and one photo, so that the first person does not wait for the loading."""
        self.model.encode_text(["a photo"])
        self.model.encode_pixels(np.zeros((1, self.model.image_size, self.model.image_size, 3), np.uint8))
        self.ready = True

    def close(self) -> None:
        """Finish what was accepted."""
        self.ready = False
        for lane in self.lanes:
            lane.close()
        self.state.close()

    def tell(self, **asked: Any) -> None:
        """Log what was asked, where that was wished."""
        if self.config.log_texts:
            event("asked", **asked)

    # -- pictures and vectors

    def decode(self, content: bytes) -> Image.Image:
        """The picture in the bytes of an upload; BadImage when there is none."""
        return decode_image(content, max_pixels=self.limits.photo_pixels)

    def pixels(self, picture: Image.Image) -> np.ndarray:
        """A picture as the model sees it: uint8 (S, S, 3)."""
        return self.model.pixels([picture])[0]

    def encode_photo(self, picture: Image.Image) -> np.ndarray:
        """Unit vector (D,) of a picture."""
        return self.model.encode_image([picture])[0]

    def vector(self, key: str) -> np.ndarray:
        """Unit vector (D,) of a photo of the INDEX; Refused 404 when there is none."""
        view = self.current().view
        row = view.find(key)
        if row is None:
            raise _no_photo()
        vector = view.vector(row)
        return vector / np.linalg.norm(vector)

    def chosen(self, decision: str | None) -> str | None:
        """Why a person is asked about a pair: "random" by lot, "asked" for doubt; None when nobody is."""
        if decision is not None and random.random() < self.config.ask_share:
            return "random"
        return "asked" if decision == "ask" else None

    # -- the INDEX

    def current(self) -> Index:
        """The INDEX, not more than a second behind what other processes did to it.

        Refused 503 once it has been switched to another model, whose vectors ours must not be compared with.
        """
        if time.monotonic() - self._looked > REFRESH_SECONDS and self._changing.acquire(blocking=False):
            try:
                self._take(lambda index: index.refresh())
                self._looked = time.monotonic()
            finally:
                self._changing.release()
        self._check_model()
        return self.index

    def changing(self, change: Callable[[Index], T]) -> T:
        """What `change` returns; one at a time, as a change ends with the INDEX seeing its newest state."""
        self._check_model()
        with self._changing:
            return self._take(change)

    def _take(self, change: Callable[[Index], T]) -> T:
        """Let `change` bring a copy to a newer state, and take that one unless it is another model's."""
        newer = copy.copy(self.index)
        done = change(newer)
        try:
            newer.check_model(self.model)
        except LiftError as error:
            self.switched = True
            failure("the INDEX was switched to another model", error)
        else:
            self.index = newer
        return done

    def _check_model(self) -> None:
        if self.switched:
            raise Refused(
                503,
                "the INDEX was switched to another model",
                "start the server again; it then loads that model",
                {"Retry-After": "60"},
            )

    def find(
        self,
        text: tuple[str, np.ndarray] | None,
        photo: np.ndarray | None,
        without: Mapping[str, np.ndarray],
        weight: float,
        *,
        top: int,
        where: dict[str, Any],
    ) -> list[Match]:
        """The best photos for what has been encoded; LiftError for an unknown field."""
        known = {**without, **(dict([text]) if text else {})}
        query = Query(text[0] if text else None, photo, tuple(without), weight)
        vector = query.vector(cast(Model, _Encoded(known)))
        return self.current().search(vector, top, where=where or None)

    def page(self, offset: int, top: int) -> list[Match]:
        """Photos in the order of the INDEX, without a query."""
        index, found, passed = self.current(), list[Match](), 0
        view = index.view
        for segment in view.segments:
            rows = segment.live_rows[max(0, offset - passed) :][: top - len(found)]
            passed += segment.live
            for entry in map(segment.entry, map(int, rows)):
                found.append(Match(entry.key, view.path_of(entry), 1.0, entry.captions, entry.metadata))
            if len(found) >= top:
                break
        return found

    def field_facts(self) -> list[dict[str, Any]]:
        """What the metadata fields hold."""
        return self._facts.of(self.current())

    def match(self, key: str) -> Match:
        """The photo of `key`; Refused 404 when there is none."""
        try:
            return self.current().match(key)
        except LiftError as error:
            raise _no_photo() from error

    def picture(self, key: str, target: int | None = None) -> Image.Image:
        """The photo of `key`, decoded; with `target` a JPEG may come smaller, but not under 2 x target pixels a side.

        Refused 404 when its file is gone, cannot be read, or lies outside the place that was indexed.
        """
        index = self.current()
        view = index.view
        row = view.find(key)
        if row is None:
            raise _no_photo()
        entry = view.entry(row)
        place = view.commit.places[entry.place]
        try:
            if place["kind"] == "dataset":
                return index.picture(index.match(key))
            path = view.path_of(entry)
            if place["kind"] != "file":
                root = Path(place["folder"]) if place["kind"] == "folder" else index.folder
                check_inside(path, root)
            return decode_image(path, target=target)
        except (LiftError, ValueError, OSError) as error:  # BadImage is a ValueError
            raise Refused(
                404,
                "the photo is in the INDEX, but cannot be shown",
                "bring its file back into the folder that was indexed, or run `lift index` again",
            ) from error


class _Encoded:
    """Stands where a model is asked for: sentences that have been encoded already."""

    def __init__(self, known: Mapping[str, np.ndarray]) -> None:
        self._known = known

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._known[text] for text in texts])


def check_inside(path: Path, root: Path) -> None:
    """ValueError when `path`, with all links followed, lies outside `root`."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError("outside the indexed folder")


def _no_photo() -> Refused:
    return Refused(404, "there is no such photo", "it may have been deleted: search again")


def folder_of(path: Path) -> str:
    """Name of a folder, for people."""
    return path.resolve().name
