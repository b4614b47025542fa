"""What the server remembers: questions, answers, jobs, who added or deleted what; SQLite or PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import Table
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from lift.errors import LiftError
from lift.serve.refusing import Refused
from lift.serve.schema import ANSWERS, AUDIT, JOBS, META, QUESTIONS

MOST_QUESTIONS = 100_000


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class State:
    """The tables. Methods block, and may be called from any thread."""

    def __init__(self, url: str) -> None:
        """Open or make the tables at `url`; LiftError when that is not possible."""
        self.url = url
        try:
            self._engine = sql.create_engine(url, pool_pre_ping=True)
            if self._engine.dialect.name == "sqlite":
                sql.event.listen(self._engine, "connect", _careful_sqlite)
            elif self._engine.dialect.name != "postgresql":
                raise ArgumentError(f"{self._engine.dialect.name} is not tried")
            META.create_all(self._engine)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise LiftError(
                f"--database cannot be used: {error}",
                "give sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE with "
                "pip install 'lift[postgres]'",
            ) from error
        except SQLAlchemyError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            raise LiftError(
                f"the database {where} cannot be opened: {_short(error)}",
                "check that it runs, that the address is right, and that the user may make tables",
            ) from error

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def ready(self) -> bool:
        """Whether the database answers."""
        try:
            with self._engine.connect() as connection:
                connection.execute(sql.select(sql.literal(1)))
        except SQLAlchemyError:
            return False
        return True

    # -- questions and answers

    def ask(
        self,
        sentence: str,
        picture: str,
        *,
        key: str | None,
        probability: float | None,
        suspicious: Sequence[Mapping[str, Any]],
        chosen: str = "asked",
    ) -> int | None:
        """The number of a question, new or waiting already; None when too many wait.

        chosen: "random" for one drawn by lot whatever the verdict was, "asked" for a doubtful one.
        """
        mark = _mark(picture, sentence)
        with self._engine.begin() as connection:
            waiting = sql.select(QUESTIONS.c.id).where(QUESTIONS.c.mark == mark, ~QUESTIONS.c.answered)
            found = connection.execute(waiting).scalar()
            if found is not None:
                return int(found)
            if _count(connection, QUESTIONS, ~QUESTIONS.c.answered) >= MOST_QUESTIONS:
                return None
            values = {
                "mark": mark,
                "sentence": sentence,
                "key": key,
                "picture": picture,
                "probability": probability,
                "suspicious": list(map(dict, suspicious)),
                "chosen": chosen,
                "answered": False,
                "made": now(),
            }
            return _new(connection, QUESTIONS, values)

    def questions(self, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many wait, and the oldest of them."""
        with self._engine.connect() as connection:
            waiting = _count(connection, QUESTIONS, ~QUESTIONS.c.answered)
            query = sql.select(QUESTIONS).where(~QUESTIONS.c.answered).order_by(QUESTIONS.c.id).limit(limit)
            return waiting, [dict(row) for row in connection.execute(query).mappings()]

    def question(self, number: int) -> dict[str, Any]:
        """One question; Refused 404 when there is none."""
        with self._engine.connect() as connection:
            query = sql.select(QUESTIONS).where(QUESTIONS.c.id == _small(number))
            row = connection.execute(query).mappings().first()
        if row is None:
            raise Refused(404, f"there is no question {number}", "see GET /api/queue for those that wait")
        return dict(row)

    def drop_question(self, number: int) -> int:
        """Ask no more; how many that were."""
        with self._engine.begin() as connection:
            gone = sql.delete(QUESTIONS).where(QUESTIONS.c.id == _small(number), ~QUESTIONS.c.answered)
            return connection.execute(gone).rowcount

    def answer(self, number: int, answer: str) -> int:
        """Answer a question; Refused 404 when there is none, 409 when it has been answered. Durable when it returns."""
        question = self.question(number)
        with self._engine.begin() as connection:
            taken = sql.update(QUESTIONS).where(QUESTIONS.c.id == number, ~QUESTIONS.c.answered)
            if not connection.execute(taken.values(answered=True)).rowcount:
                raise Refused(
                    409, f"question {number} has been answered", "go on to the next, or take the answer back"
                )
            values = {name: question[name] for name in ("sentence", "key", "picture", "chosen")}
            values |= {"question": number, "answer": answer, "made": now()}
            return _new(connection, ANSWERS, values)

    def tell(self, sentence: str, picture: str, answer: str, *, key: str | None) -> int:
        """Keep an answer that nobody asked for; its number."""
        values = {"sentence": sentence, "key": key, "picture": picture, "answer": answer}
        values |= {"chosen": "asked", "made": now()}
        with self._engine.begin() as connection:
            return _new(connection, ANSWERS, values)

    def take_back(self, number: int) -> int:
        """Remove an answer, and let its question wait again; Refused 404 when there is none."""
        with self._engine.begin() as connection:
            query = sql.select(ANSWERS.c.question).where(ANSWERS.c.id == _small(number))
            row = connection.execute(query).first()
            if row is None:
                raise Refused(
                    404, f"there is no answer {number}", "give the id that POST /api/feedback answered"
                )
            connection.execute(sql.delete(ANSWERS).where(ANSWERS.c.id == number))
            if row[0] is not None:
                again = sql.update(QUESTIONS).where(QUESTIONS.c.id == row[0])
                connection.execute(again.values(answered=False))
        return 1

    def answers(self) -> dict[str, int]:
        """How many yes and no."""
        with self._engine.connect() as connection:
            return {word: _count(connection, ANSWERS, ANSWERS.c.answer == word) for word in ("yes", "no")}

    def each_answer(self) -> Iterator[dict[str, Any]]:
        """All answers, oldest first, in pieces of 500: nothing is held open between them."""
        last = 0
        while True:
            query = sql.select(ANSWERS).where(ANSWERS.c.id > last).order_by(ANSWERS.c.id).limit(500)
            with self._engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(query).mappings()]
            if not rows:
                return
            yield from rows
            last = rows[-1]["id"]

    # -- jobs

    def add_job(self, number: str, name: str, ask: bool, most: int) -> dict[str, Any]:
        """A new job that waits; Refused 503 when `most` do."""
        counts = dict.fromkeys(("match", "mismatch", "ask", "set_aside"), 0)
        values = {"id": number, "name": name, "state": "waiting", "ask": ask, "done": 0, "total": 0}
        values |= {"counts": counts, "error": None, "remedy": None, "made": now(), "ended": None}
        with self._engine.begin() as connection:
            if _count(connection, JOBS, JOBS.c.state.in_(("waiting", "running"))) >= most:
                again = {"Retry-After": "30"}
                raise Refused(
                    503, f"{most} tables wait already", "ask again after the seconds in Retry-After", again
                )
            connection.execute(JOBS.insert().values(values))
        return values

    def update_job(self, number: str, **values: Any) -> bool:
        """Change a job; False when it is no longer there."""
        with self._engine.begin() as connection:
            return bool(
                connection.execute(sql.update(JOBS).where(JOBS.c.id == number).values(values)).rowcount
            )

    def job(self, number: str) -> dict[str, Any]:
        """One job; Refused 404 when there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(sql.select(JOBS).where(JOBS.c.id == number[:32])).mappings().first()
        if row is None:
            raise Refused(
                404, "there is no such table", "see GET /api/tables; old ones may have been deleted"
            )
        return dict(row)

    def jobs(self, *states: str, limit: int = 100) -> list[dict[str, Any]]:
        """Jobs, newest first; with `states` only those."""
        query = sql.select(JOBS).order_by(JOBS.c.made.desc(), JOBS.c.id).limit(limit)
        if states:
            query = query.where(JOBS.c.state.in_(states))
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def drop_job(self, number: str) -> int:
        """Forget a job."""
        with self._engine.begin() as connection:
            return connection.execute(sql.delete(JOBS).where(JOBS.c.id == number)).rowcount

    # -- audit

    def note(self, action: str, keys: Sequence[str], *, request: str, client: str) -> None:
        """Write down that photos were added, updated or deleted, by whom."""
        rows = [
            {"action": action, "key": key, "request": request, "client": client[:64], "made": now()}
            for key in keys
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(AUDIT.insert(), rows)


def _careful_sqlite(connection: Any, record: object) -> None:
    """Readers and a writer side by side; what was acknowledged survives a loss of power."""
    del record
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{file.resolve()}"


def _new(connection: sql.Connection, table: Table, values: dict[str, Any]) -> int:
    key = connection.execute(table.insert().values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _count(connection: sql.Connection, table: Table, condition: Any) -> int:
    return int(
        connection.execute(sql.select(sql.func.count()).select_from(table).where(condition)).scalar() or 0
    )


def _mark(picture: str, sentence: str) -> str:
    return hashlib.sha256(f"{picture}\n{sentence}".encode(errors="surrogatepass")).hexdigest()


def _small(number: int) -> int:
    """A number that any database takes; what is too large is no row's."""
    return number if 0 < number < 2**31 else -1


def _short(error: SQLAlchemyError) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
