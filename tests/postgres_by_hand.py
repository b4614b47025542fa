"""A PostgreSQL server of one's own for a test, where the machine has the programs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres() -> Iterator[str]:
    """URL of an empty database; the server runs as another user, since it refuses to run as root."""
    initdb, server = shutil.which("initdb"), shutil.which("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not on this machine")
    user = None
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("nobody")
        except KeyError:
            pytest.skip("there is no user besides root to run PostgreSQL as")
    folder = Path(tempfile.mkdtemp(prefix="liftpg"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}
    data = folder / "data"
    running = None
    try:
        made = subprocess.run(
            [initdb, "-D", data, "-U", "lift", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
            cwd=folder, capture_output=True, text=True, **who,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"initdb does not work here: {made.stderr[-300:]}")
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        running = subprocess.Popen(
            [server, "-D", data, *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
        )
        url = f"postgresql+psycopg://lift@/postgres?host={folder}"
        _wait(url, running)
        yield url
    finally:
        if running is not None:
            running.terminate()
            running.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, running: subprocess.Popen[bytes]) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    for _ in range(200):
        try:
            engine.connect().close()
            return
        except sqlalchemy.exc.OperationalError:
            assert running.poll() is None, "PostgreSQL ended"
            time.sleep(0.05)
        finally:
            engine.dispose()
    pytest.fail("PostgreSQL does not answer")
