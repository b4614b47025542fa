"""Program code that comes with a model: named before it may run, run only with --trust-remote-code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lift.errors import LiftError
from lift.fingerprint import hash_paths
from lift.text.folder import module_folders, read_json

CONSENT = "LIFT_TRUST_REMOTE_CODE"


def code_references(folder: Path, *, modules: bool, native: bool = True) -> dict[str, str]:
    """What loading `folder` would run: {AutoModel: modeling_x.Class, …}; empty when no code of its own is needed.

    modules: its sentence-transformers modules are loaded too. native: leave out what transformers has code for.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    found: dict[str, str] = {}
    for part in module_folders(folder) if modules else [folder]:
        config = read_json(part / "config.json")
        if not native or config.get("model_type") not in CONFIG_MAPPING_NAMES:
            own = config.get("auto_map", {})
            found |= {key: own[key] for key in ("AutoConfig", "AutoModel") if key in own}
        if not (part / "tokenizer.json").is_file():
            own = read_json(part / "tokenizer_config.json").get("auto_map", {})
            tokenizer = own.get("AutoTokenizer") if isinstance(own, dict) else own
            names = [name for name in (tokenizer if isinstance(tokenizer, list) else [tokenizer]) if name]
            found |= {"AutoTokenizer": names[-1]} if names else {}
    for module in (read_json(folder / "modules.json") or []) if modules else []:
        if not module["type"].startswith("sentence_transformers."):
            found[f"module {module['type']}"] = module["type"]
    return found


def check_trust(name: str, folder: Path, code: dict[str, str], trusted: bool) -> None:
    """LiftError, naming the files, when `code` would run without consent or does not lie in `folder`.

    Code from another repository is not pinned by the fingerprint: it could change under it.
    """
    if not code:
        return
    files = {reference: _file_of(reference) for reference in code.values()}
    if not trusted and os.environ.get(CONSENT) != "1":
        raise LiftError(
            f"the text encoder {name} runs program code of its own: "
            + ", ".join(sorted({str(folder / file) for file in files.values()})),
            "read these files, for they can do whatever you can; if you trust them, add --trust-remote-code to "
            f"`lift embed`, and set {CONSENT}=1 where a trained RUN is used",
        )
    absent = sorted(reference for reference, file in files.items() if not (folder / file).is_file())
    if absent:
        raise LiftError(
            f"the program code of {name} does not lie in {folder}: {', '.join(absent)}",
            "make a copy of the folder with these files in it, and let its config name them without `--`",
        )


def _file_of(reference: str) -> str:
    """File below `folder` of a reference `file.Class` or `org/model--file.Class`."""
    return reference.rpartition("--")[2].rpartition(".")[0].replace(".", "/") + ".py"


def load_class(reference: str, folder: Path) -> Any:
    """Import the class `file.Class` from a file of `folder`. The check for consent is the caller's."""
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    return get_class_from_dynamic_module(reference.rpartition("--")[2], str(folder))


def hash_code(folder: Path) -> str:
    """Hash of all Python files of the folder."""
    return hash_paths(folder, folder.rglob("*.py"))
