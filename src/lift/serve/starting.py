"""`lift serve`: check that it is safe to listen, then serve until told to stop."""

from __future__ import annotations

import ipaddress
import signal
import socket
from importlib.util import find_spec
from pathlib import Path

from lift.console import note, say
from lift.errors import LiftError, UsageError
from lift.serve.config import LONG, Limits, ServeConfig

PACKAGES = ("fastapi", "uvicorn", "multipart", "sqlalchemy", "prometheus_client")
MAKE_TOKEN = "python -c 'import secrets; print(secrets.token_urlsafe(32))' > token"


def serve(config: ServeConfig) -> None:
    """Serve until SIGTERM or Ctrl-C; what was accepted by then is finished."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise LiftError(
            f"`lift serve` needs packages that are not here ({', '.join(missing)})",
            "pip install 'lift[serve]'",
        )
    check_options(config)
    token = read_token(config.token_file)
    check_address(config, token)

    import uvicorn

    from lift.serve.app import make_app
    from lift.serve.guard import LOOPBACK
    from lift.serve.logs import start_logs
    from lift.serve.service import Service

    listener = listen(config.host, config.port)
    start_logs(config.log_texts)
    service = Service(config)
    hosts = frozenset({*(LOOPBACK if is_loopback(config.host) else ()), *map(str.lower, config.allow_host)})
    settings = uvicorn.Config(
        make_app(service, token, hosts=hosts or None),
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=config.behind_proxy,
        forwarded_allow_ips="127.0.0.1",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(LONG * config.seconds),
        limit_concurrency=4000,
        h11_max_incomplete_event_size=Limits.header_bytes,
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"lift serves {len(service.index)} photos at http://{shown}:{port}/ (stop with Ctrl-C)")
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them once more when it has finished
        signal.signal(number, lambda *_: None)
    uvicorn.Server(settings).run(sockets=[listener])


def check_options(config: ServeConfig) -> None:
    """UsageError for a number that makes no sense."""
    least = {"threads": 1, "waiting": 0, "rate": 0, "seconds": 1, "max_pixels": 1, "max_megabytes": 0.001}
    for name, value in least.items():
        if not getattr(config, name) >= value:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} must be at least {value:g}, not {getattr(config, name):g}", "see --help"
            )
    if not 0 <= config.ask_share <= 1:
        raise UsageError(f"--ask-share {config.ask_share:g} is no share", "give a number from 0 to 1")
    if config.max_upload < config.max_megabytes:
        raise UsageError("--max-upload is less than --max-megabytes, one photo", "give a larger --max-upload")


def read_token(file: Path | None) -> str | None:
    """The token in `file`; LiftError when it is too short or cannot be read."""
    if file is None:
        return None
    try:
        token = file.read_text("utf-8").strip()
        open_to_all = file.stat().st_mode & 0o004
    except (OSError, UnicodeDecodeError) as error:
        raise LiftError(
            f"the token file {file} cannot be read ({error})", f"make one: {MAKE_TOKEN}"
        ) from error
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise LiftError(f"the token in {file} is not 16 or more plain characters", f"make one: {MAKE_TOKEN}")
    if open_to_all:
        note(f"everyone on this machine can read {file}: chmod 600 {file}")
    return token


def check_address(config: ServeConfig, token: str | None) -> None:
    """Raise LiftError when others could reach the server without a token."""
    if token is not None:
        return
    remedy = f"{MAKE_TOKEN} && chmod 600 token, then add --token-file token"
    if not is_loopback(config.host):
        raise LiftError(f"at {config.host} others could reach the server without a token", remedy)
    if config.allow_host or config.behind_proxy:
        raise LiftError("behind a proxy others could reach the server without a token", remedy)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; UsageError when the address is taken or is none."""
    if not 0 <= port < 65536:
        raise UsageError(f"--port must be 0 to 65535, not {port}", "leave it away for 8000")
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, number)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        raise LiftError(
            f"cannot listen at {host}:{port} ({error})", "give a free --port (0 takes one), or another --host"
        ) from error
    listener.listen(2048)
    return listener
