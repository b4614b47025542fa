"""Finding an image encoder by name, folder or hub id, and loading the weights of a pre-trained one."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors
import torch

from lift.console import note
from lift.errors import LiftError
from lift.fingerprint import hash_files
from lift.image.backbone import FAMILIES, BackboneShape, check_pooling, resized_positions, shape_of
from lift.image.encoder import ImageEncoder
from lift.image.vit import IMAGE_ENCODERS, ViTShape

FILES = ["config.json", "preprocessor_config.json", "processor_config.json", "*.safetensors*"]
TWO_TOWERS = ("clip", "siglip")  # their image side is taken


def encoder_shape(name: str, pooling: str = "mean") -> ViTShape | BackboneShape:
    """The shape of a known encoder, or of the pre-trained backbone in a folder or under a hub id.

    Raises LiftError listing what is known when `name` is none of these.
    """
    if name in IMAGE_ENCODERS:
        return IMAGE_ENCODERS[name]
    return backbone_shape(find_folder(name), name, pooling)


def build_encoder(
    name: str, *, image_size: int, dim: int, head: str = "mlp", pooling: str = "mean"
) -> ImageEncoder:
    """An encoder of `name` with fresh weights, or with the pre-trained ones and a fresh head."""
    shape = encoder_shape(name, pooling)
    encoder = ImageEncoder(shape, image_size=image_size, dim=dim, head=head)
    if isinstance(shape, BackboneShape):
        load_pretrained(encoder, find_folder(name))
    return encoder


def find_folder(name: str) -> Path:
    """The folder of a backbone: itself, or the snapshot of a hub id, from this machine's cache where it is there."""
    if (Path(name).expanduser() / "config.json").is_file():
        return Path(name).expanduser()
    if name.startswith("timm:"):
        raise LiftError(
            f"{name} is a model of timm, which lift does not load",
            "give the folder or hub id of a model in transformers' form",
        )
    if name.count("/") != 1 or Path(name).exists() or name.startswith((".", "/", "~")):
        raise LiftError(
            f"there is no image encoder {name!r}",
            f"known: {', '.join(IMAGE_ENCODERS)}; or give the folder (with config.json and "
            "model.safetensors) or hub id (org/model) of a pre-trained backbone",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
    except OSError as missing:
        remedy = (
            f"on a machine with network: `hf download {name} --local-dir {name.split('/')[1]}`; copy that folder "
            "here and give its path as --image-encoder"
        )
        if os.environ.get("HF_HUB_OFFLINE") == "1":
            raise LiftError(
                f"the backbone {name!r} is not on this machine and HF_HUB_OFFLINE=1 forbids fetching it",
                remedy,
            ) from missing
    note(f"fetching {name} from the hub")
    try:
        return Path(snapshot_download(name, allow_patterns=FILES, etag_timeout=5))
    except (OSError, HfHubHTTPError) as error:
        raise LiftError(
            f"the backbone {name!r} could not be fetched: {str(error).splitlines()[0]}", remedy
        ) from error


def backbone_shape(folder: Path, name: str, pooling: str) -> BackboneShape:
    """What config.json and preprocessor_config.json of `folder` say; LiftError for an unknown family."""
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise LiftError(
            f"{folder / 'config.json'} could not be read: {str(error).splitlines()[0]}",
            f"give the folder of a transformers vision model: {', '.join(FAMILIES)}",
        ) from error
    if config.model_type in TWO_TOWERS:
        config = config.vision_config
    if config.model_type not in FAMILIES:
        hint = " (SigLIP 2 of fixed size, as google/siglip2-base-patch16-224, is of family siglip)"
        raise LiftError(
            f"{name} is of family {config.model_type!r}, which is not among the known ones",
            f"known: {', '.join(FAMILIES)}" + (hint if "siglip2" in config.model_type else ""),
        )
    check_pooling(config.model_type, pooling)
    mean, std = normalisation(folder, config.model_type)
    stamp = tuple(
        (f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in sorted(folder.glob("*.safetensors"))
    )
    # Paths of this machine stay out of checkpoints.
    source = folder.resolve().name if Path(name).expanduser().exists() else name
    return shape_of(
        config, mean=mean, std=std, pooling=pooling, source=source, weights=_hash_weights(folder, stamp)
    )


@lru_cache(maxsize=16)
def _hash_weights(folder: Path, stamp: tuple[Any, ...]) -> str:
    """Hash of the weights' files; `stamp` (names, times, sizes) lets it be computed once a process."""
    return hash_files(folder, ["*.safetensors"])


def processor_settings(folder: Path) -> dict[str, Any] | None:
    """What the folder's image processor was saved with; None where there is none. LiftError when it is damaged."""
    for file, inside in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        if (folder / file).is_file():
            try:
                found = json.loads((folder / file).read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise LiftError(
                    f"{folder / file} is damaged ({error})", "copy the complete folder of the model"
                ) from error
            if inside is None or inside in found:
                return found if inside is None else found[inside]
    return None


def normalisation(folder: Path, family: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per channel for pixels in 0..1, as the folder's image processor would apply them."""
    settings = processor_settings(folder) or {}
    usual_mean, usual_std = FAMILIES[family].mean_std
    mean, std = settings.get("image_mean") or usual_mean, settings.get("image_std") or usual_std
    if settings.get("do_normalize") is False:
        mean, std = (0.0,) * 3, (1.0,) * 3
    # A processor multiplies bytes by rescale_factor; our pixels are bytes / 255.
    scale = 255 * settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 255.0
    return tuple(float(m) / scale for m in mean), tuple(float(s) / scale for s in std)


@torch.no_grad()
def load_pretrained(encoder: ImageEncoder, folder: Path) -> None:
    """Fill the backbone of `encoder` from `folder`, its table of positions brought to the encoder's image size.

    Raises LiftError when the files are incomplete: transformers alone would go on with random weights.
    """
    import transformers

    assert encoder.backbone is not None and isinstance(encoder.shape, BackboneShape)
    target = encoder.backbone.model
    known = FAMILIES[encoder.shape.family]
    if processor_settings(folder) is None:
        note(
            f"{folder} has no preprocessor_config.json: the usual normalisation of {encoder.shape.family} is taken"
        )
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()  # what is left over (a text side) is no news; what lacks is checked
    extra = {"add_pooling_layer": encoder.shape.pooling == "pooler"} if encoder.shape.family == "vit" else {}
    try:
        source, info = getattr(transformers, known.model).from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True, **extra
        )
    except (OSError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise LiftError(
            f"the weights in {folder} could not be loaded: {str(error).splitlines()[0]}",
            "copy the complete folder of the model, with model.safetensors",
        ) from error
    finally:
        transformers.logging.set_verbosity(verbosity)
    weights = source.state_dict()
    missing = sorted(
        set(target.state_dict()) - set(weights) | set(info["missing_keys"]) & set(target.state_dict())
    )
    missing = [name for name in missing if not name.endswith("mask_token")]  # of pre-training only, not used
    if missing:
        raise LiftError(
            f"the weights in {folder} lack {len(missing)} tensors of the model, the first: {missing[0]}",
            "copy the complete folder again, or choose another --image-pooling",
        )
    if known.own_positions:
        name, table = resized_positions(source, encoder.image_size, encoder.shape.patch)
        weights[name] = table
    target.load_state_dict({name: weights[name] for name in target.state_dict()})
