"""Which text encoder an option means, and how to get exactly the one that made a STORE again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lift.conditioning import Conditioning
from lift.console import note
from lift.device import check_device
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text.conditioned import ConditionedEncoder, plain_fingerprint
from lift.text.encoder import TextEncoder
from lift.text.endpoint import EndpointEncoder, is_endpoint
from lift.text.folder import Origin, read_json
from lift.text.hub import fetch, is_hub_id
from lift.text.licence import check_licence, read_licence
from lift.text.minilm import MiniLM, package_folder
from lift.text.options import EncoderOptions, recorded_options
from lift.text.own import OwnEncoder
from lift.text.remote_code import check_trust, code_references, load_class
from lift.text.sentence import SentenceEncoder
from lift.text.transformer import TransformerEncoder

MINILM_VARIANTS = {
    "prompt",
    "pooling",
    "dim",
    "max_tokens",
}  # options for which the package's folder is opened


def open_minilm(device: str, options: EncoderOptions) -> TextEncoder:
    """The default encoder; with a pooling, prompt, dim or limit of one's own its folder through transformers.

    Number type auto means fp32 here, so that the default gives the same STORE on every machine.
    """
    options.refuse("minilm", "prompt_name", "revision", "requests_per_minute")
    precision = "fp32" if options.precision == "auto" else options.precision
    if not MINILM_VARIANTS & options.changed().keys():
        return MiniLM(device=device, precision=precision)
    variant = replace(options, precision=precision)
    origin = Origin(package_folder(), name="minilm", source="minilm", licence="apache-2.0")
    return TransformerEncoder(origin, device=device, options=variant)


TEXT_ENCODERS: dict[str, Callable[[str, EncoderOptions], TextEncoder]] = {"minilm": open_minilm}


def load_text_encoder(
    name: str, *, device: str = "cpu", options: EncoderOptions | None = None
) -> TextEncoder:
    """The encoder of a known name, a model folder, a hub id such as `org/model`, or an endpoint `https://host/v1#model`.

    Its licence is shown. Raises LiftError when `name` is none of these or cannot be loaded, when the licence forbids
    commercial use and that was not accepted, or when code of its own would run without consent.
    """
    return _open(name, device, options or EncoderOptions(), first=True)


def rebuild_text_encoder(
    fingerprint: Fingerprint,
    *,
    device: str = "cpu",
    source: str | None = None,
    conditioning: Conditioning | None = None,
) -> TextEncoder:
    """Exactly the encoder that made `fingerprint`, with its options and number type, whatever is usual here.

    source: where its folder is now, when it was moved. conditioning: what the fingerprint's post-processing names.
    Raises LiftError, naming both, when what is found gives other vectors, and all errors of `load_text_encoder`.
    Program code of a model runs only with LIFT_TRUST_REMOTE_CODE=1.
    """
    if conditioning is not None:
        plain = plain_fingerprint(fingerprint, conditioning)
        return ConditionedEncoder(rebuild_text_encoder(plain, device=device, source=source), conditioning)
    where, options = source or fingerprint.source, recorded_options(fingerprint)
    if source is not None and Path(source).exists():
        options = replace(options, revision=None)
    encoder = _open(where, device, options, first=False)
    if not encoder.fingerprint.matches(fingerprint):
        same = encoder.fingerprint.digest == fingerprint.digest
        detail = ", whose vectors for fixed sentences have changed" if same else ""
        raise LiftError(
            f"the vectors were made by the text encoder {fingerprint}, "
            f"but {where} is now {encoder.fingerprint}{detail}",
            "put back the encoder that was used, or embed and train again with the new one",
        )
    return encoder


def _open(name: str, device: str, options: EncoderOptions, *, first: bool) -> TextEncoder:
    """Load by name; first: say what its licence is (later it is said only when it forbids commercial use)."""
    check_device(device)
    if name in TEXT_ENCODERS:
        return TEXT_ENCODERS[name](device, options)
    if is_endpoint(name):
        return EndpointEncoder(name, options=options)
    path = Path(name).expanduser()
    if (path / "modules.json").is_file() or (path / "config.json").is_file():
        options.refuse("a folder", "revision")
        return _open_folder(path, path.resolve().name, str(path.resolve()), device, options, first)
    if is_hub_id(name):
        folder, commit = fetch(name, options.revision)
        pinned = replace(options, revision=commit)
        if first:
            note(f"text encoder {name}: commit {commit}")
        return _open_folder(folder, name, name, device, pinned, first)
    raise LiftError(
        f"there is no text encoder {name!r}",
        f"known names: {', '.join(TEXT_ENCODERS)}; or give a model folder, a hub id (org/model) or an endpoint "
        "(https://host/v1#model)",
    )


def _open_folder(
    folder: Path, name: str, source: str, device: str, options: EncoderOptions, first: bool
) -> TextEncoder:
    """Check licence and code, then load with the family that fits folder and options."""
    options.refuse(f"{name}, which is computed here", "requests_per_minute")
    licence = read_licence(folder)
    check_licence(name, licence, options.accept_license)
    if first or licence.non_commercial:
        note(f"text encoder {name}: licence {licence}")
    modules = read_json(folder / "modules.json") or []
    by_modules, own = bool(modules) and options.pooling == "auto", options.pooling == "own"
    inner = folder if by_modules or not modules else folder / modules[0].get("path", "")
    code = code_references(inner, modules=by_modules, native=not own)
    if own and "AutoModel" not in code:
        raise LiftError(f"{name} has no program code of its own", "choose another --pooling, or leave it out")
    check_trust(name, inner, code, options.trust_remote_code)
    origin = Origin(inner, name=name, source=source, licence=str(licence))
    if by_modules:
        return SentenceEncoder(origin, device=device, options=options, code=code)
    if options.pooling == "auto" and "AutoModel" in code:
        own = hasattr(load_class(code["AutoModel"], inner), "encode")
    family = OwnEncoder if own else TransformerEncoder
    return family(origin, device=device, options=options, code=code)
