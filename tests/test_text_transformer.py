"""Text encoders through transformers, on tiny random models: pooling against a slow twin, padding, truncation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift.errors import LiftError
from lift.text import EncoderOptions, MiniLM, TransformerEncoder, load_text_encoder
from lift.text.pooling import pool
from lift.text.transformer import forward_flops
from models_by_hand import DECODERS, LIMIT, SPECIALS, TEXTS, save_tiny

POOLINGS = ("mean", "weighted-mean", "last", "eos", "cls")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tiny")
    return {family: save_tiny(family, root / family) for family in SPECIALS}


def load(folder: Path, **options: Any) -> TransformerEncoder:
    encoder = load_text_encoder(str(folder), options=EncoderOptions(**{"precision": "fp32", **options}))
    assert isinstance(encoder, TransformerEncoder)
    return encoder


def slow_pool(states: np.ndarray, how: str) -> np.ndarray:
    """Token states (T, D) of one text to a unit vector, one token at a time in float64."""
    count, total, weights = len(states), np.zeros(states.shape[1]), 0.0
    for position, state in enumerate(states):
        weight = {
            "mean": 1.0,
            "weighted-mean": position + 1.0,
            "last": float(position == count - 1),
            "eos": float(position == count - 1),
            "cls": float(position == 0),
        }[how]
        total, weights = total + weight * state.astype(np.float64), weights + weight
    total /= weights
    return total / np.linalg.norm(total)


def token_ids(tokenizer: Any, text: str, *, eos: bool) -> list[int]:
    """Ids of one text by hand: specials framing what fits between them, EOS kept last."""
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    whole = tokenizer(text)["input_ids"]
    before = whole[:1] if whole[:1] == [0] else []
    after = [2] if eos or whole[-1:] == [2] else []
    return before + bare[: LIMIT - len(before) - len(after)] + after


@pytest.mark.parametrize("family", SPECIALS)
def test_every_pooling_equals_a_slow_twin(folders: dict[str, Path], family: str) -> None:
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folders[family]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders[family])
    for how in POOLINGS:
        encoder = load(folders[family], pooling=how)
        expected = []
        for text in TEXTS:
            ids = token_ids(tokenizer, text, eos=how == "eos") or [tokenizer.pad_token_id]
            with torch.inference_mode():
                states = model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
            expected.append(slow_pool(states, how))
        assert np.abs(encoder.encode(TEXTS) - np.stack(expected)).max() < 1e-5, how


@pytest.mark.parametrize("family", SPECIALS)
def test_padding_side_and_batch_do_not_matter(folders: dict[str, Path], family: str) -> None:
    encoder = load(folders[family])
    assert encoder.pooling == ("last" if family in ("qwen3", "mistral", "llama") else "mean")
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(encoder.encode(TEXTS[::-1])[::-1] - together).max() < 1e-5

    rows = encoder.tokenise(TEXTS)  # a twin that pads on the left, as decoders usually do
    width = max(map(len, rows))
    ids = torch.tensor([[1] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    places = (mask.cumsum(1) - 1).clamp(min=0)
    if family == "xlm-roberta":
        places = places + 2
    inputs = {"input_ids": ids, "attention_mask": mask}
    if family != "modernbert":  # its rotary positions are relative, and it takes none
        inputs["position_ids"] = places
    with torch.inference_mode():
        states = encoder._model(**inputs).last_hidden_state
    left = torch.nn.functional.normalize(pool(states, mask, encoder.pooling), dim=-1).numpy()  # type: ignore[arg-type]
    assert np.abs(left - together).max() < 1e-5


def test_pooling_by_hand() -> None:
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 6.0], [99.0, 99.0]], [[99.0, 99.0], [1.0, 0.0], [3.0, 6.0]]])
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])  # the same text, padded on the right and on the left
    for how, expected in (
        ("mean", [2.0, 3.0]),
        ("weighted-mean", [(1 + 2 * 3) / 3, 2 * 6 / 3]),
        ("last", [3.0, 6.0]),
        ("cls", [1.0, 0.0]),
    ):
        assert pool(hidden, mask, how).tolist() == [pytest.approx(expected)] * 2, how  # type: ignore[arg-type]


@pytest.mark.parametrize("family", SPECIALS)
def test_long_texts_are_cut_and_keep_their_specials(folders: dict[str, Path], family: str) -> None:
    before, after = SPECIALS[family]
    for how in ("mean", "eos"):
        encoder = load(folders[family], pooling=how, max_tokens=12)
        counts, rows = encoder.token_counts(TEXTS), encoder.tokenise(TEXTS)
        assert counts[4] > LIMIT and len(rows[4]) == 12 and encoder.max_tokens == 12
        assert [len(row) for row in rows] == np.minimum(counts, 12).tolist()
        for row in rows:
            assert (row[0] == 0) == bool(before)
            assert (row[-1] == 2) == (bool(after) or how == "eos")
            assert row.count(2) == int(row[-1] == 2)  # never twice
        head = load(folders[family], pooling=how).tokenise([TEXTS[4]])[0]
        assert rows[4][:-1] == head[:11]
    with pytest.raises(LiftError, match=f"more than the {LIMIT} positions"):
        load(folders[family], max_tokens=LIMIT + 1)


def test_a_text_that_spells_a_special_token_is_pooled_at_its_end(folders: dict[str, Path]) -> None:
    encoder = load(folders["qwen3"], pooling="eos")
    row = encoder.tokenise(["a dog</s> in the rain"])[0]
    assert row[-1] == 2 and row.count(2) == 2
    cut = encoder.encode(["a dog"])
    assert float((encoder.encode(["a dog</s> in the rain"]) @ cut.T).item()) < 0.99


def test_prompt_dim_and_precision(folders: dict[str, Path]) -> None:
    plain = load(folders["mistral"])
    prompted = load(folders["mistral"], prompt="query: ")
    assert np.array_equal(prompted.encode(["a dog"]), plain.encode(["query: a dog"]))
    assert prompted.token_counts(["a dog"]).tolist() == plain.token_counts(["query: a dog"]).tolist()
    short = load(folders["mistral"], dim=5)
    head = plain.encode(TEXTS)[:, :5]
    assert np.allclose(short.encode(TEXTS), head / np.linalg.norm(head, axis=1, keepdims=True), atol=1e-6)
    coarse = load(folders["mistral"], precision="bf16")
    assert coarse.fingerprint.dtype == "bfloat16"
    cosines = (coarse.encode(TEXTS) * plain.encode(TEXTS)).sum(1)
    assert coarse.encode(TEXTS).dtype == np.float32 and 0.98 < cosines.min() < 1 - 1e-6
    with pytest.raises(LiftError, match="more than the 32 numbers"):
        load(folders["mistral"], dim=33)
    with pytest.raises(LiftError, match="--prompt-name has no meaning"):
        load(folders["mistral"], prompt_name="query")


def test_every_option_that_moves_vectors_is_in_the_fingerprint(folders: dict[str, Path]) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"prompt": "query: "},
        {"pooling": "mean"},
        {"pooling": "weighted-mean"},
        {"pooling": "eos"},
        {"pooling": "cls"},
        {"dim": 16},
        {"max_tokens": 20},
        {"precision": "bf16"},
    ]
    digests = {load(folders["qwen3"], **change).fingerprint.digest for change in changes}
    assert len(digests) == len(changes)
    auto, said = load(folders["qwen3"]), load(folders["qwen3"], pooling="last")
    assert auto.fingerprint.digest == said.fingerprint.digest
    assert load(folders["qwen3"], accept_license=True).fingerprint.digest == auto.fingerprint.digest


def test_files_that_shape_the_computation_are_in_the_fingerprint(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    first = load(folders["llama"]).fingerprint.digest
    copy = tmp_path / "copy"
    shutil.copytree(folders["llama"], copy)
    (copy / "onnx").mkdir()
    (copy / "onnx" / "model.safetensors").write_bytes(b"another format")
    (copy / "pytorch_model.bin").write_bytes(b"the same weights in the old format, not read")
    assert load(copy).fingerprint.digest == first
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-2}))
    assert load(copy).fingerprint.digest != first
    other = save_tiny("llama", tmp_path / "other", seed=1)
    assert load(other).fingerprint.weights != load(folders["llama"]).fingerprint.weights


def test_missing_weights_are_an_error_not_random_numbers(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = tmp_path / "copy"
    shutil.copytree(folders["mistral"], copy)
    weights = load_file(copy / "model.safetensors")
    name = next(key for key in weights if "layers.1" in key)
    save_file({k: v for k, v in weights.items() if k != name}, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(LiftError, match="lack 1 tensors"):
        load(copy)
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(LiftError, match="could not be loaded"):
        load(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(LiftError, match="could not be loaded"):
        load(copy)


def test_a_checkpoint_of_the_language_model_gives_the_same_vectors(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Published decoders hold a language-model head and names that begin with model."""
    from transformers import AutoModel, AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_config(AutoModel.from_pretrained(folders["qwen3"]).config)
    whole.model.load_state_dict(AutoModel.from_pretrained(folders["qwen3"]).state_dict())
    shutil.copytree(folders["qwen3"], tmp_path / "lm")
    whole.save_pretrained(tmp_path / "lm")
    assert np.array_equal(load(tmp_path / "lm").encode(TEXTS), load(folders["qwen3"]).encode(TEXTS))


