"""The options of `lift serve`, and the limits that every request is held to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

LONG = 8  #: times as long may adding photos and sending a table take


@dataclass(frozen=True)
class ServeConfig:
    """Search, classify and verify over HTTP, with a web page; needs a token unless only this machine can reach it."""

    index: Positional[Path]
    """INDEX folder, made by `lift index`"""
    calibration: Path | None = None
    """CALIBRATION made by `lift calibrate`, so that verdicts say match, mismatch or ask a person"""
    run: Path | None = None
    """folder of the model (default: the one recorded in the INDEX)"""
    query_encoder: Path | None = None
    """folder of a light text encoder made by `lift distill-query`, in place of the model's own"""
    host: str = "127.0.0.1"
    """address to listen at; anything but this machine itself needs --token-file"""
    port: int = 8000
    """port to listen at; 0 takes a free one and says which"""
    token_file: Path | None = None
    """file that holds the token, 16 characters or more, that clients must send"""
    allow_host: tuple[str, ...] = ()
    """further names under which the server is called, such as that of a reverse proxy"""
    behind_proxy: bool = False
    """believe X-Forwarded-For and X-Forwarded-Proto when they come from this machine"""
    database: str | None = None
    """where answers, questions and jobs are kept: sqlite:///FILE or postgresql+psycopg://… (default: in --state)"""
    state: Path | None = None
    """folder of the server's own files (default: INDEX with .server behind its name)"""
    ask_share: float = 0.02
    """share of the pairs sent with `ask` that a person is asked about by lot, whatever the verdict was: only such
    answers can move the thresholds of `lift calibrate --feedback`"""
    read_only: bool = False
    """photos cannot be added or deleted over HTTP"""
    threads: int = 2
    """threads that work for requests beside those that encode texts, add photos and show them"""
    waiting: int = 32
    """pieces of work that may wait for a thread; more are answered 503"""
    rate: float = 50
    """requests a second that one client may send on average, four times as many at once; 0: any number"""
    seconds: float = 15
    """a request not answered by then gets 503; adding photos and sending a table may take eight times as long"""
    max_pixels: int = 40_000_000
    """a photo with more pixels is refused before decoding"""
    max_megabytes: float = 25
    """a photo of more megabytes is refused"""
    max_upload: float = 256
    """megabytes of one request with photos or a table"""
    log_texts: bool = False
    """write what people ask for into the log; without it the log has no texts, keys or file names"""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for; shown in /api/about and in docs/server.md."""

    photo_bytes: int = 25_000_000
    """bytes of one photo file"""
    photo_pixels: int = 40_000_000
    """pixels of one photo, read before decoding"""
    upload_bytes: int = 256_000_000
    """bytes of a multipart body"""
    held_bytes: int = 600_000_000
    """bytes of all bodies that are being worked on; more are answered 503"""
    json_bytes: int = 1_000_000
    """bytes of a JSON body"""
    files: int = 200
    """photos in one upload"""
    sentences: int = 50
    """sentences in one request"""
    sentence_length: int = 2_000
    """characters of one sentence"""
    classes: int = 200
    """class names in one request"""
    top: int = 200
    """photos on one page of results"""
    table_bytes: int = 50_000_000
    """bytes of a table; of an Excel file also of what is packed in it, four times as much"""
    table_rows: int = 100_000
    """rows of a table"""
    zip_files: int = 20_000
    """photos in a zip beside a table"""
    zip_bytes: int = 2_000_000_000
    """bytes of all photos in a zip, unpacked"""
    jobs: int = 8
    """tables that wait to be checked"""
    body_seconds: float = 120
    """time for a body to come in"""
    header_bytes: int = 16_384
    """bytes of the request line and headers"""

    @classmethod
    def of(cls, config: ServeConfig) -> Limits:
        """The limits that the options of `config` lead to."""
        return cls(
            photo_bytes=int(config.max_megabytes * 1e6),
            photo_pixels=config.max_pixels,
            upload_bytes=int(config.max_upload * 1e6),
        )
