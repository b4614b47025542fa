"""The tables of the server's database, the same in SQLite and PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, String, Table, Text

META = MetaData()
QUESTIONS = Table(
    "lift_questions",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("mark", String(64), index=True, nullable=False),  # of picture and sentence: nothing is asked twice
    Column("sentence", Text, nullable=False),
    Column("key", Text),
    Column("picture", String(64), nullable=False),
    Column("probability", Float),
    Column("suspicious", sql.JSON, nullable=False),
    Column("chosen", String(6), nullable=False),
    Column("answered", Boolean, nullable=False, index=True),
    Column("made", String(40), nullable=False),
)
ANSWERS = Table(
    "lift_answers",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("question", Integer),
    Column("sentence", Text, nullable=False),
    Column("key", Text),
    Column("picture", String(64), nullable=False),
    Column("answer", String(3), nullable=False),
    Column("chosen", String(6), nullable=False),
    Column("made", String(40), nullable=False),
)
JOBS = Table(
    "lift_jobs",
    META,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("ask", Boolean, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("counts", sql.JSON, nullable=False),
    Column("error", Text),
    Column("remedy", Text),
    Column("made", String(40), nullable=False),
    Column("ended", String(40)),
)
AUDIT = Table(
    "lift_audit",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("action", String(10), nullable=False),
    Column("key", Text, nullable=False),
    Column("request", String(32), nullable=False),
    Column("client", String(64), nullable=False),
    Column("made", String(40), nullable=False),
)
