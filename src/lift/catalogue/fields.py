"""Metadata of photos: four types of fields, the values they take, and filters over them (`where`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lift.errors import LiftError, UsageError

#: How each type of field is kept.
ARROW = {"text": pa.string(), "number": pa.float64(), "date": pa.timestamp("us"), "bool": pa.bool_()}
OPERATORS = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
Where = Mapping[str, Any]
_CONDITION = re.compile(r"^\s*(?P<field>[^<>=!]+?)\s*(?P<operator><=|>=|!=|=|<|>)\s*(?P<value>.*?)\s*$")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def type_of(value: Any) -> str:
    """The type of field that holds `value`; LiftError for one that none holds."""
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | float | np.integer | np.floating):
        return "number"
    if isinstance(value, dt.date):  # a datetime is one, too
        return "date"
    if isinstance(value, str):
        return "text"
    raise LiftError(f"{value!r} cannot be kept as metadata", "give text, a number, a date, or true or false")


def stored_value(name: str, kind: str, value: Any) -> Any:
    """`value` as a field `name` of type `kind` keeps it; LiftError when it is of another type."""
    if value is None:
        return None
    if kind == "date" and isinstance(value, str):
        return parse_date(name, value)
    if type_of(value) != kind:
        raise LiftError(
            f"the field {name!r} holds {_PLURAL[kind]}, not {value!r}",
            "give a value of that type, or use another name for the field",
        )
    if kind == "date":
        return _moment(value)
    if kind == "number":
        if not abs(value) < 2.0**1023:  # nan, infinite, or a whole number too large for a float
            raise LiftError(f"the field {name!r} cannot hold {value!r}", "leave the field out for this photo")
        return float(value)
    if kind == "text" and not is_text(value):
        raise LiftError(f"the field {name!r} cannot hold {value!r}", "it is no valid Unicode text")
    return bool(value) if kind == "bool" else str(value)


def is_text(value: Any) -> bool:
    """Is it text that can be written as UTF-8?"""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


_PLURAL = {"text": "text", "number": "numbers", "date": "dates", "bool": "true or false"}


def parse_date(name: str, text: str) -> dt.datetime:
    """A date or time written as 2026-11-26, 2026/11/26 or 2026-11-26T09:30; LiftError for another form."""
    try:
        return _moment(dt.datetime.fromisoformat(text.strip().replace("/", "-")))
    except (ValueError, OverflowError) as error:
        raise LiftError(
            f"{name}: {text!r} is no date", "write it as 2026-11-26 or 2026-11-26T09:30"
        ) from error


def _moment(value: dt.date) -> dt.datetime:
    """A time without a zone: dates at midnight, times with a zone as UTC."""
    if not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value


def plain_value(value: Any) -> Any:
    """A value as people know it: whole numbers as int, midnights as dates."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date()
    return value


def join_fields(known: Mapping[str, str], metadata: Mapping[str, Any]) -> dict[str, str]:
    """The fields with those of a new photo; LiftError for a name that is empty."""
    fields = dict(known)
    for name, value in metadata.items():
        if not isinstance(name, str) or not name.strip() or re.search("[<>=!]", name):
            raise LiftError(f"{name!r} is no name for a field", "use letters, without < > = !")
        if value is not None:
            fields.setdefault(name, type_of(value))
    return fields


def parse_where(conditions: Sequence[str], fields: Mapping[str, str]) -> dict[str, Any] | None:
    """`price<20`, `shop=tokyo,osaka` as the command line has them -> a `where`; None for none."""
    where: dict[str, dict[str, Any]] = {}
    for text in conditions:
        found = _CONDITION.match(text)
        if not found:
            raise UsageError(f"{text!r} is no condition", 'write it as --where "price<20" or "shop=tokyo"')
        name, operator, value = found["field"], found["operator"], found["value"]
        kind = _known(name, fields)
        if operator in ("=", "!="):
            values = [_parse(name, kind, part.strip()) for part in re.split("[,、，]", value)]
        else:
            values = [_parse(name, kind, value)]
        known = where.setdefault(name, {})
        known[operator] = _both(operator, known[operator], values) if operator in known else values
    for known in where.values():
        known.update({operator: values[0] for operator, values in known.items() if operator[0] in "<>"})
    return dict(where) or None


def _both(operator: str, first: list[Any], second: list[Any]) -> list[Any]:
    """One operand for two conditions with the same operator on the same field."""
    if operator == "=":
        return [value for value in first if value in second]
    if operator == "!=":
        return [*first, *second]
    return [min(first + second) if operator[0] == "<" else max(first + second)]


def _known(name: str, fields: Mapping[str, str]) -> str:
    if name not in fields:
        raise LiftError(
            f"the photos have no field {name!r}",
            f"known: {', '.join(sorted(fields))}"
            if fields
            else "give them some: `lift index --metadata table.csv`",
        )
    return fields[name]


def _parse(name: str, kind: str, text: str) -> Any:
    if kind == "date":
        return parse_date(name, text)
    if kind == "bool":
        if text.lower() not in _TRUTH:
            raise LiftError(f"the field {name!r} holds true or false, not {text!r}", "write one of them")
        return _TRUTH[text.lower()]
    if kind == "number":
        try:
            return float(text)
        except ValueError as error:
            raise LiftError(f"the field {name!r} holds numbers, not {text!r}", "give a number") from error
    return text


def mask_of(table: pa.Table, where: Where, fields: Mapping[str, str], prefix: str) -> np.ndarray:
    """Which rows of `table` fulfil all conditions, bool (N,); a photo without the field never does."""
    mask = np.ones(table.num_rows, bool)
    for name, condition in where.items():
        kind = _known(name, fields)
        wanted = condition if isinstance(condition, Mapping) else {"=": condition}
        for operator, value in wanted.items():
            if operator not in OPERATORS:
                raise LiftError(f"{operator!r} is no comparison", f"known: {', '.join(OPERATORS)}")
            if prefix + name in table.column_names:
                mask &= _compare(table[prefix + name], operator, name, kind, value)
            else:
                mask[:] = False
    return mask


def _compare(column: pa.ChunkedArray, operator: str, name: str, kind: str, value: Any) -> np.ndarray:
    if isinstance(value, list | tuple | set):
        if operator not in ("=", "!="):
            raise LiftError(f"{name!r} {operator} several values means nothing", "give one value")
        values = pa.array([stored_value(name, kind, one) for one in value], column.type)
        found = pc.is_in(column, value_set=values)
        if operator == "!=":
            found = pc.and_(pc.invert(found), pc.is_valid(column))
    else:
        found = OPERATORS[operator](column, pa.scalar(stored_value(name, kind, value), column.type))
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False).astype(bool)
