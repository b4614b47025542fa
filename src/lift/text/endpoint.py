"""Any server that answers POST /embeddings as OpenAI does: a company's own (vLLM, TEI, Ollama) or a service.

A frozen encoder needs no gradients, so its weights need not be here. The `openai` client (optional extra `endpoint`)
does retries with exponential backoff, Retry-After, timeouts and proxies; what it returns is checked here.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from lift.artefact import digest
from lift.console import note
from lift.errors import LiftError
from lift.fingerprint import PROBES, Fingerprint, pack_probes
from lift.text.options import EncoderOptions

RETRIES = 6  # at 0.5, 1, 2, 4, 8, 8 s, or when Retry-After says so
SECONDS = 120.0  # for one answer
TEXTS_PER_REQUEST = 256
BYTES_PER_REQUEST = 250_000  # a token has at least a byte, and OpenAI takes 300,000 tokens at once
TOO_MUCH = (413, 422)  # how servers refuse a batch beyond their limit: it is halved
UNKNOWN_LIMIT = 1_000_000_000
NO_KEY = "none"
PROBE_TEXTS = (
    "a red cup on a wooden table",
    "Two men in dark coats wait for the night train, 17 March 1998.",
    "雨の日に傘をさして歩く二人の子供",
    "Der Schlüssel liegt links neben der Tür, nicht rechts.",
)


def is_endpoint(name: str) -> bool:
    """True for an encoder name such as https://host/v1#model."""
    return name.startswith(("http://", "https://"))


def choose_key(host: str) -> str:
    """The key for `host` from the environment, "" when there is none.

    LIFT_API_KEY goes to any endpoint; OPENAI_API_KEY only to OpenAI, or to the host that OPENAI_BASE_URL names: a RUN
    made by somebody else names its endpoint, and must not be handed a key it has no claim to.
    """
    if os.environ.get("LIFT_API_KEY"):
        return os.environ["LIFT_API_KEY"]
    chosen = urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname
    if host == chosen or host == "openai.com" or host.endswith(".openai.com"):
        return os.environ.get("OPENAI_API_KEY", "")
    return ""


def split_name(name: str) -> tuple[str, str]:
    """Base URL and model of `https://host/v1#model`; LiftError when a part is missing or it holds a password."""
    url, _, model = name.partition("#")
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise LiftError(
            "the URL of the endpoint holds a user, a password or a query, which would be written into every STORE",
            "give https://host/v1#model, and the key in the environment as LIFT_API_KEY",
        )
    if not parts.hostname or not model:
        raise LiftError(f"{name!r} names no model or no host", "write https://host/v1#model-name")
    return url.rstrip("/"), model


