"""Where the weights that learn lie: here, as a copy in every process (DDP), or in shards (FSDP2).

`home` are plain modules, whole, that process 0 validates and saves; `learning` are those whose parameters the optimiser
moves. They are the same objects but under FSDP, where only process 0 keeps a home beside its shard.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lift.image import BackboneShape, ImageEncoder
from lift.image.encoder import WordsHead
from lift.training.arms import Arm, ClipArm, Texts
from lift.training.config import TrainConfig
from lift.training.execution import blocks_of, compile_blocks, recompute_blocks
from lift.training.parallel import Ranks

Moments = dict[int, dict[str, Tensor]]  # of the optimiser, by number of the parameter


class Images(nn.Module):
    """The image encoder as a step calls it: of crops, or of the frozen body's vectors."""

    def __init__(self, encoder: nn.Module, *, kept: bool) -> None:
        super().__init__()
        self.encoder, self.kept = encoder, kept

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S), or (B, W) where the vectors are kept, to what the loss takes.

        Unit vectors (B, D), but for words: there the loss takes the logits themselves.
        """
        features: Tensor
        if isinstance(self.encoder.head, WordsHead):
            features = self.encoder.head.linear(images if self.kept else self.encoder.pooled(images))  # type: ignore[operator]
        else:
            features = self.encoder.from_pooled(images) if self.kept else self.encoder(images)  # type: ignore[operator]
        return features


class Placement:
    """The modules of a run as its processes hold them."""

    def __init__(
        self, home: dict[str, nn.Module], arm: Arm, config: TrainConfig, ranks: Ranks, *, kept: bool
    ) -> None:
        """Copies or shards the modules; the arm's texts go through what comes of its tower."""
        self.ranks, self.home, self.sharded = ranks, home, config.parallel == "fsdp"
        self.learning = {
            name: copy.deepcopy(module) if self.sharded and name != "scalars" else module
            for name, module in home.items()
        }
        towers = [module for name, module in self.learning.items() if name != "scalars"]
        for module in towers:
            if config.compile:
                compile_blocks(module)
            if config.checkpointing:
                recompute_blocks(module)
        calls: list[nn.Module] = [Images(self.learning["image"], kept=kept)]
        if isinstance(arm, ClipArm):
            calls.append(Texts(self.learning["text"]))
        if self.sharded:
            for module, call in zip(towers, calls, strict=True):
                shard(blocks_of(module), call, config)
            if not ranks.first:  # nobody looks at these any more
                for name, module in home.items():
                    module.to(config.device if name == "scalars" else "meta")
        if config.parallel == "ddp":  # a locked tower has no gradient to exchange
            calls = [
                replicated(call) if any(p.requires_grad for p in call.parameters()) else call
                for call in calls
            ]
        self.calls = calls
        self.encode = self.calls[0]
        if isinstance(arm, ClipArm):
            arm.call = self.calls[1]

    @contextlib.contextmanager
    def unsent(self, wait: bool) -> Iterator[None]:
        """Inside, DDP keeps the gradients here if there are more to come (`wait`)."""
        with contextlib.ExitStack() as stack:
            for call in self.calls:
                if wait and isinstance(call, DistributedDataParallel):
                    stack.enter_context(call.no_sync())
            yield

    def bring_home(self) -> None:
        """Gather what has been learnt into the home of process 0; all processes must call it."""
        if not self.sharded:
            return
        for name, module in self.learning.items():
            for mine, whole in zip(module.parameters(), self.home[name].parameters(), strict=True):
                if mine.requires_grad and mine is not whole:
                    gathered = full(mine.detach())
                    if self.ranks.first:
                        whole.data.copy_(gathered)

    def moments(self, optimiser: torch.optim.Optimizer) -> Moments:
        """The whole state of the optimiser, on process 0; all processes must call it."""
        found: Moments = {}
        for number, values in optimiser.state_dict()["state"].items():
            for name, value in values.items():
                whole = full(value)
                if self.ranks.first:
                    found.setdefault(number, {})[name] = whole.cpu() if self.sharded else whole
        return found

    def restore(self, optimiser: torch.optim.Optimizer, moments: Moments) -> None:
        """Give the optimiser the state that `moments` gave, whatever number of processes that was."""
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        state = {
            number: {name: share_like(parameters[number], value) for name, value in values.items()}
            for number, values in moments.items()
        }
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})

    def clip(self, parameters: Sequence[nn.Parameter], most: float) -> Tensor:
        """Scale all gradients so that their norm is `most` at most; returns the norm as it was, of the whole model."""
        if not self.sharded:
            return nn.utils.clip_grad_norm_(parameters, most)
        gradients = [p.grad for p in parameters if p.grad is not None]
        shards = [g.to_local() for g in gradients if is_shard(g)]  # type: ignore[attr-defined]
        whole = [g for g in gradients if not is_shard(g)]
        squares = self.ranks.total(nn.utils.get_total_norm(shards).float().square())
        norm = (squares + nn.utils.get_total_norm(whole).to(squares).square()).sqrt()
        for gradient in (*shards, *whole):
            gradient.mul_((most / (norm + 1e-6)).clamp(max=1.0))  # as torch does it
        return norm


def replicated(call: nn.Module) -> DistributedDataParallel:
    """`call` with DDP's exchange of gradients, which averages them."""
    encoder = call.encoder if isinstance(call, Images) else None
    backbone = isinstance(encoder, ImageEncoder) and isinstance(encoder.shape, BackboneShape)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch 2.13 has a new name for it
        return DistributedDataParallel(call, broadcast_buffers=False, find_unused_parameters=backbone)


def shard(blocks: Sequence[nn.Module], root: nn.Module, config: TrainConfig) -> None:
    """FSDP2 over the blocks and what is left of `root`; gradients are averaged in float32."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(config.device.split(":")[0], (torch.distributed.get_world_size(),))
    # Weights travel in bf16; the inputs are autocast as in one process.
    half = torch.bfloat16 if config.precision == "bf16" else None
    policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for module in (*blocks, root):
        fully_shard(module, mesh=mesh, mp_policy=policy)
        assert isinstance(module, FSDPModule)
        module.set_force_sum_reduction_for_comms(
            True
        )  # and divide afterwards: gloo does not know how to average


def is_shard(value: Tensor) -> bool:
    """Whether this is one process's share of a tensor."""
    return hasattr(value, "full_tensor")


def full(value: Tensor) -> Tensor:
    """The whole tensor, gathered where it is a share."""
    return value.full_tensor() if is_shard(value) else value  # type: ignore[attr-defined]


def share_like(parameter: Tensor, value: Tensor) -> Tensor:
    """This process's share of `value` if `parameter` is a share; as it is otherwise, and where it is one number."""
    if not is_shard(parameter) or not value.ndim:
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
