"""The queue "ask a person", and what persons answered."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from lift.serve.bodies import Answered, Answers, Deleted, FeedbackBody, FeedbackPhotoBody, Question, Queue
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Serving, parsed, photo_bytes
from lift.serve.service import Service

router = APIRouter(prefix="/api", responses=ERRORS)
JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
EXPORTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {}, "application/zip": {}}}
}


@router.get("/queue")
async def queue(service: Serving, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Queue:
    """What waits for a person, the oldest first."""
    waiting, rows = await run_in_threadpool(service.state.questions, limit)
    return Queue(
        waiting=waiting,
        questions=[
            Question(
                id=row["id"],
                sentence=row["sentence"],
                probability=row["probability"],
                suspicious=row["suspicious"],
                photo=f"/api/queue/{row['id']}/photo",
                key=row["key"],
                made=row["made"],
            )
            for row in rows
        ],
    )


@router.get("/queue/{number}/photo", response_class=FileResponse, responses=JPEG)
async def question_photo(number: int, service: Serving) -> Response:
    """The photo that a question is about."""
    row = await run_in_threadpool(service.state.question, number)
    path = service.pictures.path(row["picture"])
    if not path.is_file():
        raise Refused(404, "the photo of this question is gone", "take the question out of the queue")
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@router.delete("/queue/{number}")
async def drop_question(number: int, service: Serving) -> Deleted:
    """Nobody need answer this."""
    gone = await run_in_threadpool(service.state.drop_question, number)
    if not gone:
        raise Refused(404, f"no question {number} waits", "see GET /api/queue for those that wait")
    return Deleted(deleted=gone)


@router.post("/feedback")
async def feedback(body: FeedbackBody, service: Serving) -> Answered:
    """A person's yes or no: to a question, or of any photo of the INDEX and a sentence."""
    if (body.question is None) == (body.key is None or body.sentence is None):
        raise Refused(422, "it is not said what was answered", "give question, or key and sentence")
    if body.question is not None:
        number = await run_in_threadpool(service.state.answer, body.question, body.answer)
    else:
        key, sentence = str(body.key), str(body.sentence)
        number = await service.work.run(_tell, service, key, None, sentence, body.answer)
    return await _answered(service, number)


@router.post("/feedback/photo")
async def feedback_photo(
    service: Serving, photo: Annotated[UploadFile, File()], request: Annotated[str, Form()]
) -> Answered:
    """A person's yes or no of an uploaded photo and a sentence."""
    body = parsed(FeedbackPhotoBody, request)
    content = await photo_bytes(service, photo)
    return await _answered(
        service, await service.work.run(_tell, service, None, content, body.sentence, body.answer)
    )


def _tell(service: Service, key: str | None, content: bytes | None, sentence: str, answer: str) -> int:
    picture = service.picture(key) if key is not None else service.decode(content or b"")
    return service.state.tell(sentence, service.pictures.keep(picture), answer, key=key)


async def _answered(service: Service, number: int) -> Answered:
    waiting, _ = await run_in_threadpool(service.state.questions, 1)
    return Answered(id=number, waiting=waiting)


@router.get("/feedback")
async def answers(service: Serving) -> Answers:
    """How many yes and no there are."""
    return Answers(**await run_in_threadpool(service.state.answers))


@router.get("/feedback/export", response_class=Response, responses=EXPORTS)
async def export(service: Serving, format: Literal["jsonl", "zip"] = "jsonl") -> Response:
    """All answers for `lift calibrate --feedback`, as JSON lines or as a zip with the photos beside them."""
    if format == "jsonl":
        return StreamingResponse(lines(service), media_type="application/x-ndjson")
    file = await service.views.run(_zip, service)
    headers = {
        "Content-Disposition": 'attachment; filename="answers.zip"',
        "Content-Length": str(file.seek(0, os.SEEK_END)),
    }
    file.seek(0)
    pieces = iter(lambda: file.read(1 << 20), b"")
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


def lines(service: Service) -> Iterator[str]:
    """One line per answer; `image` is the copy that was shown, relative to the folder of the copies."""
    for row in service.state.each_answer():
        line = {name: row[name] for name in ("answer", "chosen", "key", "made")}
        line = {"image": service.pictures.name(row["picture"]), "text": row["sentence"], **line}
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _zip(service: Service) -> IO[bytes]:
    """answers.jsonl and the copies that it names, in a file without a name: it goes when nobody holds it any more."""
    file = tempfile.TemporaryFile(dir=service.folder)  # noqa: SIM115  closed when it has been sent
    with zipfile.ZipFile(file, "w") as archive:
        told = list(lines(service))
        archive.writestr("answers.jsonl", "".join(told))
        for image in dict.fromkeys(json.loads(line)["image"] for line in told):
            if (service.pictures.folder / image).is_file():
                archive.write(service.pictures.folder / image, image)
    return file


@router.delete("/feedback/{number}")
async def take_back(number: int, service: Serving) -> Deleted:
    """Take an answer back; its question waits again."""
    return Deleted(deleted=await run_in_threadpool(service.state.take_back, number))
