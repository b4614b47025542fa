"""Every answer of 400 and above in one shape: {error, remedy, request}."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from lift.data import BadImage
from lift.errors import LiftError
from lift.serve.logs import failure

#: What to say where the framework refuses by itself.
_WORDS = {
    400: ("the request cannot be read", "send a complete body of the kind that /docs names"),
    404: ("there is no such address", "see /docs for the addresses there are"),
    405: ("this address does not know that method", "see /docs for the method it takes"),
    413: ("the request is too large", "send less at once"),
}


class Refused(HTTPException):
    """An answer of 400 and above; as an HTTPException it passes through the reading of bodies unchanged."""

    def __init__(
        self, status: int, error: str, remedy: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, error, dict(headers) if headers else None)
        self.remedy = remedy


class Busy(Refused):
    """503: nothing was done; the client may come again in a moment."""

    def __init__(self, error: str, after: float = 1.0) -> None:
        headers = {"Retry-After": str(max(1, math.ceil(after)))}
        super().__init__(503, error, "ask again after the seconds in Retry-After", headers)


def answer(
    status: int, error: str, remedy: str, number: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response itself; `number` finds the request in the log."""
    return JSONResponse(
        {"error": error, "remedy": remedy, "request": number}, status, dict(headers) if headers else None
    )


def problems(errors: list[Any]) -> str:
    """What pydantic found, as "where: what", without what was sent."""
    said = []
    for one in errors[:3]:
        place = ".".join(str(part)[:60] for part in one["loc"] if part not in ("body", "query", "path"))
        said.append(f"{place}: {one['msg']}" if place else str(one["msg"]))
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return ("; ".join(said) + more).encode(errors="backslashreplace").decode()


def install(app: FastAPI) -> None:
    """Give `app` the handlers."""

    def number(request: Request) -> str:
        return str(request.scope.get("lift.number", ""))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if isinstance(error, Refused):
            problem, remedy = error.detail, error.remedy
        else:
            problem, remedy = _WORDS.get(error.status_code, (error.detail, "see /docs"))
            if error.status_code == 400 and error.detail and "parsing the body" not in error.detail:
                problem = f"{problem}: {error.detail}"
        return answer(error.status_code, problem, remedy, number(request), error.headers)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, (RequestValidationError, ValidationError))
        found = problems(list(error.errors()))
        return answer(422, f"the request is not as it should be: {found}", "see /docs", number(request))

    async def mistake(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, LiftError)
        return answer(400, error.problem, error.remedy, number(request))

    async def bad_image(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, BadImage)
        return answer(422, f"the photo cannot be used: {error.reason}", error.remedy, number(request))

    async def broken(request: Request, error: Exception) -> JSONResponse:
        failure("the database or the disk refused", error, number=number(request))
        again = Busy("the server cannot write or read what it must at the moment", after=10)
        return answer(503, again.detail, again.remedy, number(request), again.headers)

    async def bug(request: Request, error: Exception) -> JSONResponse:
        del error
        return answer(
            500,
            "the server made a mistake",
            "look into its log for this request, and report it",
            number(request),
        )

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, invalid)
    app.add_exception_handler(LiftError, mistake)
    app.add_exception_handler(BadImage, bad_image)
    app.add_exception_handler(SQLAlchemyError, broken)
    app.add_exception_handler(OSError, broken)
    app.add_exception_handler(Exception, bug)
