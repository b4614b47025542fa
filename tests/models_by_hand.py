"""Tiny random models of the families that text encoders are made of, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = [
    "a dog",
    "A man in a red shirt climbs a rock.",
    "",
    "犬が雨の中を走る",
    "two red cups and a blue star on a long wooden table " * 5,
]
LIMIT = 48  # positions of the tiny models; the last text is longer
SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": LIMIT,
}
SPECIALS = {
    "qwen3": ("", ""),  # what the tokenizer puts before and after a text
    "mistral": ("<s>", ""),
    "llama": ("<s>", "</s>"),
    "gemma3_text": ("<s>", ""),
    "bert": ("<s>", "</s>"),
    "xlm-roberta": ("<s>", "</s>"),
    "modernbert": ("<s>", "</s>"),
}
DECODERS = ("qwen3", "mistral", "llama", "gemma3_text")


def tiny_tokenizer(family: str) -> Any:
    """A byte-level BPE trained on a few sentences, framing texts as `family` does."""
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
    ]  # in the order of RoBERTa, whose positions depend on <pad> being 1
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator([text for text in TEXTS for _ in range(3)], trainer)
    before, after = SPECIALS[family]
    if before or after:
        inner.post_processor = processors.TemplateProcessing(
            single=f"{before} $A {after}".strip(), special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=LIMIT,
    )


def tiny_config(family: str) -> Any:
    """The config of a two-layer model of `family`."""
    from transformers import AutoConfig

    grouped = {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "eos_token_id": 2,
        "pad_token_id": 1,
        "bos_token_id": 0,
    }
    more = {
        "mistral": {"sliding_window": 16},
        "gemma3_text": {"sliding_window": 16, "use_bidirectional_attention": True},
        "bert": {"pad_token_id": 1},
        "xlm-roberta": {"pad_token_id": 1, "max_position_embeddings": LIMIT + 2},
        "modernbert": {
            "pad_token_id": 1,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "cls_token_id": 0,
            "sep_token_id": 2,
        },
    }
    fields = {**SIZE, "vocab_size": 320, **(grouped if family in DECODERS else {}), **more.get(family, {})}
    return AutoConfig.for_model(family, **fields)


def save_tiny(family: str, folder: Path, *, seed: int = 0) -> Path:
    """A random model of `family` with its tokenizer in `folder`."""
    from transformers import AutoModel

    from lift.text.minilm import quiet_transformers

    torch.manual_seed(seed)
    model = AutoModel.from_config(tiny_config(family))
    with torch.no_grad():  # ten times the usual spread, so that texts and positions make a difference
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.2)
    with quiet_transformers():
        model.save_pretrained(folder)
    tiny_tokenizer(family).save_pretrained(folder)
    return folder
