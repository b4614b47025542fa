"""Licences of model cards, and hub ids: pinned to a commit, fetched once, quick to fail without a network."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lift.errors import LiftError
from lift.text import EncoderOptions, load_text_encoder, rebuild_text_encoder
from lift.text.licence import read_licence
from models_by_hand import save_tiny

EXACT = EncoderOptions(precision="fp32")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("bert", tmp_path_factory.mktemp("bert") / "plain")


def load(folder: Path, **options: Any) -> Any:
    return load_text_encoder(str(folder), options=EncoderOptions(**{"precision": "fp32", **options}))


# --- licences ---


@pytest.mark.parametrize(
    ("card", "says", "refused"),
    [
        ("---\nlicense: apache-2.0\n---\n# A model", "apache-2.0 (model card)", False),
        ("---\nlicense: mit\n---", "mit (model card)", False),
        ("---\nlicense: cc-by-nc-4.0\ntags: [a]\n---", "cc-by-nc-4.0, non-commercial (model card)", True),
        (
            "---\nlicense: other\nlicense_name: some-research-only-license\n---",
            "some-research-only-license, non-commercial (model card)",
            True,
        ),
        ("---\nlicense: llama3.1\n---", "llama3.1, read its terms (model card)", False),
        ("---\nlicense: gemma\n---", "gemma, read its terms (model card)", False),
        (
            "---\nlicense: [mit, cc-by-nc-sa-4.0]\n---",
            "mit, cc-by-nc-sa-4.0, non-commercial (model card)",
            True,
        ),
        ("# A model\nIts licence is somewhere.", "unknown (the card does not say it)", False),
        ("---\nlicense: [unclosed\n---", "unknown (the card does not say it)", False),
    ],
)
def test_licences_of_model_cards(
    bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], card: str, says: str, refused: bool
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert, folder)
    (folder / "README.md").write_text(card)
    assert str(read_licence(folder)) == says
    if refused:
        with pytest.raises(LiftError, match=r"forbids commercial use[\s\S]*--accept-license"):
            load(folder)
    encoder = load(folder, accept_license=refused)
    assert f"text encoder model: licence {says}" in capsys.readouterr().err
    assert encoder.fingerprint.options["licence"] == says
    assert encoder.fingerprint.digest == load(bert).fingerprint.digest
    capsys.readouterr()
    rebuild_text_encoder(encoder.fingerprint)  # accepted once, recorded; only what forbids is said again
    assert ("licence" in capsys.readouterr().err) == refused


def test_licences_of_files(tmp_path: Path) -> None:
    assert str(read_licence(tmp_path)) == "unknown (there is no model card and no LICENSE file)"
    file = tmp_path / "LICENSE"
    file.write_text("\n\n   Apache License\n Version 2.0, January 2004\n")
    assert str(read_licence(tmp_path)) == "Apache License (LICENSE)"
    file.write_text("Example Community License\n\nYou may use the Model for Non-Commercial purposes.")
    assert read_licence(tmp_path).non_commercial
    (tmp_path / "README.md").write_text("---\nlicense: other\n---")
    assert read_licence(tmp_path).non_commercial and read_licence(tmp_path).name == "other"


# --- hub ids ---

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache that holds tiny-org/tiny-bert at one commit, laid out as huggingface_hub does."""
    from huggingface_hub import constants

    root = tmp_path / "hub"
    snapshot = root / "models--tiny-org--tiny-bert" / "snapshots" / COMMIT
    shutil.copytree(bert, snapshot)
    (snapshot / "README.md").write_text("---\nlicense: mit\n---")
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    (refs / "v1").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    return snapshot


