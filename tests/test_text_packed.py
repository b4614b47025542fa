"""The forward pass without padding against transformers' BertModel, and what bfloat16 costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lift.errors import LiftError
from lift.text import MiniLM, packed
from lift.text.minilm import mean_pool, package_folder
from lift.text.packed import PackedBert

WORDS = ["a", "the", "red", "dog", "cat", "runs", "sits", "on", "7", ",", ".", "unquestionably"]
DRAW = np.random.default_rng(0)
TEXTS = [" ".join(DRAW.choice(WORDS, n)) for n in (0, 1, 1, 5, 9, 9, 9, 12, 12, 40, 119, 119, 300)]


@pytest.fixture(scope="module")
def exact() -> np.ndarray:
    """The padded, masked float32 twin by transformers; tokens by its own tokenizer."""
    from transformers import AutoTokenizer, BertModel

    folder = str(package_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = BertModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True).eval()
    made = tokenizer(TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(input_ids=made["input_ids"], attention_mask=made["attention_mask"]).last_hidden_state
        return F.normalize(mean_pool(hidden, made["attention_mask"]), dim=-1).numpy()


def test_float32_equals_the_exact_twin(exact: np.ndarray) -> None:
    assert np.abs(MiniLM().encode(TEXTS) - exact).max() < 2e-6


def test_bfloat16_keeps_the_direction(exact: np.ndarray) -> None:
    encoder = MiniLM(precision="bf16")
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32 and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors * exact).sum(1).min() > 0.9997
    assert encoder.fingerprint.dtype == "bfloat16"
    assert encoder.fingerprint.digest != MiniLM().fingerprint.digest


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-6), ("bf16", 4e-3)])
def test_a_vector_does_not_depend_on_its_neighbours(precision: str, bound: float) -> None:
    encoder = MiniLM(precision=precision)  # type: ignore[arg-type]
    together, order = encoder.encode(TEXTS), DRAW.permutation(len(TEXTS))
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < bound
    assert np.abs(encoder.encode([TEXTS[i] for i in order]) - together[order]).max() < bound


@pytest.mark.parametrize(("dtype", "lowest"), [(torch.float32, 1 - 1e-6), (torch.bfloat16, 0.9997)])
def test_processors_without_onednn(
    monkeypatch: pytest.MonkeyPatch, exact: np.ndarray, dtype: torch.dtype, lowest: float
) -> None:
    monkeypatch.setattr(packed, "onednn_pays", lambda dtype: False)
    encoder = MiniLM()
    encoder._model = PackedBert(package_folder(), dtype=dtype, device="cpu")
    assert not encoder._model.layers[0][0].reordered
    assert (encoder.encode(TEXTS) * exact).sum(1).min() > lowest


def test_cost_and_unknown_precision() -> None:
    # 6 layers of 4·384² + 2·384·1536 weights, biases of 4·384 + 1536 + 384, two norms of 2·384
    assert MiniLM().flops_per_token == 2.0 * 6 * (12 * 384**2 + 5 * 384 + 1536 + 4 * 384)
    with pytest.raises(LiftError, match="fp32, bf16"):
        MiniLM(precision="int8")  # type: ignore[arg-type]