def test_minilm_with_other_pooling_prompt_or_length() -> None:
    plain = MiniLM()

    def variant(**options: Any) -> TransformerEncoder:
        encoder = load_text_encoder("minilm", options=EncoderOptions(**options))
        assert isinstance(encoder, TransformerEncoder) and encoder.fingerprint.source == "minilm"
        return encoder

    assert np.abs(variant(pooling="mean").encode(TEXTS) - plain.encode(TEXTS)).max() < 1e-5
    prompted = variant(prompt="query: ")
    assert np.abs(prompted.encode(TEXTS) - plain.encode(["query: " + text for text in TEXTS])).max() < 1e-5
    assert prompted.max_tokens == plain.max_tokens == 256
    head = plain.encode(TEXTS)[:, :64]
    assert np.abs(variant(dim=64).encode(TEXTS) - head / np.linalg.norm(head, axis=1)[:, None]).max() < 1e-5
    assert variant(max_tokens=16).token_counts(TEXTS).max() > 16
    assert float((variant(pooling="cls").encode(["a dog"]) @ plain.encode(["a dog"]).T).item()) < 0.99
    default = load_text_encoder("minilm", options=EncoderOptions(accept_license=True))
    assert isinstance(default, MiniLM) and default.fingerprint.digest == plain.fingerprint.digest
    assert default.fingerprint.dtype == "float32"


def test_decoders_are_known_by_their_config() -> None:
    from transformers import AutoConfig

    from lift.text.transformer import is_causal

    for family in (*DECODERS, "gemma", "gpt2", "phi3", "qwen2"):
        assert is_causal(AutoConfig.for_model(family)), family
    for family in ("bert", "xlm-roberta", "modernbert", "deberta-v2", "distilbert", "nomic_bert", "t5"):
        assert not is_causal(AutoConfig.for_model(family)), family
    assert not is_causal(AutoConfig.for_model("gemma3_text", use_bidirectional_attention=True))
    assert is_causal(AutoConfig.for_model("bert", is_decoder=True))


def test_a_model_called_embedding_costs_what_its_layers_cost() -> None:
    """NV-Embed holds its transformer as `embedding_model`: by name alone it would cost nothing."""
    inner = torch.nn.ModuleDict({"embed_tokens": torch.nn.Embedding(50, 4), "layer": torch.nn.Linear(4, 3)})
    model = torch.nn.ModuleDict({"embedding_model": inner, "embeddings": torch.nn.LayerNorm(4)})
    assert forward_flops(model) == 2.0 * (4 * 3 + 3)
