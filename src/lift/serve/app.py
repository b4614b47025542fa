"""The application: routes, the page's files, and the steps around them."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from lift import __version__
from lift.serve import refusing
from lift.serve.guard import LOOPBACK, Guard, Keys, Rates
from lift.serve.jobs import Jobs
from lift.serve.refusing import Refused
from lift.serve.routes import about, asking, judging, photos, searching, tables
from lift.serve.service import Service
from lift.serve.watching import Watch

PAGE = Path(__file__).with_name("page")


def make_app(
    service: Service, token: str | None = None, *, hosts: frozenset[str] | None = LOOPBACK
) -> ASGIApp:
    """The whole server over an opened `service`, for uvicorn or a test."""

    jobs = Jobs(service)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.warm)
        jobs.start()
        yield
        await run_in_threadpool(jobs.close)
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="lift",
        version=__version__,
        description="Search photos by sentences, and check whether sentences are true of photos.",
        docs_url=None,
        redoc_url=None,
        lifespan=life,
    )
    app.state.service, app.state.keys, app.state.jobs = service, Keys(token), jobs
    app.state.logins = Rates(rate=1 / 6, burst=10)
    refusing.install(app)
    for module in (about, searching, judging, photos, tables, asking):
        app.include_router(module.router)
    _add_page(app)
    app.state.docs_page = about.docs_page(app.openapi())
    rates = Rates(service.config.rate, 4 * service.config.rate)
    keys, limits, seconds = app.state.keys, service.limits, service.config.seconds
    guard = Guard(app, keys=keys, rates=rates, limits=limits, hosts=hosts, seconds=seconds)
    return Watch(guard, service.counts)


def _add_page(app: FastAPI) -> None:
    """The web page, from the files that are there at the start: nothing of a request becomes a path."""
    files = {
        file.name: file for file in sorted(PAGE.iterdir()) if file.is_file() and file.name[0] not in "._"
    }

    def page_file(name: str) -> Response:
        if name not in files:
            raise Refused(404, "the page has no such file", "open / for the page")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(files[name].read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})

    app.get("/", include_in_schema=False)(lambda: page_file("index.html"))
    app.get("/page/{name}", include_in_schema=False)(page_file)
