"""The folder of a text encoder: which of its files decide the vectors, and what its JSON files say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lift.errors import LiftError
from lift.fingerprint import Fingerprint, hash_paths
from lift.text.options import NUMBER_TYPE, EncoderOptions

WEIGHTS = ["*.safetensors"], ["pytorch_model*.bin"]  # the second only where there is none of the first
TOKENIZER = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "added_tokens.json",
    "*.model",
    "merges.txt",
    "special_tokens_map.json",
]
MODULE_SETTINGS = ["modules.json", "config*.json", "sentence_*config.json"]


@dataclass(frozen=True)
class Origin:
    """Where an encoder comes from: its folder; name, source and licence as the fingerprint tells them."""

    folder: Path
    name: str
    source: str
    licence: str


def read_json(file: Path) -> Any:
    """The content of a JSON file, {} where there is none; LiftError when it is damaged."""
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LiftError(f"{file} is damaged ({error})", "copy the encoder's folder again") from error


def module_folders(folder: Path) -> list[Path]:
    """`folder` and the folders of its sentence-transformers modules, if it has any."""
    found = [
        folder,
        *(folder / module.get("path", "") for module in read_json(folder / "modules.json") or []),
    ]
    return [path for path in dict.fromkeys(found) if path.is_dir()]


def match(folders: Sequence[Path], names: Sequence[str]) -> list[Path]:
    """Files lying directly in `folders` that match one of the globs `names`."""
    return [file for folder in folders for name in names for file in folder.glob(name) if file.is_file()]


def weight_files(folder: Path) -> list[Path]:
    """The weights that are loaded: of each module safetensors, else pytorch_model.bin; not onnx/ and the like."""
    found: list[Path] = []
    for part in module_folders(folder):
        found += match([part], WEIGHTS[0]) or match([part], WEIGHTS[1])
    return found


def hash_weights(folder: Path) -> str:
    """Hash of the weights that are loaded, so that a whole and a part copy of a repository have one fingerprint.

    LiftError when there are none.
    """
    found = weight_files(folder)
    if not found:
        raise LiftError(
            f"{folder} holds no weights (*.safetensors or pytorch_model.bin)",
            "give the complete folder of the encoder",
        )
    return hash_paths(folder, found)


def hash_tokenizer(folder: Path) -> str:
    """Hash of the tokenizer's files."""
    return hash_paths(folder, match(module_folders(folder), TOKENIZER))


def hash_settings(folder: Path, names: Sequence[str]) -> str:
    """Hash of the JSON files that shape the computation."""
    return hash_paths(folder, match(module_folders(folder), names))


def folder_fingerprint(
    origin: Origin,
    options: EncoderOptions,
    *,
    prompt: str,
    pooling: str,
    max_tokens: int,
    dim: int,
    precision: str,
    chosen: str | None = None,
) -> Fingerprint:
    """What decides the vectors of an encoder loaded from a folder: `pooling` names its settings and code as well.

    chosen: the pooling that is recorded in place of auto, where it is not the modules' own.
    """
    return Fingerprint(
        name=origin.name,
        source=origin.source,
        weights=hash_weights(origin.folder),
        tokenizer=hash_tokenizer(origin.folder),
        prompt=prompt,
        pooling=pooling,
        max_tokens=max_tokens,
        normalised=True,
        dim=dim,
        dtype=NUMBER_TYPE[precision],
        options={
            **options.changed(),
            **({"pooling": chosen} if chosen else {}),
            "precision": precision,
            "licence": origin.licence,
        },
    )
