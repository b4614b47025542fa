"""Which parameters of an image encoder are trained: all, the head, the last blocks, or low-rank additions."""

from __future__ import annotations

from torch import nn

from lift.errors import LiftError
from lift.image.encoder import ImageEncoder

REMEDY = "give --tune full, head, last:K (K blocks), lora:R (rank R) or ridge"
MASKS = "mask_token"  # of a backbone's own pre-training; no gradient ever reaches it


def check_tune(tune: str, depth: int) -> tuple[str, int]:
    """(kind, number) of full, head, ridge, last:K or lora:R; LiftError when it is none of these."""
    kind, colon, number = tune.partition(":")
    if kind in ("full", "head", "ridge") and not colon:
        return kind, 0
    if kind not in ("last", "lora") or not number.isdigit() or int(number) < 1:
        raise LiftError(f"--tune is {tune!r}", REMEDY)
    if kind == "last" and int(number) > depth:
        raise LiftError(
            f"--tune {tune} asks for more blocks than the encoder's {depth}", f"give last:{depth} or less"
        )
    return kind, int(number)


def apply_tuning(encoder: ImageEncoder, tune: str) -> ImageEncoder:
    """Freeze everything that `tune` leaves alone (in place); lora:R adds its matrices to the blocks' linear maps.

    The head is trained always.
    """
    kind, number = check_tune(tune, encoder.shape.depth)
    encoder.tune = tune
    lowest = {"full": 0, "last": encoder.shape.depth + 1 - number}.get(kind, encoder.shape.depth + 2)
    for name, parameter in encoder.named_parameters():
        above = encoder.level_of(name) >= lowest and MASKS not in name
        parameter.requires_grad_(name.startswith("head.") or above)
    if kind == "lora":
        add_lora(encoder, number)
    return encoder


def add_lora(encoder: ImageEncoder, rank: int) -> None:
    """Low-rank additions of `rank` to every linear map in the blocks (LoRA, arXiv 2106.09685); scale 2."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise LiftError("--tune lora needs the package peft", "pip install 'lift[lora]'") from error
    last = encoder.shape.depth
    targets = [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and 1 <= encoder.level_of(name + ".weight") <= last
    ]
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets), encoder)
    for name, parameter in encoder.named_parameters():  # peft freezes whatever it did not add
        parameter.requires_grad_("lora_" in name or name.startswith("head."))


def merge_lora(encoder: ImageEncoder) -> ImageEncoder:
    """Add the low-rank products into the weights they stand beside (in place): an ordinary encoder again."""
    if not encoder.tune.startswith("lora"):
        return encoder
    from peft.tuners.lora import LoraLayer

    for name, module in list(encoder.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(encoder.get_submodule(parent), child, module.get_base_layer())
    return encoder