def test_a_hub_id_is_pinned_and_opened_from_the_cache_without_network(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = load_text_encoder("tiny-org/tiny-bert", options=EXACT)
    shown = capsys.readouterr().err
    assert COMMIT in shown and "licence mit" in shown
    assert encoder.fingerprint.options["revision"] == COMMIT
    assert encoder.fingerprint.name == encoder.fingerprint.source == "tiny-org/tiny-bert"
    tagged = load_text_encoder("tiny-org/tiny-bert", options=EncoderOptions(precision="fp32", revision="v1"))
    assert tagged.fingerprint == encoder.fingerprint
    (cache.parents[1] / "refs" / "main").write_text("f" * 40)  # the hub has moved on
    assert rebuild_text_encoder(encoder.fingerprint).fingerprint == encoder.fingerprint
    by_folder = rebuild_text_encoder(encoder.fingerprint, source=str(cache))
    assert by_folder.fingerprint.digest == encoder.fingerprint.digest


def test_no_network_is_told_within_seconds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with pytest.raises(LiftError, match=r"hub cannot be reached[\s\S]*copy the model's folder here"):
        load_text_encoder("tiny-org/no-such-model")
    with pytest.raises(LiftError, match=f"at revision {'a' * 40}"):
        load_text_encoder("tiny-org/tiny-bert", options=EncoderOptions(revision="a" * 40))
    (cache / "model.safetensors").unlink()  # a broken download
    with pytest.raises(LiftError, match="hub cannot be reached"):
        load_text_encoder("tiny-org/tiny-bert")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("lift.text.hub.SECONDS", 0.5)
        with pytest.raises(LiftError, match="hub cannot be reached"):
            load_text_encoder("tiny-org/no-such-model")
    assert time.monotonic() - began < 20  # a bound on retries, not a measurement
    with pytest.raises(LiftError, match="is no hub id"):
        load_text_encoder("tiny-org/-.-")
    with pytest.raises(LiftError, match="--revision has no meaning for a folder"):
        load_text_encoder(str(cache), options=EncoderOptions(revision="main"))


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as fetching a model needs: its commit, its list of files, the files."""

    folder: Path
    asked: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def reply(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        files = {str(f.relative_to(self.folder)): f for f in self.folder.rglob("*") if f.is_file()}
        self.asked.append(path)
        if "tiny-org/tiny-bert" not in path:
            self.reply(404, b"{}", X_Error_Code="RepoNotFound")
        elif "/tree/" in path:
            tree = [
                {"type": "file", "path": n, "size": f.stat().st_size, "oid": "0"} for n, f in files.items()
            ]
            self.reply(200, json.dumps(tree).encode())
        elif path.startswith("/api/"):
            siblings = [{"rfilename": name} for name in files]
            self.reply(
                200, json.dumps({"id": "tiny-org/tiny-bert", "sha": COMMIT, "siblings": siblings}).encode()
            )
        else:
            content = files[path.split(f"/resolve/{COMMIT}/")[1]].read_bytes()
            self.reply(200, content, ETag=f'"{hashlib.sha256(content).hexdigest()}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET


def test_a_hub_id_is_fetched_once_at_its_commit(
    bert: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(cache.parents[1])
    offered = tmp_path / "offered"
    shutil.copytree(bert, offered)
    (offered / "onnx").mkdir()
    for name in ("onnx/model.onnx", "pytorch_model.bin", "tf_model.h5"):
        (offered / name).write_bytes(b"a format that is not read")
    (offered / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---")
    monkeypatch.setattr(Hub, "folder", offered, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            "huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}"
        )
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            f"http://127.0.0.1:{server.server_address[1]}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        with pytest.raises(
            LiftError, match=r"answers 404 for the encoder 'tiny-org/other': it does not exist"
        ):
            load_text_encoder("tiny-org/other")
        with pytest.raises(LiftError, match="forbids commercial use"):
            load_text_encoder("tiny-org/tiny-bert")
        accepted = EncoderOptions(precision="fp32", accept_license=True)
        encoder = load_text_encoder("tiny-org/tiny-bert", options=accepted)
        asked = len(Hub.asked)
        load_text_encoder("tiny-org/tiny-bert", options=accepted)
        assert len(Hub.asked) == asked  # the copy here is taken, nobody is asked
        server.shutdown()
    assert encoder.fingerprint.options["revision"] == COMMIT
    assert encoder.fingerprint.digest == load(bert).fingerprint.digest
    assert not any(name in path for path in Hub.asked for name in ("onnx", "pytorch_model", "tf_model"))
