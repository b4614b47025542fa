"""Tables are checked one after the other, by one thread; what was accepted survives the end of the process."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from filelock import FileLock, Timeout
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from lift.data import BadImage, decode_image
from lift.errors import LiftError
from lift.model import Model, Rival
from lift.serve.logs import event, failure
from lift.serve.refusing import Refused
from lift.serve.service import Service
from lift.serve.state import now
from lift.serve.zips import check_workbook, unpack_photos
from lift.verifying import verify_table
from lift.verifying.photos import THUMBNAIL, Photos, Seen
from lift.verifying.sheets import harmless
from lift.verifying.tables import ENDINGS, open_table
from lift.verifying.wording import WORDS, Language

RESULT, AS_CSV, ROWS = "result.xlsx", "result.csv", "rows.jsonl"
PHOTOS, ZIP, LOCK = "photos", "photos.zip", "lock"
KEPT_JOBS = 200
#: Places of cells in the result of `verify_table`, behind the picture: sign, verdict, probability, words, photo, text.
VERDICT, PROBABILITY, LEAST, IMAGE, TEXT, REMARK = 2, 3, 4, 5, 6, 7


class Stopped(Exception):
    """The job was deleted, or the server ends."""


class Jobs:
    """The thread and its queue; folders are STATE/tables/ID."""

    def __init__(self, service: Service) -> None:
        self.service, self.folder = service, service.folder / "tables"
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._held: dict[str, FileLock] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lift-tables", daemon=True)

    def start(self) -> None:
        """Take up what an earlier process left, and begin."""
        for job in reversed(self.service.state.jobs("waiting", "running")):
            if (self.folder / job["id"]).is_dir():  # else it is another server's on the same database
                self.put(job["id"])
        self._thread.start()

    def close(self) -> None:
        """Stop at the end of the piece at hand; a job that is not done is begun again by the next process."""
        self._stop.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        for number in list(self._held):
            self._held.pop(number).release()

    def put(self, number: str) -> None:
        """Let a job wait whose files are there, unless another server on the same folder has it in hand."""
        lock = FileLock(self.folder / number / LOCK, timeout=0, thread_local=False, is_singleton=False)
        try:
            lock.acquire()  # the kernel lets go when this process ends
        except Timeout:
            return
        self._held[number] = lock
        self._queue.put(number)

    def drop(self, number: str) -> int:
        """Forget a job and its files; a running one ends at its next piece."""
        self.service.state.job(number)
        gone = self.service.state.drop_job(number)
        shutil.rmtree(self.folder / number, ignore_errors=True)
        return gone

    def result(self, number: str, name: str) -> Path:
        """A file of a finished job; Refused 409 when it is not done."""
        job = self.service.state.job(number)
        path = self.folder / job["id"] / name
        if job["state"] != "done" or not path.is_file():
            said = "has failed" if job["state"] == "failed" else "is not done yet"
            raise Refused(409, f"the table {said}", f"see GET /api/tables/{job['id']}")
        return path

    def _run(self) -> None:
        while not self._stop.is_set():
            number = self._queue.get()
            if number is None:
                return
            try:
                self._settle(number)
                self._clear(number)
            except Exception as error:  # noqa: BLE001  such as a database that is away: the thread must live on
                failure("a table could not be checked; the next start tries again", error, job=number)
            finally:
                self._held.pop(number).release()

    def _clear(self, number: str) -> bool:
        """Whether the job was deleted meanwhile; what has been written since then goes, too."""
        try:
            self.service.state.job(number)
        except Refused:
            shutil.rmtree(self.folder / number, ignore_errors=True)
            return True
        return False

    def _settle(self, number: str) -> None:
        """Check one table, and write down why when that cannot be done."""
        problem = remedy = None
        try:
            self._check(number, self.folder / number)
        except Stopped:
            return
        except (LiftError, Refused) as error:
            problem = error.problem if isinstance(error, LiftError) else error.detail
            remedy = error.remedy
        except (SQLAlchemyError, OSError):
            if not self._clear(number):
                raise  # not the table's fault
        except Exception as error:  # noqa: BLE001  the next table must be checked whatever was in this one
            failure("a table could not be checked", error, job=number)
            problem, remedy = "the server made a mistake", "look into its log, and report it"
        if problem is not None:
            self.service.state.update_job(number, state="failed", error=problem, remedy=remedy, ended=now())
        self._tidy()

    def _check(self, number: str, folder: Path) -> None:
        service, state = self.service, self.service.state
        if state.job(number)["state"] not in ("waiting", "running"):
            return  # another server was quicker
        table = next(path for path in folder.glob("table.*") if path.suffix in ENDINGS)
        total = count_rows(table, service)
        if not state.update_job(number, state="running", total=total, done=0):
            raise Stopped
        shutil.rmtree(folder / PHOTOS, ignore_errors=True)  # of a process that was ended
        if (folder / ZIP).is_file():
            unpack_photos(folder / ZIP, folder / PHOTOS, service.limits)
        photos = TablePhotos(service, folder / PHOTOS)
        done = 0

        def progress(rows: int) -> None:
            nonlocal done
            done += rows
            if self._stop.is_set() or not state.update_job(number, done=done):
                raise Stopped

        checked = verify_table(
            service.judge.verifier, table, folder / RESULT, photos=photos, words="asked", progress=progress
        )
        ask = state.job(number)["ask"]
        for row in rewrite(folder, checked.language):
            if ask and (chosen := service.chosen(row["decision"])):
                self._ask(photos, row, chosen)
        counts = {name: checked.counts[name] for name in ("match", "mismatch", "ask")}
        for name, count in counts.items():
            service.counts.verdicts.labels(name).inc(count)
        counts["set_aside"] = checked.counts["unread"]
        shutil.rmtree(folder / PHOTOS, ignore_errors=True)
        (folder / ZIP).unlink(missing_ok=True)
        state.update_job(number, state="done", counts=counts, ended=now())
        event("table checked", job=number, rows=total, **counts)

    def _ask(self, photos: TablePhotos, row: dict[str, Any], chosen: str) -> None:
        try:
            picture = photos.picture(row["photo"])
        except BadImage:
            return  # gone meanwhile
        key = None if row["photo"] in photos.zipped else row["photo"]
        name, chance = self.service.pictures.keep(picture), row["probability"]
        self.service.state.ask(
            row["sentence"], name, key=key, probability=chance, suspicious=[], chosen=chosen
        )

    def _tidy(self) -> None:
        for job in self.service.state.jobs("done", "failed", limit=10 * KEPT_JOBS)[KEPT_JOBS:]:
            self.service.state.drop_job(job["id"])
            shutil.rmtree(self.folder / job["id"], ignore_errors=True)


class TablePhotos(Photos):
    """The photos that a table names: in the zip that came with it, else in the INDEX by key."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service, self.zipped = service, set[str]()
        self.inside = Photos(folder, max_pixels=service.limits.photo_pixels) if folder.is_dir() else None

    def find(self, cell: str) -> str:
        """The name of the photo that a cell names; BadImage when there is none."""
        if self.inside is not None:
            try:
                found = self.inside.find(cell)
            except BadImage:
                pass
            else:
                self.zipped.add(found)
                return found
        if (name := cell.strip()) and len(name) <= 1000 and name in self.service.index:
            return name
        place = "neither the zip nor" if self.inside is not None else "not"
        raise BadImage(f"no such photo: {place} in the INDEX", "write the name as in the zip, or the key")

    def see(self, key: str, model: Model | Rival, *, thumbnail: bool = False) -> Seen:
        """Read one photo; BadImage when it cannot be used."""
        if self.inside is not None and key in self.zipped:
            return self.inside.see(key, model, thumbnail=thumbnail)
        picture = self.picture(key)
        pixels = model.prepare(picture)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        return Seen(pixels, picture)

    def picture(self, key: str) -> Image.Image:
        """The photo itself, decoded; BadImage when it cannot be."""
        if self.inside is not None and key in self.zipped:
            return decode_image(self.inside.root / key, max_pixels=self.inside.max_pixels)
        try:
            return self.service.picture(key)
        except Refused as error:
            raise BadImage(error.detail, error.remedy) from error