def is_near(host: str) -> bool:
    """True for this machine and private networks."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host
    return address.is_loopback or address.is_private


class EndpointEncoder:
    """An embeddings endpoint behind the TextEncoder protocol; vectors brought to unit length.

    Tokens are not known here: `token_counts` gives UTF-8 bytes, good for ordering texts by length, and
    `counts_tokens` is False so that nobody takes them for tokens.
    """

    counts_tokens = False
    max_tokens = UNKNOWN_LIMIT  # the server cuts or refuses long texts, and does not say where
    flops_per_token = 0.0  # not known

    def __init__(self, name: str, *, options: EncoderOptions) -> None:
        """Connect to `name` (https://host/v1#model); LiftError when it cannot be used as an encoder."""
        what = "an endpoint, which decides that itself"
        options.refuse(what, "prompt_name", "pooling", "max_tokens", "revision", "trust_remote_code")
        if options.precision == "bf16":
            options.refuse(what, "precision")
        self.url, self.model = split_name(name)
        self.source, self.options = f"{self.url}#{self.model}", options
        parts = urlsplit(self.url)
        self.host = parts.hostname or ""
        self._key = choose_key(self.host)
        if self._key and parts.scheme == "http" and not is_near(self.host):
            note(f"the key travels to {self.host} unencrypted; use https where you can")
        self._client = self._connect()
        self._next = 0.0  # when the next request may be sent, by time.monotonic
        self.tokens_used = 0  # as the server counts them
        note(f"text encoder {self.model}: texts are sent to {self.host}")
        self._probe = self._ask(list(PROBE_TEXTS))
        self.dim = self._probe.shape[1]
        if options.dim not in (None, self.dim):
            raise LiftError(
                f"{self.source} gives {self.dim} numbers though {options.dim} were asked for",
                "leave --dim out, or take a model that knows `dimensions`",
            )

    def _connect(self) -> Any:
        try:
            import openai
        except ImportError as error:
            raise LiftError(
                "endpoints need the package openai, which is not installed",
                "install it: pip install 'lift[endpoint]'",
            ) from error
        return openai.OpenAI(
            base_url=self.url, api_key=self._key or NO_KEY, max_retries=RETRIES, timeout=SECONDS
        )

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The model's name and options, and in `options` its vectors of fixed sentences: its weights are hidden.

        The vectors are compared with a tolerance (`Fingerprint.matches`), for servers do not repeat themselves bit
        by bit; so they are not in the digest.
        """
        return Fingerprint(
            name=self.model,
            source=self.source,
            weights="endpoint " + digest(self.model),
            tokenizer="not known",
            prompt=self.options.prompt,
            pooling="endpoint",
            max_tokens=0,
            normalised=True,
            dim=self.dim,
            dtype="float32",
            options={
                **self.options.changed(),
                PROBES: pack_probes(self._probe),
                "licence": f"terms of {self.host}",
            },
        )

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """UTF-8 bytes of each text with its prompt, no fewer than its tokens without specials: int64 (n,)."""
        return np.array([len((self.options.prompt + text).encode()) for text in texts], dtype=np.int64)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch, in as many requests as its size asks for."""
        if not len(texts):
            return np.zeros((0, self.dim), np.float32)
        vectors = np.concatenate([self._ask(part) for part in self._parts(texts)])
        if vectors.shape[1] != self.dim:
            raise self._broken(f"vectors of {vectors.shape[1]} numbers, and of {self.dim} before")
        return vectors

    def _parts(self, texts: Sequence[str]) -> list[list[str]]:
        """`texts` in order, in lists small enough for one request."""
        parts: list[list[str]] = [[]]
        size = 0
        for text, length in zip(texts, self.token_counts(texts).tolist(), strict=True):
            if parts[-1] and (len(parts[-1]) == TEXTS_PER_REQUEST or size + length > BYTES_PER_REQUEST):
                parts.append([])
                size = 0
            parts[-1].append(text)
            size += length
        return parts

    def _ask(self, texts: list[str]) -> np.ndarray:
        """One request, halved where the server finds it too large: float32 (n, D) of unit length."""
        import openai

        self._wait()
        prompted = [self.options.prompt + text or " " for text in texts]  # most servers refuse an empty text
        size = {"dimensions": self.options.dim} if self.options.dim else {}
        refused: LiftError | None = None
        try:
            answer = self._client.embeddings.create(
                input=prompted, model=self.model, encoding_format="float", **size
            )
        except openai.APIStatusError as error:
            if error.status_code not in TOO_MUCH or len(texts) == 1:
                refused = self._refused(error.status_code, error.message)
        except openai.APIConnectionError as error:  # timeouts too
            refused = LiftError(
                f"{self.url} cannot be reached, tried {RETRIES + 1} times: "
                + self._clean(str(error.__cause__ or error)),
                "check URL, network and server; the same command goes on where this one stopped",
            )
        except (openai.OpenAIError, ValueError) as error:
            refused = self._broken(self._clean(str(error)))
        else:
            return self._check(answer, len(texts))
        if refused is not None:
            raise refused  # outside the handler: the client's own error may quote the key
        half = len(texts) // 2
        return np.concatenate([self._ask(texts[:half]), self._ask(texts[half:])])

    def _wait(self) -> None:
        """Keep the pace of --requests-per-minute."""
        if self.options.requests_per_minute:
            now = time.monotonic()
            time.sleep(max(0.0, self._next - now))
            self._next = max(now, self._next) + 60 / self.options.requests_per_minute

    def _check(self, answer: Any, count: int) -> np.ndarray:
        """The vectors of an answer in the order of the texts; LiftError unless all are there, finite and not zero."""
        rows = getattr(answer, "data", None)
        if not isinstance(rows, list) or len(rows) != count:
            found = len(rows) if isinstance(rows, list) else "no"
            raise self._broken(f"{found} vectors for {count} texts")
        if sorted(str(getattr(row, "index", None)) for row in rows) != sorted(map(str, range(count))):
            raise self._broken("vectors that are not numbered from 0 on, each once")
        try:
            vectors = np.array([row.embedding for row in sorted(rows, key=lambda row: row.index)], np.float32)
        except (TypeError, ValueError):
            raise self._broken("vectors of unequal length or not of numbers") from None
        if vectors.ndim != 2 or not vectors.shape[1]:
            raise self._broken("vectors that are no lists of numbers")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        bad = int((~(np.isfinite(lengths) & (lengths > 0))).sum())
        if bad:
            raise self._broken(f"{bad} of {count} vectors that are zero or not finite")
        self.tokens_used += int(getattr(getattr(answer, "usage", None), "prompt_tokens", 0) or 0)
        return vectors / lengths

    def _broken(self, what: str) -> LiftError:
        return LiftError(
            f"{self.source} answered with {what}",
            "check that it is an embeddings model behind an OpenAI-compatible server, and look into the server's log",
        )

    def _refused(self, status: int, message: str) -> LiftError:
        """What to tell of an answer that is an error; of a refused key nothing is quoted."""
        if status in (401, 403):
            with_key = "the key in the environment" if self._key else "a request without a key"
            return LiftError(
                f"{self.url} refuses {with_key} ({status})",
                "set LIFT_API_KEY (OPENAI_API_KEY is sent to OpenAI and to the host of OPENAI_BASE_URL only)",
            )
        remedy = {
            404: "check URL (most end in /v1) and model name",
            400: "a text may be longer than the model takes, or an option unknown to it: see the message",
            429: "try again later, or slow down with --requests-per-minute",
        }
        tried = f" after {RETRIES + 1} attempts" if status in (408, 409, 429) or status >= 500 else ""
        return LiftError(
            f"{self.source} answers {status}{tried}: {self._clean(message)}",
            remedy.get(status, "look into the server's log; the same command goes on where this one stopped"),
        )

    def _clean(self, message: str) -> str:
        """One short line without the key."""
        line = " ".join(message.split())
        return (line.replace(self._key, "…") if self._key else line)[:300]
