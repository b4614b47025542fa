"""What the routes share: the INDEX, the model, verdicts, lanes of work, the database, and the server's own folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lift.data import decode_image
from lift.errors import LiftError
from lift.indexing import Index, Match
from lift.serve.config import Limits, ServeConfig
from lift.serve.counting import Counts
from lift.serve.judge import Judge
from lift.serve.lanes import Lane, TextLane
from lift.serve.pictures import Pictures
from lift.serve.refusing import Refused
from lift.serve.state import State, sqlite_url

REFRESH_SECONDS = 1.0


class Service:
    """Opened once per process; `close` finishes what was accepted."""

    def __init__(self, config: ServeConfig) -> None:
        """Open everything; LiftError when something is missing or does not fit."""
        self.config, self.limits, self.counts = config, Limits.of(config), Counts()
        self.index = Index.open(config.index)
        self.model = self.index.load_model(config.run)
        if config.query_encoder is not None:
            self.model.stand_in(config.query_encoder)
        self.folder = config.state or config.index.with_name(config.index.name + ".server")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pictures = Pictures(self.folder / "pictures")
        self.state = State(config.database or sqlite_url(self.folder / "state.db"))
        self.texts = TextLane(self.model.encode_text, waiting=config.waiting, seconds=config.seconds)
        self.work = Lane("work", config.threads, config.waiting, config.seconds)
        self.views = Lane("views", 2, 512, config.seconds)
        self.judge = Judge(self.model, config.calibration)
        self.ready = False
        self._looked, self._changing = time.monotonic(), threading.Lock()
        for lane in (self.texts, self.work, self.views):
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
        for lane in (self.texts, self.work, self.views):
            lane.close()
        self.state.close()

    # -- photos; these methods block and belong into a lane

    def decode(self, content: bytes) -> Image.Image:
        """The picture in the bytes of an upload; BadImage when there is none."""
        return decode_image(content, max_pixels=self.limits.photo_pixels)

    def encode_photo(self, picture: Image.Image) -> np.ndarray:
        """Unit vector (D,) of a picture."""
        return self.model.encode_image([picture])[0]

    def pixels(self, picture: Image.Image) -> np.ndarray:
        """A picture as the model sees it: uint8 (S, S, 3)."""
        return self.model.pixels([picture])[0]

    def vector(self, key: str) -> np.ndarray:
        """Unit vector (D,) of a photo of the INDEX."""
        return self.encode_photo(self.picture(key))

    def match(self, key: str) -> Match:
        """The photo of `key`; Refused 404 when there is none."""
        if not hasattr(self.index, "match"):  # until the INDEX finds photos by key
            for row in range(len(self.index)):
                if self.index.entry(row).key == key:
                    return self.index._match(row, 1.0)
            raise Refused(404, "there is no such photo", "it may have been deleted: search again")
        try:
            return self.index.match(key)
        except LiftError as error:
            raise Refused(404, "there is no such photo", "it may have been deleted: search again") from error

    def picture(self, key: str) -> Image.Image:
        """The photo of `key`, decoded; Refused 404 when the file is gone or cannot be read."""
        match = self.match(key)
        try:
            return self.index.picture(match)
        except (LiftError, ValueError, OSError) as error:  # BadImage is a ValueError
            raise Refused(
                404,
                "the photo is in the INDEX, but cannot be read any more",
                "bring its file back, or run `lift index` again",
            ) from error

    def find(self, query: Any, top: int, where: dict[str, Any]) -> list[Match]:
        """The best photos for a unit vector."""
        if where:
            raise Refused(400, "this INDEX has no metadata", "leave `where` away")
        return self.index.search(query, top, model=self.model)

    def fields(self) -> list[str]:
        """Metadata fields that `where` may name."""
        return []


def blend(
    text: np.ndarray | None, photo: np.ndarray | None, without: Sequence[np.ndarray], weight: float
) -> np.ndarray:
    """One unit vector for text and photo, away from `without`."""
    parts = (
        [weight * text, (1 - weight) * photo]
        if text is not None and photo is not None
        else [text if photo is None else photo]
    )
    vector = np.sum(parts, axis=0) - 0.5 * np.sum([*without, np.zeros_like(parts[0])], axis=0)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def folder_of(path: Path) -> str:
    """Name of a folder, for people."""
    return path.resolve().name
