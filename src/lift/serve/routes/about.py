"""Who is there: session, about, health, metrics, and the list of routes as a page."""

from __future__ import annotations

import html
import json

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.concurrency import run_in_threadpool

from lift import __version__
from lift.serve.bodies import About, AboutModel, FieldFact, Health, LoginBody, Session, Shows
from lift.serve.guard import COOKIE, COOKIE_SECONDS, Keys
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Serving
from lift.serve.service import folder_of

router = APIRouter(responses=ERRORS)


@router.get("/api/session")
async def session(request: Request) -> Session:
    """Whether a token is needed, and whether this client has shown it."""
    keys: Keys = request.app.state.keys
    return Session(token_needed=keys.token is not None, logged_in=keys.known(request.headers))


@router.post("/api/login")
async def login(body: LoginBody, request: Request, response: Response) -> Session:
    """Give a browser the cookie that stands for the token."""
    keys: Keys = request.app.state.keys
    client = request.client.host if request.client else "?"
    if keys.token is None:
        return Session(token_needed=False, logged_in=True)
    if wait := request.app.state.logins.wait(client):
        again = {"Retry-After": str(round(wait + 1))}
        raise Refused(429, "too many wrong tokens", "wait for the seconds in Retry-After", again)
    if not keys.is_token(body.token.strip()):
        raise Refused(
            401, "that is not the token", "ask the person who runs the server", {"WWW-Authenticate": "Bearer"}
        )
    request.app.state.logins.give(client)  # a whole office may come from one address: only wrong ones count
    response.set_cookie(
        COOKIE,
        keys.cookie(),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Session(token_needed=True, logged_in=True)


@router.post("/api/logout")
async def logout(request: Request, response: Response) -> Session:
    """Take the cookie away."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    needed = request.app.state.keys.token is not None
    return Session(token_needed=needed, logged_in=not needed)


@router.get("/api/about")
async def about(service: Serving) -> About:
    """The model, what it promises, and what a request may ask for."""
    limits, model = service.limits, service.model
    facts = await service.views.run(service.field_facts)  # looks for what other processes did, too
    return About(
        version=__version__,
        model=AboutModel(
            id=model.id, name=model.name, method=model.method, text_encoder=model.fingerprint.name
        ),
        photos=len(service.index),
        index=folder_of(service.config.index),
        calibrated=service.judge.calibrated,
        promises=service.judge.promises,
        shows=Shows(words=service.judge.words, places=service.judge.places),
        fields=[FieldFact(**fact) for fact in facts],
        languages=["en"] if model.fingerprint.name == "minilm" else None,
        limits={
            "photo_bytes": limits.photo_bytes,
            "photo_pixels": limits.photo_pixels,
            "files": limits.files,
            "sentences": limits.sentences,
            "sentence_length": limits.sentence_length,
            "classes": limits.classes,
            "top": limits.top,
            "table_bytes": limits.table_bytes,
            "table_rows": limits.table_rows,
            "upload_bytes": limits.upload_bytes,
            "zip_bytes": limits.zip_bytes,
        },
        writable=not service.config.read_only,
    )


@router.get("/health/live")
async def live() -> Health:
    """The process answers."""
    return Health(state="ok")


@router.get("/health/ready", responses={503: {"model": Health}})
async def ready(service: Serving) -> Response:
    """Model and database can be used."""
    fit = service.ready and not service.switched and await run_in_threadpool(service.state.ready)
    return JSONResponse({"state": "ok" if fit else "not ready"}, 200 if fit else 503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: Serving) -> Response:
    """What Prometheus reads."""
    text = await run_in_threadpool(service.counts.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The routes as one plain page, without scripts."""
    return HTMLResponse(request.app.state.docs_page)


def docs_page(openapi: dict) -> str:
    """A page of the OpenAPI description: every route with what it takes and gives."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>lift: routes</title>'
        '<meta name="viewport" content="width=device-width"></head><body><h1>lift: routes</h1>'
        '<p>For programs: <a href="/openapi.json">openapi.json</a>. In words: docs/server.md.</p>'
    ]
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            parts.append(
                f"<h2>{method.upper()} {html.escape(path)}</h2><p>{html.escape(route.get('description', ''))}</p>"
            )
            for where in route.get("parameters", []):
                must = "needed" if where.get("required") else "may be missing"
                parts.append(f"<p><code>{html.escape(where['name'])}</code> ({where['in']}, {must})</p>")
            taken = route.get("requestBody", {}).get("content", {})
            parts += [f"<p>takes {html.escape(kind)}: {_schema(of)}</p>" for kind, of in taken.items()]
            given = {code: of.get("content", {}) for code, of in route["responses"].items() if code < "3"}
            for code, content in given.items():
                parts += [
                    f"<p>gives {code} {html.escape(kind)}: {_schema(of)}</p>" for kind, of in content.items()
                ]
    parts.append("<h1>Kinds</h1>")
    for name, schema in openapi.get("components", {}).get("schemas", {}).items():
        shown = html.escape(json.dumps(schema, indent=1, ensure_ascii=False))
        parts.append(f'<details id="{name}"><summary>{name}</summary><pre>{shown}</pre></details>')
    return "\n".join(parts) + "</body></html>"


def _schema(of: dict) -> str:
    name = of.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f'<a href="#{name}">{name}</a>' if name else "as it is"
