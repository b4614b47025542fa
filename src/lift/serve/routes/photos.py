"""Add and delete photos; an answer means that they are on the disk."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from lift.serve.bodies import AddAnswer, DeleteAnswer, DeleteBody, Details
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Serving
from lift.serve.service import Service

router = APIRouter(prefix="/api", responses=ERRORS)
_DETAILS = TypeAdapter(dict[str, Details])


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
    added = await service.work.run(_add, service, uploads, told, replace)
    client = request.client.host if request.client else "?"
    for state in ("added", "updated"):
        keys = [result.key for result in added.results if result.state == state and result.key]
        await run_in_threadpool(
            service.state.note, state, keys, request=request.scope["lift.number"], client=client
        )
    return added


def _add(
    service: Service, uploads: list[tuple[str, bytes]], told: dict[str, Details], replace: bool
) -> AddAnswer:
    del service, uploads, told, replace
    raise Refused(503, "adding photos is not there yet", "wait for the INDEX to learn it")


def key_of(name: str) -> str:
    """A key from the name a file had on the client's machine: its last part, without what no name should hold."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    clean = "".join(c for c in last if c.isprintable()).strip().lstrip(".")
    return clean.encode(errors="ignore").decode()[-200:]


def _check_writable(service: Service) -> None:
    if service.config.read_only:
        raise Refused(403, "photos cannot be changed here", "the server was started with --read-only")


@router.post("/photos/delete")
async def delete(body: DeleteBody, service: Serving, request: Request) -> DeleteAnswer:
    """Take photos out of the INDEX; files in a photo folder stay where they are."""
    _check_writable(service)
    raise Refused(503, "deleting photos is not there yet", "wait for the INDEX to learn it")


__all__ = ["ValidationError", "add", "json"]
