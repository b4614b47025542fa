"""Folders and hub ids of text encoders: prompts of sentence-transformers, code of their own, licences, commits."""

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

import numpy as np
import pytest

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text import (
    EncoderOptions,
    OwnEncoder,
    SentenceEncoder,
    TransformerEncoder,
    load_text_encoder,
    rebuild_text_encoder,
)
from lift.text.licence import read_licence
from models_by_hand import TEXTS, save_tiny

EXACT = EncoderOptions(precision="fp32")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("bert", tmp_path_factory.mktemp("bert") / "plain")


@pytest.fixture(scope="module")
def sentence_folder(bert: Path) -> Path:
    """A sentence-transformers folder with two named prompts, one of them its default, mean pooling."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(bert),
        device="cpu",
        prompts={"query": "query: ", "document": "passage: "},
        default_prompt_name="document",
    )
    model.save(str(bert.parent / "sentence"))
    return bert.parent / "sentence"


def load(folder: Path, **options: Any) -> Any:
    return load_text_encoder(str(folder), options=EncoderOptions(**{"precision": "fp32", **options}))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_prompts_of_a_sentence_transformer(sentence_folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(sentence_folder), device="cpu")
    for options, prompt in (
        ({}, "passage: "),
        ({"prompt_name": "query"}, "query: "),
        ({"prompt": "Instruct: find\nQuery: "}, "Instruct: find\nQuery: "),
    ):
        encoder = load(sentence_folder, **options)
        assert isinstance(encoder, SentenceEncoder) and encoder.fingerprint.prompt == prompt
        assert np.abs(encoder.encode(TEXTS) - unit(reference.encode(TEXTS, prompt=prompt))).max() < 1e-5
        assert encoder.token_counts(["a"]).tolist() == [len(reference.tokenizer(prompt + "a")["input_ids"])]
        assert (
            np.abs(rebuild_text_encoder(encoder.fingerprint).encode(TEXTS) - encoder.encode(TEXTS)).max() == 0
        )
    with pytest.raises(LiftError, match=r"no prompt named 'title'[\s\S]*query, document"):
        load(sentence_folder, prompt_name="title")
    with pytest.raises(LiftError, match="--prompt and --prompt-name were both given"):
        load(sentence_folder, prompt="a", prompt_name="query")


def test_truncated_dim_length_and_precision_of_a_sentence_transformer(sentence_folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(sentence_folder), device="cpu", truncate_dim=8)
    reference.max_seq_length = 12
    encoder = load(sentence_folder, dim=8, max_tokens=12)
    expected = unit(reference.encode(TEXTS, prompt="passage: "))
    assert encoder.dim == 8 and encoder.max_tokens == 12
    assert np.abs(encoder.encode(TEXTS) - expected).max() < 1e-5
    together = load(sentence_folder).encode(TEXTS)
    assert np.abs(np.concatenate([load(sentence_folder).encode([t]) for t in TEXTS]) - together).max() < 1e-5
    coarse = load(sentence_folder, precision="bf16")
    vectors = coarse.encode(TEXTS)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    assert coarse.fingerprint.dtype == "bfloat16" and 0.98 < (vectors * together).sum(1).min() < 1 - 1e-6
    changes: list[dict[str, Any]] = [
        {}, {"prompt": "x"}, {"prompt_name": "query"}, {"dim": 8}, {"max_tokens": 9}, {"precision": "bf16"},
        {"pooling": "mean"}, {"pooling": "cls"},
    ]  # fmt: skip
    digests = {load(sentence_folder, **change).fingerprint.digest for change in changes}
    assert len(digests) == len(changes)
    with pytest.raises(LiftError, match="more than the 48 positions"):
        load(sentence_folder, max_tokens=49)


def test_another_pooling_takes_the_transformer_out_of_its_modules(sentence_folder: Path, bert: Path) -> None:
    encoder = load(sentence_folder, pooling="weighted-mean")
    assert isinstance(encoder, TransformerEncoder)
    assert np.array_equal(encoder.encode(TEXTS), load(bert, pooling="weighted-mean").encode(TEXTS))


def test_static_embeddings(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    from models_by_hand import tiny_tokenizer

    tokenizer = tiny_tokenizer("qwen3").backend_tokenizer
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    model.save(str(tmp_path / "static"))
    encoder = load(tmp_path / "static")
    texts = [text for text in TEXTS if text]
    assert np.abs(encoder.encode(texts) - unit(model.encode(texts))).max() < 1e-5
    assert encoder.token_counts(["a dog"]).tolist() == [len(tokenizer.encode("a dog").ids)]
    assert encoder.max_tokens == 1_000_000


# --- program code of a model ---

MODELING = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class WordConfig(PretrainedConfig):
    model_type = "word-count"

    def __init__(self, vocab_size=320, hidden_size=8, **more):
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        super().__init__(**more)


class WordModel(PreTrainedModel):
    config_class = WordConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def _init_weights(self, module):
        pass

    def encode(self, prompts, instruction="", max_length=64, **more):
        rows = [list((instruction + text).encode()[:max_length]) or [0] for text in prompts]
        return torch.stack([self.embed(torch.tensor(row)).mean(0) for row in rows])
"""


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose config names a modeling file that the test wrote."""
    import torch
    from safetensors.torch import save_file

    from models_by_hand import tiny_tokenizer

    folder = tmp_path_factory.mktemp("own") / "words"
    folder.mkdir()
    (folder / "modeling_words.py").write_text(MODELING)
    config = {
        "model_type": "word-count",
        "vocab_size": 320,
        "hidden_size": 8,
        "auto_map": {"AutoConfig": "modeling_words.WordConfig", "AutoModel": "modeling_words.WordModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    save_file({"embed.weight": torch.randn(320, 8)}, folder / "model.safetensors", {"format": "pt"})
    tiny_tokenizer("qwen3").save_pretrained(folder)
    return folder


def test_code_runs_only_with_consent(own_folder: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    shutil.copytree(own_folder, trap)
    (trap / "modeling_words.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + MODELING)
    for options in ({}, {"pooling": "own"}, {"pooling": "mean"}):
        with pytest.raises(LiftError, match=r"modeling_words\.py[\s\S]*--trust-remote-code"):
            load(trap, **options)
    assert not (tmp_path / "ran").exists()
    load(trap, trust_remote_code=True)
    assert (tmp_path / "ran").exists()


def test_an_encoder_with_its_own_encode(own_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    table = load_file(own_folder / "model.safetensors")["embed.weight"].numpy()
    encoder = load(own_folder, trust_remote_code=True, prompt="find: ", max_tokens=16)
    assert isinstance(encoder, OwnEncoder)
    expected = np.stack([table[list(("find: " + text).encode()[:16])].mean(0) for text in TEXTS])
    assert np.abs(encoder.encode(TEXTS) - unit(expected)).max() < 1e-6
    short = load(own_folder, trust_remote_code=True, prompt="find: ", max_tokens=16, dim=3)
    assert np.abs(short.encode(TEXTS) - unit(expected[:, :3])).max() < 1e-6
    assert encoder.fingerprint.pooling.startswith("own, settings ")

    changed = tmp_path / "changed"
    shutil.copytree(own_folder, changed)
    (changed / "modeling_words.py").write_text(MODELING.replace(".mean(0)", ".amax(0)"))
    other = load(changed, trust_remote_code=True, prompt="find: ", max_tokens=16)
    assert other.fingerprint.digest != encoder.fingerprint.digest


def test_a_manifest_cannot_consent(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load(own_folder, trust_remote_code=True)
    manifest = json.loads(json.dumps(made.fingerprint.asdict()))
    with pytest.raises(LiftError, match="LIFT_TRUST_REMOTE_CODE=1"):
        rebuild_text_encoder(Fingerprint.from_dict(manifest))
    monkeypatch.setenv("LIFT_TRUST_REMOTE_CODE", "1")
    again = rebuild_text_encoder(Fingerprint.from_dict(manifest))
    assert np.array_equal(again.encode(TEXTS), made.encode(TEXTS))


def test_code_from_elsewhere_and_models_without_code_are_refused(
    own_folder: Path, bert: Path, sentence_folder: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    shutil.copytree(own_folder, away, ignore=shutil.ignore_patterns("*.py"))
    config = json.loads((away / "config.json").read_text())
    config["auto_map"]["AutoModel"] = "other-org/other--modeling_words.WordModel"
    (away / "config.json").write_text(json.dumps(config))
    with pytest.raises(LiftError, match="does not lie in"):
        load(away, trust_remote_code=True)
    with pytest.raises(LiftError, match="has no program code of its own"):
        load(bert, pooling="own", trust_remote_code=True)

    module = tmp_path / "module"
    shutil.copytree(sentence_folder, module)
    modules = json.loads((module / "modules.json").read_text())
    modules[-1]["type"] = "custom_pooling.Pooling"
    (module / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(LiftError, match=r"custom_pooling\.py"):
        load(module)
    (module / "custom_pooling.py").write_text(
        "from sentence_transformers.sentence_transformer import modules\n\n\n"
        "class Pooling(modules.Pooling):\n    pass\n"
    )
    made = load(module, trust_remote_code=True)
    assert np.array_equal(made.encode(TEXTS), load(sentence_folder).encode(TEXTS))
    assert ", code " in made.fingerprint.pooling


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


# --- rebuilding ---


def test_the_encoder_of_an_old_manifest_and_of_a_moved_folder(bert: Path, tmp_path: Path) -> None:
    made = load(bert, prompt="query: ", pooling="cls", dim=12, max_tokens=20, precision="bf16")
    moved = tmp_path / "moved"
    shutil.copytree(bert, moved)
    again = rebuild_text_encoder(made.fingerprint, source=str(moved))
    assert np.array_equal(again.encode(TEXTS), made.encode(TEXTS))
    assert again.fingerprint.digest == made.fingerprint.digest

    plain = load(bert)
    old = {key: item for key, item in plain.fingerprint.asdict().items() if key != "options"}
    assert rebuild_text_encoder(Fingerprint.from_dict(old)).fingerprint.digest == plain.fingerprint.digest
    with pytest.raises(LiftError, match=r"were made by the text encoder plain \(.*is now moved \("):
        rebuild_text_encoder(
            load(bert, pooling="cls").fingerprint, source=str(save_tiny("bert", moved, seed=3))
        )


def test_a_run_is_asked_with_exactly_the_options_it_was_trained_on(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lift
    from conftest import train_tiny
    from lift.embedding import EmbedConfig, embed
    from lift.indexing import IndexConfig, index

    folder = save_tiny("qwen3", tmp_path / "qwen3")
    options = EncoderOptions(
        prompt="query: ",
        pooling="weighted-mean",
        dim=24,
        max_tokens=40,
        precision="bf16",
        accept_license=True,
    )
    store = embed(
        EmbedConfig(dataset=tiny_dataset, out=tmp_path / "store", encoder=str(folder), options=options)
    )
    assert store.dim == 24 and store.fingerprint.options["prompt"] == "query: "
    run = train_tiny(tiny_dataset, tmp_path / "store", tmp_path / "run", "lift")
    # A machine without bf16, where auto would choose fp32, still asks in bf16.
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    model, known = lift.load(run), store.texts()[:5]
    expected = load_text_encoder(str(folder), options=options)
    assert np.array_equal(model.encode_text(known[:1]), expected.encode(known[:1]))
    assert (model.encode_text(known) * store.vectors(known)).sum(1).min() > 0.999
    plain = load_text_encoder(str(folder), options=EXACT)
    assert plain.dim == 32 and plain.pooling == "last"  # type: ignore[attr-defined]

    index(IndexConfig(run=run, photos=tiny_dataset, out=tmp_path / "index"))
    opened = lift.Index.open(tmp_path / "index")
    found = opened.search("a red circle", top=48)
    scores = model.encode_image(lift.Dataset(tiny_dataset).pixels) @ expected.encode(["a red circle"])[0]
    assert [match.score for match in found] == pytest.approx(sorted(scores, reverse=True), abs=1e-3)

    moved = folder.rename(tmp_path / "elsewhere")
    with pytest.raises(LiftError, match="there is no text encoder"):
        lift.load(run).encode_text(["a dog"])
    assert np.array_equal(
        lift.load(run, text_encoder=str(moved)).encode_text(["a dog"]), expected.encode(["a dog"])
    )
