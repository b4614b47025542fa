"""Find photos, look at them, and say which class fits."""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from PIL import Image

from lift.indexing import Match
from lift.predict import DEFAULT_TEMPLATES, class_features, class_scores, spoken
from lift.serve.bodies import (
    ClassifyAnswer,
    ClassifyBody,
    ClassifyPhotoBody,
    ClassScore,
    Found,
    Photo,
    SearchAnswer,
    SearchBody,
)
from lift.serve.fields import as_json
from lift.serve.pictures import as_jpeg
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Serving, parsed, photo_bytes
from lift.serve.service import Service

router = APIRouter(prefix="/api", responses=ERRORS)
JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
KeyInAddress = Annotated[str, Query(min_length=1, max_length=1000)]


def shown(match: Match) -> dict[str, Any]:
    """A photo as answers have it; where its file lies is nobody's business."""
    key = quote(match.key, safe="")
    return {
        "key": match.key,
        "captions": list(match.captions),
        "metadata": {name: as_json(value) for name, value in match.metadata.items()},
        "thumbnail": f"/api/photo/thumbnail?key={key}",
        "picture": f"/api/photo/picture?key={key}",
    }


@router.post("/search")
async def search(body: SearchBody, service: Serving) -> SearchAnswer:
    """Find photos by a sentence, by the likeness to a photo of the INDEX, or by both."""
    async with service.work.place():
        photo = None if body.key is None else await service.work.run(service.vector, body.key)
        return await _search(service, body, photo)


@router.post("/search/photo")
async def search_photo(
    service: Serving, photo: Annotated[UploadFile, File()], request: Annotated[str | None, Form()] = None
) -> SearchAnswer:
    """Find photos like an uploaded one; `request` may add what POST /api/search takes."""
    body = parsed(SearchBody, request)
    content = await photo_bytes(service, photo)
    async with service.work.place():
        vector = await service.work.run(lambda: service.encode_photo(service.decode(content)))
        return await _search(service, body, vector)


async def _search(service: Service, body: SearchBody, photo: np.ndarray | None) -> SearchAnswer:
    began = time.perf_counter()
    service.tell(**body.model_dump(exclude_defaults=True))
    if body.text is None and photo is None:
        raise Refused(422, "there is nothing to look for", "give text, key or a photo")
    texts = [*([body.text] if body.text is not None else []), *body.without]
    vectors = dict(zip(texts, await service.texts.vectors(texts), strict=True)) if texts else {}
    wanted = body.offset + body.top + 1

    def find() -> list[Match]:
        text = (body.text, vectors[body.text]) if body.text is not None else None
        without = {sentence: vectors[sentence] for sentence in body.without}
        return service.find(text, photo, without, body.weight, top=wanted, where=body.where)

    found = await service.work.run(find)
    only_text = body.text is not None and photo is None and not body.without
    page = found[body.offset : body.offset + body.top]
    return SearchAnswer(
        matches=[
            Found(rank=rank, score=round(match.score, 6), **shown(match))
            for rank, match in enumerate(page, body.offset + 1)
        ],
        photos=len(service.index),
        more=len(found) == wanted,
        fits=service.judge.decision(body.text, found[0].score) if only_text and found and body.text else None,
        seconds=round(time.perf_counter() - began, 4),
    )


@router.get("/photo")
async def photo(key: KeyInAddress, service: Serving) -> Photo:
    """What is known of one photo."""
    return Photo(**shown(await service.views.run(service.match, key)))


@router.get("/photo/thumbnail", response_class=Response, responses=JPEG)
async def thumbnail(
    key: KeyInAddress, service: Serving, request: Request, size: Annotated[int, Query(ge=32, le=512)] = 256
) -> Response:
    """A small JPEG."""
    return await _picture(service, request, key, size)


@router.get("/photo/picture", response_class=Response, responses=JPEG)
async def picture(key: KeyInAddress, service: Serving, request: Request) -> Response:
    """The photo as JPEG, its longest side at most 2048; without its metadata."""
    return await _picture(service, request, key, 2048)


async def _picture(service: Service, request: Request, key: str, side: int) -> Response:
    content = await service.views.run(lambda: as_jpeg(service.picture(key, side), side))
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="image/jpeg", headers=headers)


@router.post("/classify")
async def classify(body: ClassifyBody, service: Serving) -> ClassifyAnswer:
    """Which of your class names fits a photo of the INDEX."""
    async with service.work.place():
        picture = await service.work.run(service.picture, body.key)
        return await _classify(service, picture, body)


@router.post("/classify/photo")
async def classify_photo(
    service: Serving, photo: Annotated[UploadFile, File()], request: Annotated[str, Form()]
) -> ClassifyAnswer:
    """Which of your class names fits an uploaded photo."""
    body = parsed(ClassifyPhotoBody, request)
    content = await photo_bytes(service, photo)
    async with service.work.place():
        return await _classify(service, await service.work.run(service.decode, content), body)


async def _classify(service: Service, picture: Image.Image, body: ClassifyPhotoBody) -> ClassifyAnswer:
    names = list(dict.fromkeys(body.classes))
    if len(names) < 2:
        raise Refused(422, "there is one class name only", "give at least two different ones")
    vector = await service.work.run(service.encode_photo, picture)
    sentences = [template.replace("{}", spoken(name)) for name in names for template in DEFAULT_TEMPLATES]
    vectors = await service.texts.vectors(sentences)
    scores = class_scores(vector[None], class_features(lambda _: vectors, names))[0]
    best = np.argsort(-scores, kind="stable")[: body.top]
    return ClassifyAnswer(
        classes=[ClassScore(name=names[row], score=round(float(scores[row]), 6)) for row in best]
    )
