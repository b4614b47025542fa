"""The same numbers with less memory or in less time: blocks that are computed again, blocks that are compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from lift.errors import LiftError
from lift.image import ImageEncoder


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """The transformer (or ConvNeXt) blocks of an image encoder or of CLIP's text tower, in order of depth."""
    if isinstance(module, ImageEncoder) and module.backbone is not None:
        return [module.backbone.model.get_submodule(name) for name in module.backbone.blocks]
    return list(module.blocks)  # type: ignore[arg-type]


def recompute_blocks(module: nn.Module) -> None:
    """Keep of every block its input alone, and compute it again on the way back (in place)."""
    for block in blocks_of(module):
        in_training(block, functools.partial(checkpoint, block.forward, use_reentrant=False))


def compile_blocks(module: nn.Module) -> None:
    """Let torch.compile make the blocks faster (in place). One graph serves all blocks of a shape.

    Photos have one size, texts have many lengths: a text tower's graph is made for any.
    """
    any_size = None if isinstance(module, ImageEncoder) else True
    for block in blocks_of(module):
        in_training(block, torch.compile(block.forward, dynamic=any_size))


def in_training(block: nn.Module, forward: Callable[..., Any]) -> None:
    """Let `block` use another forward while it is trained; validation keeps the plain one, and weights their names."""
    plain = block.forward

    def chosen(*arguments: Any, **named: Any) -> Any:
        return (plain if torch.is_inference_mode_enabled() else forward)(*arguments, **named)

    block.forward = chosen


def check_compiler(device: str) -> None:
    """LiftError unless torch.compile works here: tried on one line."""
    kind = device.split(":")[0]
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.ones(8, device=kind))
    except Exception as error:
        raise LiftError(
            f"torch.compile does not work here: {str(error).splitlines()[0]}",
            "install a C++ compiler (apt install g++, and python3-dev for its headers), or leave --compile away"
            if kind == "cpu"
            else "leave --compile away",
        ) from error
