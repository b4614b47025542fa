"""Embeddings endpoints: a real HTTP server that answers with MiniLM's vectors, and misbehaves when told to."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lift
from lift.cli import run
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.store import EmbeddingStore
from lift.text import EncoderOptions, EndpointEncoder, MiniLM, load_text_encoder, rebuild_text_encoder

KEY = "sk-this-must-never-be-seen-4711"
TEXTS = ["a dog", "two red cups", "", "犬が走る", "a dog", "word " * 100]


class Server(ThreadingHTTPServer):
    """Answers POST /v1/embeddings as OpenAI does; `plan` says how the next requests go wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.minilm = MiniLM()
        self.plan: list[str] = []
        self.always = ""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.largest = 10_000
        self.noise = 0.0

    @property
    def name(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1#all-minilm"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def reply(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        self.server.keys.append(self.headers.get("Authorization"))
        how = self.server.always or (self.server.plan.pop(0) if self.server.plan else "")
        if how == "drop":
            self.connection.close()
        elif how.isdigit():
            message = f"refused {self.headers.get('Authorization')}"
            more = {"Retry_After": "0.05"} if how in ("429", "500") else {}
            self.reply(int(how), {"error": {"message": message}}, **more)
        elif len(request["input"]) > self.server.largest:
            self.reply(422, {"error": {"message": "batch too large"}})
        else:
            self.reply(200, self.vectors(request, how))

    def vectors(self, request: dict[str, Any], how: str) -> Any:
        found = 3.0 * self.server.minilm.encode(request["input"])[:, : request.get("dimensions")]
        found += self.server.noise * np.random.default_rng().normal(size=found.shape) / len(found.T) ** 0.5
        data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(found)]
        if how == "reversed":
            data.reverse()
        elif how == "missing":
            data.pop()
        elif how == "doubled":
            data[-1]["index"] = 0
        elif how == "nan":
            data[-1]["embedding"][3] = float("nan")
        elif how == "zero":
            data[-1]["embedding"] = [0.0] * len(found.T)
        elif how == "ragged":
            data[-1]["embedding"] = data[-1]["embedding"][:-1]
        elif how == "null":
            data[-1]["embedding"] = None
        elif how == "page":
            return b"<html>not what you meant</html>"
        used = sum(map(len, request["input"]))
        return {
            "object": "list",
            "data": data,
            "model": "m",
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    running.plan, running.always, running.largest, running.noise = [], "", 10_000, 0.0
    running.requests, running.keys = [], []
    for name in ("LIFT_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("lift.text.endpoint.RETRIES", 3)
    return running


def load(server: Server, **options: Any) -> EndpointEncoder:
    encoder = load_text_encoder(server.name, options=EncoderOptions(**options))
    assert isinstance(encoder, EndpointEncoder)
    return encoder


def test_vectors_are_those_of_the_model_behind_it(server: Server) -> None:
    encoder = load(server)
    vectors = encoder.encode(TEXTS)
    assert np.abs(vectors - server.minilm.encode(TEXTS)).max() < 1e-6
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, 384)
    assert {request["model"] for request in server.requests} == {"all-minilm"}
    assert encoder.tokens_used == sum(len(text) for request in server.requests for text in request["input"])
    prompted = load(server, prompt="query: ").encode(["a dog"])
    assert np.abs(prompted - server.minilm.encode(["query: a dog"])).max() < 1e-6
    short = load(server, dim=32)
    head = server.minilm.encode(TEXTS)[:, :32]
    assert np.abs(short.encode(TEXTS) - head / np.linalg.norm(head, axis=1)[:, None]).max() < 1e-6
    assert server.requests[-1]["dimensions"] == 32


def test_tokens_are_not_counted_but_lengths_order(server: Server) -> None:
    encoder = load(server, prompt="é")
    assert encoder.counts_tokens is False
    assert encoder.token_counts(["", "ab", "犬"]).tolist() == [2, 4, 5]
    assert (encoder.token_counts(TEXTS) >= server.minilm.token_counts(TEXTS) - 2).all()


def test_busy_failing_dropping_and_disordered_answers_are_lived_through(server: Server) -> None:
    encoder = load(server)
    for plan in (["429", "500", "reversed"], ["drop", "503", "429", ""]):
        server.plan, before = list(plan), len(server.requests)
        assert np.abs(encoder.encode(TEXTS) - server.minilm.encode(TEXTS)).max() < 1e-6
        assert len(server.requests) - before == len(plan) and not server.plan


def test_retry_after_is_obeyed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, slept = load(server), []
    monkeypatch.setattr("time.sleep", slept.append)
    server.plan = ["429"]
    encoder.encode(["a dog"])
    assert 0.05 in [pytest.approx(second) for second in slept]


@pytest.mark.parametrize(
    ("how", "tells", "requests"),
    [
        ("500", "answers 500 after 4 attempts", 4),
        ("429", "--requests-per-minute", 4),
        ("drop", "cannot be reached, tried 4 times", 4),
        ("400", "answers 400: ", 1),
        ("404", "model name", 1),
        ("401", "refuses the key in the environment", 1),
        ("missing", "5 vectors for 6 texts", 1),
        ("doubled", "not numbered from 0", 1),
        ("nan", "1 of 6 vectors that are zero or not finite", 1),
        ("zero", "1 of 6 vectors that are zero or not finite", 1),
        ("ragged", "unequal length", 1),
        ("null", "unequal length or not of numbers", 1),
        ("page", "look into the server's log", 1),
    ],
)
def test_retries_end_and_broken_answers_are_errors_without_the_key(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str,
    tells: str, requests: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("LIFT_API_KEY", KEY)
    encoder = load(server)
    server.always, before = how, len(server.requests)
    with pytest.raises(LiftError) as caught:
        encoder.encode(TEXTS)
    assert tells in str(caught.value)
    assert len(server.requests) - before == requests
    assert server.keys[-1] == f"Bearer {KEY}"  # it was sent, and quoted by the server
    seen = "".join(traceback.format_exception(caught.value)) + "".join(capsys.readouterr())
    assert KEY not in seen and KEY not in repr(vars(encoder).get("fingerprint", ""))


def test_batches_are_cut_to_what_a_request_and_the_server_take(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load(server)
    texts = [f"picture number {number}" for number in range(23)]
    monkeypatch.setattr("lift.text.endpoint.TEXTS_PER_REQUEST", 10)
    before = len(server.requests)
    expected = server.minilm.encode(texts)
    assert np.abs(encoder.encode(texts) - expected).max() < 1e-6
    assert [len(request["input"]) for request in server.requests[before:]] == [10, 10, 3]
    server.largest, before = 4, len(server.requests)
    assert np.abs(encoder.encode(texts) - expected).max() < 1e-6
    taken = [len(request["input"]) for request in server.requests[before:]]
    assert sum(size for size in taken if size <= 4) == 23
    server.largest = 10_000
    monkeypatch.setattr("lift.text.endpoint.BYTES_PER_REQUEST", 40)
    before = len(server.requests)
    encoder.encode(texts[:4])
    assert [len(request["input"]) for request in server.requests[before:]] == [2, 2]


def test_requests_per_minute(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("lift.text.endpoint.time.monotonic", lambda: now[0])
    monkeypatch.setattr("lift.text.endpoint.time.sleep", sleep)
    encoder = load(server, requests_per_minute=30)
    for _ in range(3):
        encoder.encode(["a dog"])
    assert slept == [0.0, 2.0, 2.0, 2.0]


def test_names_keys_and_options(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, tells in (
        ("https://host/v1", "names no model"),
        ("https://user:secret@host/v1#m", "holds a user"),
        ("https://host/v1?key=secret#m", "holds a user"),
    ):
        with pytest.raises(LiftError, match=tells) as caught:
            load_text_encoder(name)
        assert "secret" not in str(caught.value)
    for option in ({"pooling": "last"}, {"max_tokens": 9}, {"precision": "bf16"}, {"revision": "a"}):
        with pytest.raises(LiftError, match="has no meaning for an endpoint"):
            load_text_encoder(server.name, options=EncoderOptions(**option))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # is not for anybody's server
    load(server)
    assert server.keys[-1] == "Bearer none"
    monkeypatch.setenv("OPENAI_BASE_URL", server.name.partition("#")[0])
    load(server)
    assert server.keys[-1] == f"Bearer {KEY}"
    monkeypatch.setenv("LIFT_API_KEY", "sk-other")
    load(server)
    assert server.keys[-1] == "Bearer sk-other"


def test_a_changed_model_behind_the_name_is_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load(server)
    manifest = json.loads(json.dumps(made.fingerprint.asdict()))
    server.noise = 0.02  # a server that does not repeat itself: cosine 0.99998
    again = rebuild_text_encoder(Fingerprint.from_dict(manifest))
    assert again.fingerprint.digest == made.fingerprint.digest
    assert again.fingerprint.options["probes"] != made.fingerprint.options["probes"]
    server.noise = 0.0
    monkeypatch.setattr(
        server.minilm, "encode", lambda texts: MiniLM.encode(server.minilm, [t[::-1] for t in texts])
    )
    with pytest.raises(LiftError, match="vectors for fixed sentences have changed"):
        rebuild_text_encoder(Fingerprint.from_dict(manifest))
    assert not load(server).fingerprint.matches(made.fingerprint)


def test_embed_train_and_query_through_an_endpoint(
    server: Server,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from conftest import train_tiny

    monkeypatch.setenv("LIFT_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    store = embed(EmbedConfig(dataset=tiny_dataset, out=tmp_path / "store", encoder=server.name))
    assert store.manifest["cut_texts"] is store.manifest["tokens"] is store.manifest["flops"] is None
    assert store.commits[0].content["max_tokens"] is None  # the server's limit is not known
    assert "tokens were not counted" in capsys.readouterr().err
    text = next(iter(store.texts()))
    assert np.abs(store.vectors([text]) - server.minilm.encode([text])).max() < 1e-3
    train_tiny(tiny_dataset, tmp_path / "store", tmp_path / "run", "lift")
    model = lift.load(tmp_path / "run")
    assert np.abs(model.encode_text(["a red star"]) - server.minilm.encode(["a red star"])).max() < 1e-6
    assert np.abs(model.encode_text([text], store=EmbeddingStore(tmp_path / "store"))).max() < 1
    server.always = "500"
    arguments = [str(tiny_dataset), "--out", str(tmp_path / "other"), "--encoder", server.name]
    assert run("embed", arguments) == 1
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    shown = "".join(capsys.readouterr()) + caplog.text
    assert "answers 500" in shown and KEY not in shown and not any(KEY.encode() in data for data in written)
