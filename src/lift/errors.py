"""The one exception a user meets: what went wrong, and what to do about it."""


class LiftError(Exception):
    """A mistake a user can mend: `problem` says what is wrong, `remedy` what to do next.

    The command line prints both and ends with exit code 1, without a stack trace.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  what to do: {remedy}")
        self.problem = problem
        self.remedy = remedy
