"""A request that gets no answer, and the words that its client gets instead."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A request that is not answered.

    Parameters
    ----------
    status : of HTTP
    code : one word for programs
    message : what was wrong and what to do, for people
    wait : s after which to try again; 0: trying again alone does not help
    """

    def __init__(self, status: int, code: str, message: str, *, wait: int = 0):
        super().__init__(message)
        self.status, self.code, self.message, self.wait = status, code, message, wait

    def as_dict(self) -> dict[str, Any]:
        """The body of the response."""
        return {"error": {"status": self.status, "code": self.code, "message": self.message}}

    def headers(self) -> dict[str, str]:
        """Headers that go with it."""
        extra = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return extra | ({"Retry-After": str(self.wait)} if self.wait else {})
