"""serve: INDEX and verdicts over HTTP, and a web page, in one process (docs/server.md)."""

from lift.serve.config import ServeConfig
from lift.serve.starting import serve

__all__ = ["ServeConfig", "serve"]
