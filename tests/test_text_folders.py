"""Folders of text encoders: sentence-transformers with prompts, code of their own, rebuilt from a fingerprint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

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
    model, known = lift.load(run), list(store.texts())[:5]
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
