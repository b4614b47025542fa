"""One JSON object per line on standard error; without what people ask for unless that was wished."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

LOG = logging.getLogger("lift.serve")


class JsonLines(logging.Formatter):
    """A record as {time, level, message, …}; an exception by its type and places, its words only with `texts`."""

    def __init__(self, texts: bool) -> None:
        super().__init__()
        self.texts = texts

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            fields["exception"] = kind.__name__
            fields["at"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)
            ][-12:]
            if self.texts:
                fields["words"] = str(error)
        return json.dumps(fields, ensure_ascii=True, default=str)  # a line stays a line, whatever is in it


def start_logs(texts: bool) -> None:
    """Send lift's and uvicorn's records to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(texts))
    for name in ("lift.serve", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = ([handler] if name != "uvicorn.error" else []), False
        logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").propagate = True  # to "uvicorn"
    logging.getLogger("uvicorn.access").disabled = True  # one line per request is ours


def failure(message: str, error: BaseException, **fields: Any) -> None:
    """Log an error that nobody foresaw, with the places it came through."""
    LOG.error(message, exc_info=error, extra={"fields": fields})


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log `message` with `fields`."""
    LOG.log(level, message, extra={"fields": fields})
