"""The outermost step: a number for every request, one line in the log, and what /metrics counts."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lift.serve.counting import Counts
from lift.serve.logs import event


class Watch:
    """ASGI: numbers, times, counts and logs requests."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["lift.number"] = secrets.token_hex(8)
        began, status, sent = time.perf_counter(), 499, 0  # 499: the client left before an answer

        async def noted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = scope["lift.number"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            method = (
                scope["method"] if scope["method"] in ("GET", "POST", "DELETE", "HEAD", "PUT") else "other"
            )
            self.counts.requests.labels(route, method, str(status)).inc()
            self.counts.seconds.labels(route).observe(seconds)
            event(
                "request",
                number=scope["lift.number"],
                client=scope["client"][0] if scope.get("client") else None,
                method=method,
                route=route,  # the pattern: what people ask for is in the query, which is left out
                status=status,
                ms=round(seconds * 1000, 1),
                bytes=sent,
            )
