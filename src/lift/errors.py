"""The one exception a user meets: what went wrong, and what to do about it."""

from __future__ import annotations


class LiftError(Exception):
    """A mistake a user can mend: `problem` says what is wrong, `remedy` what to do next.

    The command line prints both and ends with `exit_code`, without a stack trace.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  what to do: {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[LiftError], tuple[str, str]]:
        return type(self), (self.problem, self.remedy)  # so that it comes back whole from another process


class UsageError(LiftError):
    """A LiftError about how a command was called: exit code 2."""

    exit_code = 2
