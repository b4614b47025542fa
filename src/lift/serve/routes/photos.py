"""Add, list and delete photos; an answer to adding means that they are on the disk."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from lift.errors import LiftError
from lift.indexing import NewPhoto
from lift.serve.bodies import AddAnswer, AddResult, DeleteAnswer, DeleteBody, Details, Listed, Photo
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Serving
from lift.serve.routes.searching import shown
from lift.serve.service import Service

router = APIRouter(prefix="/api", responses=ERRORS)
_DETAILS = TypeAdapter(dict[str, Details])


@router.get("/photos")
async def photos(
    service: Serving,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    top: Annotated[int, Query(ge=1, le=200)] = 24,
) -> Listed:
    """Photos in the order of the INDEX."""
    found = await service.views.run(service.page, offset, top + 1)
    return Listed(
        matches=[Photo(**shown(match)) for match in found[:top]],
        photos=len(service.index),
        more=len(found) > top,
    )


@router.post("/photos")
async def add(
    service: Serving,
    request: Request,
    photos: Annotated[list[UploadFile], File()],
    details: Annotated[str | None, Form()] = None,
    replace: Annotated[bool, Form()] = False,
) -> AddAnswer:
    """Add photos; each is reported for itself, and what was added is on the disk when the answer comes."""
    _check_writable(service)
    if len(photos) > service.limits.files:
        raise Refused(413, f"more than {service.limits.files} photos at once", "send them in several uploads")
    told = _DETAILS.validate_json(details or "{}")
    uploads = [(photo.filename or "", await photo.read(service.limits.photo_bytes + 1)) for photo in photos]
    answer = await service.changes.run(_add, service, uploads, told, replace)
    for state in ("added", "updated", "set_aside"):
        keys = [result.key for result in answer.results if result.state == state and result.key]
        service.counts.photos.labels(state).inc(getattr(answer, state))
        if state != "set_aside":
            await _note(service, request, state, keys)
    return answer


def _add(
    service: Service, uploads: list[tuple[str, bytes]], told: dict[str, Details], replace: bool
) -> AddAnswer:
    """Add what can be added; the results are in the order of `uploads`.

    In the lane of changes, so that no other upload takes a key between the look and the adding.
    """
    index, results, new = service.current(), list[AddResult](), dict[str, tuple[NewPhoto, AddResult]]()
    for name, content in uploads:
        detail = told.get(name, Details())
        key = detail.key or key_of(name)
        result = AddResult(file=name.encode(errors="replace").decode(), key=key or None, state="set_aside")
        results.append(result)
        known = key in index if key else False
        if not key:
            result.reason, result.remedy = "no name", "give the file a name, or a key in `details`"
        elif len(content) > service.limits.photo_bytes:
            most = f"{service.limits.photo_bytes:,}"
            result.reason, result.remedy = f"more than {most} bytes", "make the photo smaller"
        elif key in new:
            result.reason, result.remedy = (
                "sent twice under this key",
                "give it a key of its own in `details`",
            )
        elif known and not replace:
            result.reason = "a photo of this name is there already"
            result.remedy = "delete that one first, or give this file another name"
        else:
            try:
                photo = NewPhoto(key, image_bytes=content, captions=detail.captions, metadata=detail.metadata)
            except LiftError as error:
                result.reason, result.remedy = error.problem, error.remedy
                continue
            result.state = "updated" if known else "added"
            new[key] = (photo, result)
    if new:
        wanted = [photo for photo, _ in new.values()]
        pixels = service.limits.photo_pixels
        added = service.changing(lambda index: index.add(wanted, service.model, max_pixels=pixels))
        for aside in added.set_aside:
            result = new[aside.file][1]
            result.state, result.reason, result.remedy = "set_aside", aside.reason, aside.remedy
    counts = {state: sum(r.state == state for r in results) for state in ("added", "updated", "set_aside")}
    return AddAnswer(results=results, photos=len(service.index), **counts)


def key_of(name: str) -> str:
    """A key from the name a file had on the client's machine: its last part, without what no name should hold."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    clean = "".join(letter for letter in last if letter.isprintable()).strip().lstrip(".")
    return clean.encode(errors="ignore").decode()[-200:]


@router.post("/photos/delete")
async def delete(body: DeleteBody, service: Serving, request: Request) -> DeleteAnswer:
    """Take photos out of the INDEX; the files in an indexed folder stay where they are."""
    _check_writable(service)

    def work() -> tuple[list[str], list[str]]:
        index = service.current()
        keys = list(dict.fromkeys(body.keys))
        known = [key for key in keys if key in index]
        if known:
            service.changing(lambda index: index.delete(known))
        return known, [key for key in keys if key not in known]

    gone, unknown = await service.changes.run(work)
    service.counts.photos.labels("deleted").inc(len(gone))
    await _note(service, request, "deleted", gone)
    return DeleteAnswer(deleted=len(gone), unknown=unknown, photos=len(service.index))


async def _note(service: Service, request: Request, action: str, keys: list[str]) -> None:
    client, number = request.client.host if request.client else "?", request.scope["lift.number"]
    await run_in_threadpool(service.state.note, action, keys, request=number, client=client)


def _check_writable(service: Service) -> None:
    if service.config.read_only:
        raise Refused(403, "photos cannot be changed here", "the server was started with --read-only")
