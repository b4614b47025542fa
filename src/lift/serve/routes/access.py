"""How routes reach the service, and how they read multipart bodies."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, UploadFile
from pydantic import BaseModel, ValidationError

from lift.serve.bodies import Error
from lift.serve.jobs import Jobs
from lift.serve.refusing import Refused
from lift.serve.service import Service

B = TypeVar("B", bound=BaseModel)


def _service(request: Request) -> Service:
    return request.app.state.service


def _jobs(request: Request) -> Jobs:
    return request.app.state.jobs


Checking = Annotated[Jobs, Depends(_jobs)]
Serving = Annotated[Service, Depends(_service)]

#: What every route may answer besides its own.
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error} for status in (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503)
}


def parsed(kind: type[B], text: str | None) -> B:
    """The JSON in the string `text` of a multipart body; Refused 422 when it is not as it should be."""
    try:
        return kind.model_validate_json(text or "{}")
    except ValidationError:  # a ValueError, too, and answered by its own handler
        raise
    except (ValueError, RecursionError) as error:
        raise Refused(422, "`request` is not JSON", "see /docs") from error


async def photo_bytes(service: Service, photo: UploadFile) -> bytes:
    """The bytes of an uploaded photo; Refused 413 when they are too many."""
    most = service.limits.photo_bytes
    content = await photo.read(most + 1)
    if len(content) > most:
        raise Refused(413, f"the photo has more than {most:,} bytes", "make the photo smaller")
    return content
