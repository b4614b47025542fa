"""What a person sees while lift works: progress with time left on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

T = TypeVar("T")


def say(message: str = "") -> None:
    """Print one line of result to standard output."""
    print(message, flush=True)


def note(message: str) -> None:
    """Print one line about the work itself to standard error."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(
    description: str, total: int | None, done: int = 0, *, shown: bool = True
) -> Iterator[ProgressHandle]:
    """A progress bar with elapsed and remaining time on standard error; nothing when that is no terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
        console=Console(stderr=True),
        disable=not shown or not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        yield ProgressHandle(bar, bar.add_task(description, total=total, completed=done, detail=""))


class ProgressHandle:
    """Moves one bar: `advance(n, detail)`."""

    def __init__(self, bar: Progress, task: object) -> None:
        self._bar, self._task = bar, task

    def advance(self, by: int = 1, detail: str | None = None) -> None:
        """Move the bar by `by` items; `detail` replaces the words at its end."""
        fields = {} if detail is None else {"detail": detail}
        self._bar.update(self._task, advance=by, **fields)  # type: ignore[arg-type]


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` under a progress bar."""
    if total is None and isinstance(items, Sequence):
        total = len(items)
    with progress_bar(description, total) as bar:
        for item in items:
            yield item
            bar.advance()


def show_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to standard output; the first column left, the others right aligned."""
    table = Table(title=title, title_justify="left")
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else "right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
