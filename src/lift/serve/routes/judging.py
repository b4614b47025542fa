"""Is a description true of a photo, and which words and which place speak against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from PIL import Image

from lift.serve.bodies import (
    HeatmapBody,
    HeatmapPhotoBody,
    Part,
    VerdictAnswer,
    VerifyAnswer,
    VerifyBody,
    VerifyPhotoBody,
)
from lift.serve.pictures import as_overlay
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Serving, parsed, photo_bytes
from lift.serve.service import Service

router = APIRouter(prefix="/api", responses=ERRORS)
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


@router.post("/verify")
async def verify(body: VerifyBody, service: Serving) -> VerifyAnswer:
    """Whether sentences are true of a photo of the INDEX."""
    return await service.work.run(lambda: _verify(service, service.picture(body.key), body, body.key))


@router.post("/verify/photo")
async def verify_photo(
    service: Serving, photo: Annotated[UploadFile, File()], request: Annotated[str, Form()]
) -> VerifyAnswer:
    """Whether sentences are true of an uploaded photo."""
    body = parsed(VerifyPhotoBody, request)
    content = await photo_bytes(service, photo)
    return await service.work.run(lambda: _verify(service, service.decode(content), body, None))


def _verify(service: Service, picture: Image.Image, body: VerifyPhotoBody, key: str | None) -> VerifyAnswer:
    judge = service.judge
    service.tell(key=key, sentences=body.sentences)
    verdicts = judge.verdicts(service.pixels(picture), body.sentences, words=body.words and judge.words)
    kept, answers = None, []
    for verdict in verdicts:
        question, suspicious = None, parts(verdict.suspicious)
        service.counts.verdicts.labels(verdict.decision or "unjudged").inc()
        if body.ask and (chosen := service.chosen(verdict.decision)):
            kept = kept or service.pictures.keep(picture)
            question = service.state.ask(
                verdict.text,
                kept,
                key=key,
                probability=verdict.probability,
                suspicious=[part.model_dump() for part in suspicious],
                chosen=chosen,
            )
        answers.append(
            VerdictAnswer(
                sentence=verdict.text,
                decision=verdict.decision,
                probability=verdict.probability,
                cosine=round(verdict.cosine, 6),
                group=verdict.group,
                suspicious=suspicious,
                place=judge.places,
                question=question,
                beaten=verdict.beaten,
                background=verdict.background,
            )
        )
    best = max(range(len(verdicts)), key=lambda number: verdicts[number].cosine)
    return VerifyAnswer(verdicts=answers, best=best, calibrated=judge.calibrated)


def parts(found: Sequence[Any]) -> list[Part]:
    """Suspicious parts of a sentence, the most suspicious first."""
    ordered = sorted(found, key=lambda part: -part.score)
    return [Part(start=p.start, end=p.end, text=p.text, score=round(float(p.score), 6)) for p in ordered]


@router.post("/heatmap", response_class=Response, responses=PNG)
async def heatmap(body: HeatmapBody, service: Serving) -> Response:
    """Which place of a photo of the INDEX a sentence is about: PNG to lay over it."""
    _check_places(service)
    png = await service.work.run(lambda: _heatmap(service, service.picture(body.key), body.sentence))
    return Response(png, media_type="image/png")


@router.post("/heatmap/photo", response_class=Response, responses=PNG)
async def heatmap_photo(
    service: Serving, photo: Annotated[UploadFile, File()], request: Annotated[str, Form()]
) -> Response:
    """Which place of an uploaded photo a sentence is about: PNG to lay over it."""
    body = parsed(HeatmapPhotoBody, request)
    _check_places(service)
    content = await photo_bytes(service, photo)
    png = await service.work.run(lambda: _heatmap(service, service.decode(content), body.sentence))
    return Response(png, media_type="image/png")


def _check_places(service: Service) -> None:
    if not service.judge.places:
        raise Refused(
            404,
            "places are not shown for this model",
            "they are shown only when `lift calibrate` has found that they beat chance",
        )


def _heatmap(service: Service, picture: Image.Image, sentence: str) -> bytes:
    heat = service.judge.heatmap(service.pixels(picture), sentence)
    return as_overlay(heat, picture.size, service.model.resize_mode)
