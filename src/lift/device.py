"""Where to compute: a name such as cpu or cuda:1, checked before anything is loaded."""

from __future__ import annotations

import torch

from lift.errors import LiftError


def check_device(name: str) -> str:
    """`name` when this machine has that device; LiftError otherwise."""
    try:
        kind = torch.device(name).type
    except RuntimeError as error:
        raise LiftError(f"there is no device {name!r}", "use cpu, cuda, cuda:1 or mps") from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        raise LiftError(f"this machine (or this build of torch) has no {kind}", "use --device cpu")
    return name
