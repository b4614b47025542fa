"""Where results go: into the RUN, or for a published model into a folder of its own, which `lift compare` takes too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lift.artefact import read_manifest, write_json
from lift.errors import LiftError
from lift.model import Model, Rival


def results_home(given: Path, model: Model | Rival, out: Path | None) -> Path:
    """The folder that `results` lies in; for a published model made with a rival.json that tells of it.

    LiftError when --out is given for a RUN, or holds results of another model.
    """
    if not isinstance(model, Rival):
        if out is not None:
            raise LiftError("the results of a RUN go into the RUN", "leave --out away")
        return given
    if out is None:
        own = (given / "rival.json").is_file()
        out = given if own else Path("rival-" + re.sub(r"[^\w.-]+", "-", model.name))
    if (out / "rival.json").is_file():
        known = read_manifest(out, "rival")["checkpoint"]["id"]
        if known != model.weights:
            raise LiftError(f"{out} holds results of another model than {model.id}", "give another --out")
    elif out.is_dir() and any(out.iterdir()):
        raise LiftError(f"{out} exists and holds no results of a published model", "give another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "rival.json", manifest_of(model))
    return out


def manifest_of(model: Rival) -> dict[str, Any]:
    """What a report needs to know of a published model, in the words of a run.json."""
    folder = model.run.resolve() if model.run else None
    hub = model.fingerprint.source
    return {
        "format": 1,
        "name": model.name,
        "method": model.method,
        "source": str(folder) if folder is not None and Path(hub).is_dir() else hub,
        "checkpoint": {"id": model.weights},
        "fingerprint": model.fingerprint.asdict(),
        "dataset": {"name": "its publishers' data", "id": f"of {model.name}"},
        "config": {},
    }
