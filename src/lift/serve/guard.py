"""What every request passes before it reaches a route (rate, host, origin, token, size), and what answers carry."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lift.serve.config import LONG, Limits
from lift.serve.lanes import DEADLINE
from lift.serve.refusing import Busy, Refused, answer

#: Requests that are answered at once; each may hold a body.
MOST_ACTIVE = 500
LONG_PATHS, EXPORT = ("/api/photos", "/api/tables"), "/api/feedback/export"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
COOKIE = "lift_session"
COOKIE_SECONDS = 12 * 3600
SAFE = ("GET", "HEAD", "OPTIONS")
#: Served without a token: the page itself holds nothing secret, and a probe has no token.
OPEN_PATHS = (
    "/",
    "/favicon.ico",
    "/api/session",
    "/api/login",
    "/api/logout",
    "/health/live",
    "/health/ready",
)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Keys:
    """The token, and cookies made of it: `expiry.signature`, so that nothing need be remembered."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self._hash = hashlib.sha256((token or "").encode()).digest()

    def is_token(self, given: str) -> bool:
        """Whether `given` is the token; takes the same time whatever is given."""
        found = hashlib.sha256(given.encode(errors="surrogateescape")).digest()
        return self.token is not None and hmac.compare_digest(found, self._hash)

    def cookie(self, now: float | None = None) -> str:
        """A new cookie."""
        ends = str(int((time.time() if now is None else now) + COOKIE_SECONDS))
        return f"{ends}.{self._sign(ends)}"

    def is_cookie(self, given: str) -> bool:
        """Whether `given` was made here and has not run out."""
        ends, _, signature = given.partition(".")
        right = hmac.compare_digest(self._sign(ends).encode(), signature.encode(errors="replace"))
        return right and ends.isdecimal() and ends.isascii() and len(ends) < 13 and int(ends) > time.time()

    def _sign(self, ends: str) -> str:
        return hmac.new(self._hash, b"lift session " + ends.encode(errors="replace"), "sha256").hexdigest()

    def known(self, headers: Headers) -> bool:
        """Whether a request with `headers` may come in."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.is_token(given.strip())
        # http.cookies gives up at the first odd cookie, and browsers send those of all ports of a host.
        return self.is_cookie(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))


class Rates:
    """A bucket of tokens per client: `rate` a second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float, clients: int = 10_000) -> None:
        self.rate, self.burst, self.clients = rate, burst, clients
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float | None = None) -> float:
        """Take one; 0 when there was one, else the seconds until there is."""
        if not self.rate:
            return 0
        now = time.monotonic() if now is None else now
        left, then = self._buckets.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.rate)
        wait = 0.0 if left >= 1 else (1 - left) / self.rate
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > self.clients:
            self._buckets.popitem(last=False)
        return wait

    def give(self, client: str) -> None:
        """Put back what `wait` took."""
        if client in self._buckets:
            left, then = self._buckets[client]
            self._buckets[client] = (left + 1, then)


class Guard:
    """ASGI: refuses what must not come in, counts the bytes of bodies, and puts the security headers on answers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        rates: Rates,
        limits: Limits,
        hosts: frozenset[str] | None,
        seconds: float,
    ) -> None:
        """hosts: the names this server answers to, without ports; None: any. seconds: to answer a usual request."""
        self.app, self.keys, self.rates, self.limits, self.hosts = app, keys, rates, limits, hosts
        self.seconds, self.active, self.held = seconds, 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            else:  # no route speaks WebSocket
                await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            self.check(scope)
            long = scope["path"] == EXPORT or (scope["method"] == "POST" and scope["path"] in LONG_PATHS)
            seconds = self.seconds * (LONG if long else 1)

            def start() -> None:
                DEADLINE.set(time.monotonic() + seconds)  # of this request's own task

            counted = Body(receive, self._most(scope), self.limits.body_seconds, self._hold, start)
            counted.check(Headers(scope=scope))
        except Refused as error:
            number = scope.get("lift.number", "")
            refusal = answer(error.status_code, error.detail, error.remedy, number, error.headers)
            await refusal(scope, receive, with_headers)
            return
        self.active += 1
        start()
        try:
            await self.app(scope, counted, with_headers)
        finally:
            self.active -= 1
            self.held -= counted.bytes

    def _hold(self, size: int) -> None:
        """Count bytes of a body, until its request has been answered."""
        self.held += size
        if self.held > self.limits.held_bytes:
            raise Busy("too many uploads are being worked on", after=5)

    def check(self, scope: Scope) -> None:
        """Raise Refused unless the request may come in."""
        headers, path = Headers(scope=scope), scope["path"]
        client = scope["client"][0] if scope.get("client") else "?"
        if self.active >= MOST_ACTIVE and not path.startswith("/health/"):
            raise Busy(f"{self.active} requests are being answered already")
        if not path.startswith("/health/") and (wait := self.rates.wait(client)):
            seconds = {"Retry-After": str(max(1, round(wait + 0.5)))}
            raise Refused(429, "too many requests", "wait for the seconds in Retry-After", seconds)
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            raise Refused(
                403,
                "this server does not go by that name",
                "call it by its address, or start it with --allow-host NAME",
            )
        if scope["method"] not in SAFE:
            self._check_origin(headers, host)
        if path not in OPEN_PATHS and not path.startswith("/page/") and not self.keys.known(headers):
            raise Refused(
                401,
                "a token is needed",
                "send the header Authorization: Bearer TOKEN, or log in on the page",
                {"WWW-Authenticate": "Bearer"},
            )

    def _check_origin(self, headers: Headers, host: str) -> None:
        """A browser names the page that a writing request comes from; it must be our own."""
        origin = headers.get("origin")
        if origin is not None:
            try:
                netloc = urlsplit(origin).netloc
            except ValueError:
                netloc = ""
            # A proxy may leave the port out of Host, so its names count with any; what serves another port of this
            # machine is a stranger.
            if netloc and (netloc == host or _name(netloc) in (self.hosts or frozenset()) - LOOPBACK):
                return
        elif headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return
        raise Refused(
            403,
            "the request comes from another web page",
            "use this server's own page, or send no Origin header",
        )

    def _most(self, scope: Scope) -> int:
        kind = Headers(scope=scope).get("content-type", "")
        return self.limits.upload_bytes if kind.startswith("multipart/") else self.limits.json_bytes


class Body:
    """`receive` that refuses a body past `most` bytes or behind `seconds`.

    `hold` is told of every byte; `whole` is called when all are there: only then does the time for an answer begin.
    """

    def __init__(
        self,
        receive: Receive,
        most: int,
        seconds: float,
        hold: Callable[[int], None],
        whole: Callable[[], None] = lambda: None,
    ) -> None:
        self._receive, self._most, self._ends = receive, most, time.monotonic() + seconds
        self._hold, self.bytes, self._whole, self._tell = hold, 0, False, whole

    def check(self, headers: Headers) -> None:
        """Raise Refused when the body says itself that it is too long."""
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self._most:
            raise self._too_long()

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.01, self._ends - time.monotonic()))
        except TimeoutError as error:
            raise Refused(408, "the body did not come in time", "send less at once") from error
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self.bytes += size
            self._whole = not message.get("more_body", False)
            self._hold(size)
            if self.bytes > self._most:
                raise self._too_long()
            if self._whole:
                self._tell()
        return message

    def _too_long(self) -> Refused:
        return Refused(413, f"the body is longer than {self._most:,} bytes", "send less at once")


def _name(host: str) -> str:
    """A host without its port, in small letters."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
