"""What the metadata fields of an INDEX hold, so that a page can offer it: usual values, least and most."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lift.catalogue.fields import plain_value
from lift.catalogue.segments import FIELD
from lift.indexing import Index

MOST_VALUES = 50


class FieldFacts:
    """Counted once for each state of the INDEX."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._facts: list[dict[str, Any]] = []

    def of(self, index: Index) -> list[dict[str, Any]]:
        """`{name, kind, values, least, most}` of every field, by name."""
        view = index.view
        if self._number != view.commit.number:
            facts = []
            for name, kind in sorted(view.commit.fields.items()):
                parts = [
                    column if segment.alive is None else column.filter(pa.array(segment.alive))
                    for segment in view.segments
                    if FIELD + name in segment.table.column_names
                    for column in [segment.table[FIELD + name]]
                ]
                chunks = [chunk for part in parts for chunk in part.chunks]
                facts.append({"name": name, "kind": kind, **_facts(kind, pa.chunked_array(chunks or [[]]))})
            self._number, self._facts = view.commit.number, facts
        return self._facts


def _facts(kind: str, column: pa.ChunkedArray) -> dict[str, Any]:
    column = column.drop_null()
    if kind in ("text", "bool") or not len(column):
        counted = sorted(column.value_counts().to_pylist(), key=lambda one: -one["counts"])
        return {"values": [one["values"] for one in counted[:MOST_VALUES]], "least": None, "most": None}
    ends = pc.min_max(column).as_py()
    return {"values": [], "least": as_json(ends["min"]), "most": as_json(ends["max"])}


def as_json(value: Any) -> Any:
    """A value of metadata as JSON has it: dates as ISO 8601."""
    value = plain_value(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
