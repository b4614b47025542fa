"""Who may come in: token, cookie, host, origin, rate, size; and what every answer carries."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from lift.errors import LiftError, UsageError
from lift.serve import starting
from lift.serve.config import Limits, ServeConfig
from lift.serve.guard import Body, Guard, Keys, Rates
from lift.serve.lanes import DEADLINE
from lift.serve.refusing import Busy, Refused
from lift.serve.starting import check_address, is_loopback, listen, read_token
from lift.serve.state import State
from serve_by_hand import as_file, client, make_index, photo_bytes, running, written

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def index(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tiny_run, tmp_path_factory.mktemp("guarded"))


@pytest.fixture(scope="module")
def server(index: Path) -> Iterator[TestClient]:
    with client(index, token=TOKEN) as opened:
        yield opened


def test_without_the_token_only_the_page_and_health_are_served(server: TestClient) -> None:
    server.cookies.clear()
    for path in (
        "/api/about",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/api/photo/picture?key=red/circle.png",
        "/api/x",
    ):
        refused = server.get(path)
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer", path
        assert set(refused.json()) == {"error", "remedy", "request"}
        assert server.get(path, headers=BEARER).status_code != 401
    for path in ("/", "/health/live", "/health/ready", "/api/session"):
        assert server.get(path).status_code == 200, path
    for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xff"):
        assert server.get("/api/about", headers={"Authorization": wrong.encode("latin-1")}).status_code == 401


def test_a_browser_logs_in_with_a_cookie_that_no_script_reads(server: TestClient) -> None:
    server.cookies.clear()
    assert server.post("/api/login", json={"token": "wrong"}).status_code == 401
    answer = server.post("/api/login", json={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert answer.json() == {"token_needed": True, "logged_in": True} and "Secure" not in cookie
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    assert server.get("/api/about").status_code == 200
    assert server.get("/api/session").json()["logged_in"] is True
    server.post("/api/logout")
    assert server.get("/api/about").status_code == 401
    with_tls = server.post("https://127.0.0.1/api/login", json={"token": TOKEN})
    assert "; Secure" in with_tls.headers["set-cookie"]
    server.cookies.clear()


def test_odd_cookies_of_other_programs_on_this_machine_do_no_harm(server: TestClient) -> None:
    server.cookies.clear()
    cookie = f'theirs={{"a": "b,c"}}; a[0]=1; lift_session={Keys(TOKEN).cookie()}; ;=; 犬=x'
    assert server.get("/api/about", headers={"Cookie": cookie.encode()}).status_code == 200
    assert server.get("/api/about", headers={"Cookie": b"lift_session"}).status_code == 401


def test_cookies_run_out_and_cannot_be_made_up() -> None:
    keys, other = Keys(TOKEN), Keys(TOKEN + "!")
    assert keys.is_cookie(keys.cookie()) and not other.is_cookie(keys.cookie())
    assert not keys.is_cookie(keys.cookie(now=time.time() - 13 * 3600))
    later = f"{int(time.time()) + 10**6}.{keys.cookie().partition('.')[2]}"
    for made_up in (later, "", ".", "9" * 40 + ".x", "１２.x", "x.y", "\udcff.\udcff"):
        assert not keys.is_cookie(made_up)


def test_wrong_tokens_are_slowed_down(index: Path) -> None:
    with client(index, token=TOKEN) as server:
        right = [server.post("/api/login", json={"token": TOKEN}).status_code for _ in range(12)]
        statuses = [server.post("/api/login", json={"token": f"guess {n}"}).status_code for n in range(12)]
    assert right == [200] * 12 and statuses == [401] * 10 + [429] * 2


def test_other_names_and_other_pages_are_refused(server: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::2]:80"):
        assert server.get("/health/live", headers={"Host": host}).status_code == 403, host
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:9", "[::1]:8000"):
        assert server.get("/health/live", headers={"Host": host}).status_code == 200, host
    for origin in (
        "https://evil.example",
        "null",
        "file://",
        "http://127.0.0.1.evil.example",
        "http://[",
        "garbage",
        "http://127.0.0.1:3000",  # another program's page on this machine
        "http://localhost",
    ):
        refused = server.post("/api/search", json={"text": "a"}, headers={**BEARER, "Origin": origin})
        assert refused.status_code == 403, origin
    own = {**BEARER, "Origin": "http://127.0.0.1"}
    assert server.post("/api/search", json={"text": "a"}, headers=own).status_code == 200
    proxied = {**BEARER, "Host": "photos.example", "Origin": "https://photos.example:8443"}
    guard = server.app.app  # type: ignore[attr-defined]  # Watch, then Guard
    kept, guard.hosts = guard.hosts, guard.hosts | {"photos.example"}
    try:
        assert server.post("/api/search", json={"text": "a"}, headers=proxied).status_code == 200
    finally:
        guard.hosts = kept
    cross = {**BEARER, "Sec-Fetch-Site": "cross-site"}
    assert server.post("/api/search", json={"text": "a"}, headers=cross).status_code == 403


def test_every_answer_carries_the_security_headers(server: TestClient) -> None:
    for answer in (server.get("/"), server.get("/api/about"), server.get("/nothing", headers=BEARER)):
        policy = answer.headers["content-security-policy"]
        assert (
            "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        )
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-request-id"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_rates_give_back_over_time() -> None:
    rates = Rates(rate=2, burst=3)
    assert [rates.wait("a", now=10) for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.wait("b", now=10) == 0 and rates.wait("a", now=10.5) == 0
    assert rates.wait("a", now=10.5) == 0.5
    few = Rates(rate=1, burst=1, clients=2)
    for client_ in "abc":
        few.wait(client_, now=1)
    assert few.wait("a", now=1) == 0  # forgotten: memory is bounded, at a client's gain
    assert Rates(rate=0, burst=0).wait("a") == 0


def test_a_client_that_asks_too_often_is_told_when_to_come_again(index: Path) -> None:
    with client(index, rate=1) as server:
        answers = [server.get("/api/session") for _ in range(6)]
        assert [a.status_code for a in answers] == [200] * 4 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) >= 1 and server.get("/health/live").status_code == 200


def test_bodies_over_the_limit_are_refused_before_they_are_read(server: TestClient) -> None:
    long = server.post(
        "/api/search", content=b"x" * 1_000_001, headers={**BEARER, "Content-Type": "application/json"}
    )
    assert long.status_code == 413
    pieces = (b"x" * 100_000 for _ in range(20))  # chunked: no length is told
    streamed = server.post(
        "/api/search", content=pieces, headers={**BEARER, "Content-Type": "application/json"}
    )
    assert streamed.status_code == 413 and streamed.json()["remedy"]


def test_a_photo_of_too_many_pixels_or_bytes_is_refused(index: Path) -> None:
    with client(index, max_pixels=1_000, max_megabytes=0.004) as server:
        for size, status, said in (
            ((40, 25), 200, ""),
            ((40, 26), 422, "1,000 pixels"),
            ((60, 60), 413, "4,000"),
        ):
            files = {"photo": as_file(photo_bytes(1, size=size))}
            answer = server.post("/api/search/photo", files=files)
            assert answer.status_code == status and said in answer.text
            added = server.post("/api/photos", files=[("photos", files["photo"])], data={"replace": "true"})
            assert added.json()["set_aside"] == (status != 200)


def test_a_body_that_trickles_in_is_given_up() -> None:
    async def slow() -> dict[str, object]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> None:
        body = Body(slow, most=100, seconds=0.2, hold=lambda size: None)  # type: ignore[arg-type]
        for _ in range(100):
            await body()

    with pytest.raises(Refused) as refused:
        asyncio.run(read())
    assert refused.value.status_code == 408 and refused.value.remedy


def test_the_bytes_of_all_bodies_at_work_are_bounded() -> None:
    statuses: list[int] = []
    gate = asyncio.Event()

    async def app(scope: object, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def call(guard: Guard) -> None:
        pieces = [{"type": "http.request", "body": b"x" * 40, "more_body": more} for more in (True, False)]

        async def receive() -> Any:
            return pieces.pop(0)

        async def send(message: Any) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/photos",
            "headers": [(b"host", b"localhost")],
        }
        try:
            await guard(scope, receive, send)
        except Busy as busy:  # FastAPI turns it into the answer
            statuses.append(busy.status_code)

    async def trial() -> None:
        limits, rates = Limits(held_bytes=100), Rates(rate=0, burst=0)
        guard = Guard(app, keys=Keys(None), rates=rates, limits=limits, hosts=None, seconds=5)
        first = asyncio.create_task(call(guard))
        await asyncio.sleep(0.01)
        assert guard.held == 80
        await call(guard)
        assert statuses == [503] and guard.held == 80
        gate.set()
        await first
        assert statuses == [503, 200] and guard.held == 0 and guard.active == 0

    asyncio.run(trial())


def test_the_time_for_an_answer_begins_when_the_body_is_there() -> None:
    left: list[float] = []

    async def app(scope: object, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        left.append(DEADLINE.get() - time.monotonic())

    async def trial() -> None:
        pieces = [{"type": "http.request", "body": b"x", "more_body": more} for more in (True, True, False)]

        async def receive() -> Any:
            await asyncio.sleep(0.1)  # a slow network
            return pieces.pop(0)

        rates = Rates(rate=0, burst=0)
        guard = Guard(app, keys=Keys(None), rates=rates, limits=Limits(), hosts=None, seconds=5)
        scope = {"type": "http", "method": "POST", "path": "/api/verify/photo", "headers": []}
        await guard(scope, receive, receive)  # type: ignore[arg-type]

    asyncio.run(trial())
    assert left == [pytest.approx(5, abs=0.1)]


def test_what_is_full_or_broken_is_answered_503_with_a_time(server: TestClient) -> None:
    service = server.service  # type: ignore[attr-defined]
    service.work.held += 10**6
    try:
        full = server.post("/api/search", json={"text": "a dog"}, headers=BEARER)
    finally:
        service.work.held -= 10**6
    assert full.status_code == 503 and int(full.headers["retry-after"]) >= 1 and full.json()["remedy"]
    kept, service.state = service.state, State("sqlite://")  # in memory: another thread sees no tables
    try:
        refused = server.get("/api/queue", headers=BEARER)
    finally:
        service.state = kept
    assert refused.status_code == 503 and refused.headers["retry-after"] == "10"


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(starting, "PACKAGES", ("fastapi", "no_such_package"))
    with pytest.raises(LiftError, match="no_such_package") as error:
        starting.serve(ServeConfig(index=tmp_path))
    assert error.value.remedy == "pip install 'lift[serve]'"
    code = "import sys; import lift.serve; print([m for m in ('fastapi', 'torch', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_who_cannot_be_reached_safely_does_not_start(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        assert not is_loopback(host)
        with pytest.raises(LiftError, match="without a token") as error:
            check_address(ServeConfig(index=tmp_path, host=host), None)
        assert "--token-file" in error.value.remedy
        check_address(ServeConfig(index=tmp_path, host=host), TOKEN)
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        check_address(ServeConfig(index=tmp_path, host=host), None)
    with pytest.raises(LiftError, match="behind a proxy"):
        check_address(ServeConfig(index=tmp_path, allow_host=("photos.example",)), None)
    with pytest.raises(LiftError, match="behind a proxy"):
        check_address(ServeConfig(index=tmp_path, behind_proxy=True), None)
    for content in (
        b"short",
        b"",
        b"with space in the middle",
        "日本語の秘密の言葉です、とても長い".encode(),
        b"\xff" * 20,
    ):
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(LiftError) as error:
            read_token(tmp_path / "token")
        assert "secrets.token_urlsafe" in error.value.remedy
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert read_token(tmp_path / "token") == TOKEN and read_token(None) is None
    with pytest.raises(LiftError):
        read_token(tmp_path / "nothing")


@pytest.mark.parametrize(
    "options",
    [
        {"threads": 0},
        {"waiting": -1},
        {"rate": -1},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"max_pixels": 0},
        {"ask_share": 2},
        {"max_upload": 1},
    ],
)
def test_options_that_make_no_sense_are_bad_usage(options: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        starting.serve(ServeConfig(index=tmp_path, **options))  # type: ignore[arg-type]


def test_an_address_that_is_taken_is_told() -> None:
    taken = listen("127.0.0.1", 0)
    with pytest.raises(LiftError, match="cannot listen"):
        listen("127.0.0.1", taken.getsockname()[1])
    taken.close()
    for host, port in (("no.such.host.invalid", 80), ("127.0.0.1", 70_000), ("127.0.0.1", -1)):
        with pytest.raises(LiftError):
            listen(host, port)


def test_a_server_of_its_own_logs_without_texts_and_stops_when_told(index: Path) -> None:
    import httpx

    with running(index) as (process, address):
        text = "a very private wish"
        assert httpx.post(f"{address}/api/search", json={"text": text}).status_code == 200
        httpx.post(f"{address}/api/photos", files=[("photos", as_file(photo_bytes(1), "private-name.png"))])
        httpx.get(f"{address}/api/photo", params={"key": "private-name.png"})
        assert httpx.get(f"{address}/api/about", headers={"Host": "evil.example"}).status_code == 403
        body = b'{"text": "the last private wish"}'
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as late:
            head = f"POST /api/search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
            late.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body[:9])
            time.sleep(0.3)
            process.terminate()
            time.sleep(0.3)
            late.sendall(body[9:])  # what was accepted is finished
            assert late.recv(1000).startswith(b"HTTP/1.1 200")
        assert process.wait(20) == 0
        log = written(process)
    lines = [json.loads(line) for line in log.splitlines()]
    asked = [line for line in lines if line["message"] == "request"]
    assert [line["route"] for line in asked] == [
        "/api/search",
        "/api/photos",
        "/api/photo",
        "other",
        "/api/search",
    ]
    assert [line["status"] for line in asked] == [200, 200, 200, 403, 200] and all(
        line["ms"] > 0 for line in asked
    )
    assert "private" not in log
