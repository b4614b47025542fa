"""The resume state: everything a killed run needs to go on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lift.artefact import refuse_foreign, write_bytes, write_json
from lift.checkpoint import load_tensors, save_tensors
from lift.console import note
from lift.errors import LiftError


def open_run(out: Path, request: dict[str, Any], overwrite: bool) -> str:
    """Prepare the RUN folder; "done", "resume" or "new". LiftError when other work lies there."""
    marker = out / "request.json"
    if overwrite and out.exists():
        clear(out, marker)
    elif marker.is_file():
        try:
            known = json.loads(marker.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise LiftError(f"{marker} is damaged", "give another --out, or add --overwrite") from error
        if known != request:
            changed = sorted(k for k in {*known, *request} if known.get(k) != request.get(k))
            raise LiftError(
                f"{out} was begun with other settings ({', '.join(changed)})",
                "give another --out, or add --overwrite to replace it",
            )
        if (out / "run.json").is_file():
            forget_progress(out)  # left by a kill after the last file was written
            return "done"
        return "resume"
    elif holds_something(out):
        raise LiftError(
            f"{out} exists and is not a RUN", "give another --out, or add --overwrite to replace it"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_json(marker, request)
    return "new"


def holds_something(out: Path) -> bool:
    """Whether `out` holds more than what a kill leaves of writing the first file."""
    if not out.is_dir():
        return out.exists()
    return any(not entry.name.endswith(".partial") for entry in out.iterdir())


def clear(out: Path, marker: Path) -> None:
    """Empty a RUN folder but for its `marker`; LiftError for a folder of the user's.

    run.json goes first, so that half of a RUN is never taken for one, and the marker stays, so that after a kill the
    folder can be cleared again; until then it belongs to no request, and nobody goes on from what is left.
    """
    if not holds_something(out):
        return
    refuse_foreign(out, marker.name)
    (out / "run.json").unlink(missing_ok=True)
    write_json(marker, {})
    for entry in out.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != marker:
            entry.unlink()


def forget_progress(out: Path) -> None:
    """Remove what only an unfinished run needs."""
    shutil.rmtree(out / "resume", ignore_errors=True)
    shutil.rmtree(out / "features", ignore_errors=True)


def learnt(module: nn.Module) -> dict[str, Tensor]:
    """Tensors of a module without its frozen parameters: those are as they were when the run began."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def save_state(
    out: Path,
    step: int,
    modules: dict[str, nn.Module],
    moments: dict[int, dict[str, Tensor]],
    facts: dict[str, Any],
) -> None:
    """Write resume/step-N (weights, optimiser, facts), then remove the older ones.

    modules, moments: whole, whatever number of processes computes them, so that any number can go on.
    """
    flat = {f"{number}.{name}": value for number, values in moments.items() for name, value in values.items()}
    groups = {name: learnt(module) for name, module in modules.items()}
    save_tensors(out / "resume" / f"step-{step:09d}", {**groups, "optimiser": flat}, {"step": step, **facts})
    for old in sorted((out / "resume").glob("step-*"))[:-1]:
        shutil.rmtree(old)


def load_state(
    out: Path, modules: dict[str, nn.Module]
) -> tuple[dict[str, Any], dict[int, dict[str, Tensor]]] | None:
    """Bring the modules to the newest saved step; its facts and the optimiser's moments, or None when there is none."""
    saved = sorted((out / "resume").glob("step-*"))
    if not saved:
        return None
    groups, facts = load_tensors(saved[-1])
    for name, module in modules.items():
        module.load_state_dict({**module.state_dict(), **groups[name]})
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in groups["optimiser"].items():
        number, name = key.split(".", 1)
        moments.setdefault(int(number), {})[name] = value
    return facts, moments


def trim_log(path: Path, step: int) -> None:
    """Drop log lines of steps behind `step`: they will be taken again."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # the line a kill cut in two
            continue
        if entry["step"] <= step:
            kept.append(line + "\n")
    write_bytes(path, "".join(kept).encode())


def keep_threads_of(facts: dict[str, Any]) -> None:
    """Go on with as many threads as the saved state was computed with: it decides the last digits."""
    threads = facts.get("threads", torch.get_num_threads())
    if threads != torch.get_num_threads():
        note(f"going on with {threads} threads, as before: another number would give other last digits")
        torch.set_num_threads(threads)
