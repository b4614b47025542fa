"""What the server remembers, the same in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
from lift.errors import LiftError
from lift.serve.refusing import Refused
from lift.serve.state import State, sqlite_url
from postgres_by_hand import postgres

PICTURE = "a" * 64


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    if request.param == "sqlite":
        opened = State(sqlite_url(tmp_path_factory.mktemp("state") / "state.db"))
        yield opened
        opened.close()
        return
    pytest.importorskip("psycopg")
    with postgres() as url:
        opened = State(url)
        yield opened
        opened.close()


def ask(state: State, sentence: str) -> int:
    part = {"start": 0, "end": 5, "text": "a dog", "score": 0.5}
    number = state.ask(sentence, PICTURE, key="犬.jpg", probability=0.5, suspicious=[part])
    assert number is not None
    return number


def test_a_question_is_answered_once_taken_back_and_answered_again(state: State) -> None:
    number = ask(state, "a dog 🐕 on grass")
    assert ask(state, "a dog 🐕 on grass") == number  # nothing is asked twice
    waiting, rows = state.questions(5)
    assert waiting == 1 and rows[0]["id"] == number and rows[0]["suspicious"][0]["text"] == "a dog"
    answer = state.answer(number, "yes")
    assert state.answers() == {"yes": 1, "no": 0} and state.questions(5) == (0, [])
    with pytest.raises(Refused, match="answered") as refused:
        state.answer(number, "no")
    assert refused.value.status_code == 409
    assert state.take_back(answer) == 1
    assert state.questions(5)[0] == 1 and state.answers() == {"yes": 0, "no": 0}
    state.answer(number, "no")
    told = state.tell("two cats", PICTURE, "yes", key=None)
    rows = list(state.each_answer())
    assert [(row["sentence"], row["answer"]) for row in rows] == [
        ("a dog 🐕 on grass", "no"),
        ("two cats", "yes"),
    ]
    assert rows[-1]["id"] == told and rows[0]["key"] == "犬.jpg"


def test_of_many_at_once_one_answer_counts(state: State) -> None:
    number = ask(state, "who is first?")
    outcomes: list[int] = []

    def answer() -> None:
        try:
            state.answer(number, "yes")
            outcomes.append(200)
        except Refused as error:
            outcomes.append(error.status_code)

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [200] + [409] * 7


def test_what_is_not_there_is_refused(state: State) -> None:
    for call in (
        lambda: state.question(99_999),
        lambda: state.question(10**30),
        lambda: state.answer(-1, "yes"),
        lambda: state.take_back(10**12),
        lambda: state.job("nothing"),
        lambda: state.job("x" * 5000),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.status_code == 404 and refused.value.remedy
    assert state.drop_question(10**30) == 0


def test_questions_wait_up_to_a_limit(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = state.questions(1)[0]
    monkeypatch.setattr("lift.serve.state.MOST_QUESTIONS", waiting + 1)
    number = ask(state, "the last one")
    assert state.ask("too many", PICTURE, key=None, probability=None, suspicious=[]) is None
    assert ask(state, "the last one") == number and state.drop_question(number) == 1


def test_jobs_wait_up_to_a_limit(state: State) -> None:
    state.add_job("one", "a.csv", True, most=1)
    with pytest.raises(Refused) as refused:
        state.add_job("two", "b.csv", False, most=1)
    assert refused.value.status_code == 503 and refused.value.headers == {"Retry-After": "30"}
    assert state.update_job("one", state="done", counts={"match": 3}) and not state.update_job(
        "two", state="done"
    )
    assert state.job("one")["counts"] == {"match": 3} and state.jobs("waiting") == []
    assert state.drop_job("one") == 1 and state.jobs() == []


def test_changes_of_photos_are_written_down(state: State) -> None:
    state.note("added", ["犬.jpg", "a/b.png"], request="r", client="127.0.0.1")
    state.note("deleted", [], request="r", client="127.0.0.1")
    assert state.ready()


def test_a_sqlite_file_is_in_wal_mode_and_outlives_its_process(tmp_path: Path) -> None:
    first = State(sqlite_url(tmp_path / "s.db"))
    ask(first, "still there?")
    assert (tmp_path / "s.db-wal").exists()
    with first._engine.connect() as connection:  # 2, FULL: what was acknowledged survives a loss of power
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    again = State(sqlite_url(tmp_path / "s.db"))  # the first is not closed, as after a kill
    assert again.questions(1)[0] == 1
    first.close()
    again.close()


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://x", "sqlite:////no/such/folder/x.db", "postgresql+psycopg://x@127.0.0.1:1/x"]
)
def test_a_database_that_cannot_be_used_is_told_with_a_remedy(url: str) -> None:
    with pytest.raises(LiftError) as error:
        State(url)
    assert error.value.remedy
