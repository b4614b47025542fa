"""The log: one JSON object a line, and no words of people unless that was wished."""

from __future__ import annotations

import json
import logging
import sys

import pytest

pytest.importorskip("fastapi")
from lift.serve.logs import JsonLines


@pytest.mark.parametrize("texts", [False, True])
def test_the_words_of_an_exception_are_written_only_where_texts_are(texts: bool) -> None:
    try:
        raise ValueError("a very private wish\nof two lines")
    except ValueError:
        record = logging.LogRecord("lift.serve", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    line = JsonLines(texts).format(record)
    told = json.loads(line)
    assert "\n" not in line and told["exception"] == "ValueError" and __file__ in told["at"][-1]
    assert ("private" in line) is texts
