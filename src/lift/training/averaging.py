"""The moving average of the learnt weights (--ema): what validation looks at, and what the checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lift.errors import LiftError

GROUP = "average"  # its name in the resume state


def check_decay(decay: float | None) -> None:
    """LiftError for a decay that averages nothing, or everything."""
    if decay is not None and not 0 < decay < 1:
        raise LiftError(f"--ema is {decay}", "give a decay above 0 and below 1, for instance 0.999")


class Average(nn.Module):
    """avg <- d avg + (1 - d) weight after every update, in float32, of learnt parameters only.

    The decay d warms up, min(decay, (1 + t) / (10 + t)) after t updates, so that the first weights are soon forgotten
    (as in TensorFlow's ExponentialMovingAverage). Without a decay it holds and does nothing. Its tensors are
    buffers: it is saved and loaded like any module.
    """

    updates: Tensor

    def __init__(self, modules: Mapping[str, nn.Module], decay: float | None) -> None:
        """Begin with the weights as they are now."""
        super().__init__()
        self.decay = decay
        named = [(f"{m}/{n}", p) for m, module in modules.items() for n, p in module.named_parameters()]
        learnt = [(name, p) for name, p in named if p.requires_grad] if decay is not None else []
        self.parameters_averaged = [parameter for _, parameter in learnt]
        self.names = [name.replace(".", "/") for name, _ in learnt]  # a buffer's name holds no dot
        for name, parameter in zip(self.names, self.parameters_averaged, strict=True):
            self.register_buffer(name, parameter.detach().to(torch.float32, copy=True))
        if decay is not None:  # on the CPU: reading it must not wait for the device
            self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def beside(self, modules: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """The modules of the resume state: `modules`, and this one where it does something."""
        return {**modules, GROUP: self} if self.decay is not None else dict(modules)

    @property
    def averages(self) -> list[Tensor]:
        """float32, in the order of the parameters."""
        return [self.get_buffer(name) for name in self.names]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an update."""
        if self.decay is None:
            return
        done = int(self.updates)
        decay = min(self.decay, (1 + done) / (10 + done))
        torch._foreach_lerp_(self.averages, [p.float() for p in self.parameters_averaged], 1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The modules have the averaged weights inside the block, and their own again after it."""
        own = [parameter.detach().clone() for parameter in self.parameters_averaged]
        self.settle()
        try:
            yield
        finally:
            self._put(own)

    def settle(self) -> None:
        """Give the modules the averaged weights for good."""
        self._put(self.averages)

    @torch.no_grad()
    def _put(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters_averaged, values, strict=True):
            parameter.copy_(value)