def count_rows(table: Path, service: Service) -> int:
    """Rows of a table, columns checked as well; Refused for too many, LiftError when it is no table."""
    most = service.limits.table_rows
    if table.suffix.lower().startswith(".xls"):
        check_workbook(table, service.limits)
    _, lines = open_table(table, None, answers=False)
    total = sum(1 for _ in islice(lines, most + 1))
    if total > most:
        raise Refused(413, f"the table has more than {most:,} rows", "send it in several parts")
    return total


def rewrite(folder: Path, language: Language) -> Iterator[dict[str, Any]]:
    """Write the Excel result as CSV and as JSON lines too, without the pictures; yields every row as it goes."""
    import openpyxl

    kinds = {word: None if kind == "unread" else kind for kind, word in WORDS[language].items()}
    book = openpyxl.load_workbook(folder / RESULT, read_only=True)
    with (
        closing(book),
        (folder / AS_CSV).open("w", encoding="utf-8-sig", newline="") as table,
        (folder / ROWS).open("w", encoding="utf-8") as lines,
    ):
        writer = csv.writer(table)
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True)):
            writer.writerow([harmless(cell) for cell in cells[1:]])
            if not number:
                continue
            chance = cells[PROBABILITY]
            row = {
                "row": number,
                "photo": str(cells[IMAGE] or ""),
                "sentence": str(cells[TEXT] or ""),
                "decision": kinds.get(str(cells[VERDICT])),
                "probability": float(chance) if isinstance(chance, float | int) else None,
                "words": str(cells[LEAST] or ""),
                "note": str(cells[REMARK] or ""),
            }
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            yield row


def rows_of(result: Path, offset: int, top: int) -> list[dict[str, Any]]:
    """Some rows of a finished table, for a page to show."""
    with result.open(encoding="utf-8") as file:
        return [json.loads(line) for line in islice(file, offset, offset + top)]
