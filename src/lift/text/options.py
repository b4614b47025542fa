"""How a frozen text encoder is loaded and used; what moves vectors here is in the fingerprint."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from lift.errors import LiftError
from lift.fingerprint import Fingerprint

Pooling = Literal["auto", "mean", "weighted-mean", "last", "eos", "cls", "own"]
Precision = Literal["auto", "fp32", "bf16"]
NUMBER_TYPE = {"fp32": "float32", "bf16": "bfloat16"}


@dataclass(frozen=True)
class EncoderOptions:
    """How the text encoder is loaded and used."""

    prompt: str = ""
    """Put before every text, captions and queries alike (E5 "query: ", Ruri "文章: ")."""
    prompt_name: str | None = None
    """A named prompt of a sentence-transformers model, instead of --prompt."""
    pooling: Pooling = "auto"
    """From token vectors to one; auto: as the model says, else mean (encoders), last (decoders); own: its `encode`."""
    dim: int | None = None
    """Keep so many leading numbers of a vector (Matryoshka), brought back to unit length."""
    max_tokens: int | None = None
    """Cut texts after so many tokens, if earlier than the model does."""
    precision: Precision = "auto"
    """Number type of the computation; auto: bf16 where the device computes in it, else fp32. minilm: fp32."""
    revision: str | None = None
    """Commit or tag of a hub id; without it the copy on this machine, else the newest. The commit is recorded."""
    trust_remote_code: bool = False
    """Run the program code that comes with the model."""
    accept_license: bool = False
    """Use an encoder whose licence forbids commercial use."""
    requests_per_minute: int | None = None
    """For an endpoint: send no more requests than this."""

    def __post_init__(self) -> None:
        for name, value in (
            ("--dim", self.dim),
            ("--max-tokens", self.max_tokens),
            ("--requests-per-minute", self.requests_per_minute),
        ):
            if value is not None and value < 1:
                raise LiftError(f"{name} {value} is not a positive number", f"leave {name} out")
        if self.prompt and self.prompt_name:
            raise LiftError("--prompt and --prompt-name were both given", "give one of them")

    def changed(self) -> dict[str, Any]:
        """The options that are not at their default, as written into manifests."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def refuse(self, what: str, *names: str) -> None:
        """LiftError when one of the options `names` was given though it means nothing for `what`."""
        given = [f"--{name.replace('_', '-')}" for name in names if name in self.changed()]
        if given:
            raise LiftError(f"{', '.join(given)} has no meaning for {what}", "leave it out")


def recorded_options(fingerprint: Fingerprint) -> EncoderOptions:
    """The options of the encoder that made `fingerprint`, with its number type in place of auto.

    Consent to run code is not taken from a manifest: it may come from somebody else.
    """
    known = {field.name for field in fields(EncoderOptions)} - {"trust_remote_code"}
    options = EncoderOptions(**{key: item for key, item in fingerprint.options.items() if key in known})
    precision = {number: name for name, number in NUMBER_TYPE.items()}.get(fingerprint.dtype, "auto")
    return replace(options, precision=precision)  # type: ignore[arg-type]


def choose_precision(precision: Precision, device: str) -> Literal["fp32", "bf16"]:
    """`precision`, with auto resolved for `device`: bf16 where the hardware multiplies in it, else fp32."""
    import torch

    if precision != "auto":
        return precision
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if kind == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return "bf16"
    return "fp32"
