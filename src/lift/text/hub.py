"""Hub ids: a commit, fetched once; the copy on this machine first, so that nothing waits for a missing network."""

from __future__ import annotations

import os
from pathlib import Path

from lift.errors import LiftError
from lift.text.folder import module_folders, read_json, weight_files

SECONDS = 5.0  # to wait for the hub's first answer
NEEDED = [
    "*.json",
    "*.txt",
    "*.model",
    "*.py",
    "*.safetensors",
    "README.md",
    "LICENSE*",
    "LICENCE*",
    "*.jinja",
]
OTHER_FORMATS = ["onnx/*", "openvino/*", "gguf/*", "coreml/*", "original/*"]
COPY = (
    "copy the model's folder here (`hf download ID --local-dir FOLDER` where the hub can be reached) and give its "
    "path as --encoder"
)


def is_hub_id(name: str) -> bool:
    """True when `name` looks like org/model and is no path."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).exists()


def fetch(name: str, revision: str | None) -> tuple[Path, str]:
    """Folder and commit of the hub id `name` at `revision` (a commit, tag or branch).

    A complete copy in the cache is taken without asking the hub. Raises LiftError within seconds when there is none
    and the hub cannot be reached.
    """
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    folder: Path | None = None
    try:
        folder = _snapshot(name, revision, NEEDED, here=True)
    except HFValidationError as error:
        raise LiftError(
            f"{name!r} is no hub id: {first_line(error)}", "give a folder, or a hub id (org/model)"
        ) from error
    except LocalEntryNotFoundError:
        pass
    if folder is None or not is_complete(folder):
        folder = _download(name, revision)
    return folder, folder.name


def is_complete(folder: Path) -> bool:
    """False for what a broken download leaves: no settings, no weights, or a shard of them missing."""
    parts = module_folders(folder)
    if not any((part / name).is_file() for part in parts for name in ("modules.json", "config.json")):
        return False
    for part in parts:
        index = read_json(part / "model.safetensors.index.json") or {}
        if not all((part / shard).is_file() for shard in set(index.get("weight_map", {}).values())):
            return False
    return bool(weight_files(folder))


def _download(name: str, revision: str | None) -> Path:
    import httpx2  # what huggingface_hub speaks through
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    at = f" at revision {revision}" if revision else ""
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        raise LiftError(
            f"the encoder {name!r}{at} is not on this machine and HF_HUB_OFFLINE=1 forbids fetching it", COPY
        )
    try:
        # Asked once with a limit of its own: the download below tries again and again, for up to a minute.
        HfApi().model_info(name, revision=revision, timeout=SECONDS)
        for bins in ([], ["pytorch_model*.bin"]):  # the second only for repositories without safetensors
            folder = _snapshot(name, revision, NEEDED + bins)
            if is_complete(folder):
                return folder
    except HfHubHTTPError as error:
        status = error.response.status_code
        what = {401: "does not exist or needs a login", 403: "needs a login", 404: "does not exist"}
        raise LiftError(
            f"the hub answers {status} for the encoder {name!r}{at}: it {what.get(status, 'cannot be had')}",
            f"check the id and --revision, log in with `hf auth login`, or {COPY}",
        ) from error
    except (httpx2.HTTPError, LocalEntryNotFoundError) as error:
        why = first_line(error.__cause__ or error)
        raise LiftError(
            f"the encoder {name!r}{at} is not on this machine and the hub cannot be reached ({why})", COPY
        ) from error
    raise LiftError(f"the hub's copy of {name!r}{at} holds no complete model that lift can load", COPY)


def _snapshot(name: str, revision: str | None, patterns: list[str], *, here: bool = False) -> Path:
    """The folder of a revision in the cache; here: only if its files lie there already."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            name,
            revision=revision,
            allow_patterns=patterns,
            ignore_patterns=OTHER_FORMATS,
            etag_timeout=SECONDS,
            local_files_only=here,
        )
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's text, its kind when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
