"""One training in a process of its own, so that memory and time are its own. Run as `python -m`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from lift.errors import LiftError
from lift.training import TrainConfig, train


def end_with_parent(parent: int) -> None:
    """End this process soon after its parent: two trainings in one folder would spoil each other."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main(fields: dict[str, Any]) -> int:
    """Train as `fields` of a TrainConfig say; returns the exit code."""
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        paths = {name: Path(fields[name]) for name in ("images", "texts", "out")}
        train(TrainConfig(**(fields | paths)))
    except LiftError as error:
        print(f"lift claims: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
