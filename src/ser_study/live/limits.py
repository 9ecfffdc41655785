"""What one server takes: sizes, durations, rates and numbers of clients, and the counters that keep to them."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ser_study.live.refusals import Refused

MIB = 2**20
MOST_CLIENTS = 10_000  # whose rates are remembered; the one that was away longest is forgotten first


@dataclass(frozen=True)
class Limits:
    """The limits of a server."""

    upload: int = 64 * MIB  # bytes of a file
    duration: float = 600.0  # s of a file
    receive: float = 60.0  # s in which a file must have come in
    deadline: float = 120.0  # s from a whole file to its answer, waiting included
    memory: int = 1024 * MIB  # bytes that decoding and predicting may take, beside the recogniser
    waiting: int = 16  # files that are received, wait or are answered at the same time
    requests: int = 240  # a minute, of one client; a stream counts as one
    streams: int = 32  # at the same time
    streams_per_client: int = 32
    message: int = MIB  # bytes of one message of a stream
    backlog: float = 10.0  # s of sound of a stream that wait while others are computed; with more, none is read
    idle: float = 30.0  # s without a message that end a stream


class Rate:
    """A bucket of permits for each client, refilled evenly.

    Parameters
    ----------
    per_minute : permits; as many can be used at once after a minute without any
    clock : seconds
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic):
        self.per_minute, self.clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client → permits left, when

    def take(self, client: str) -> None:
        """Use one permit; ``Refused`` (429) with the seconds to wait where none is left."""
        now = self.clock()
        left, then = self._buckets.pop(client, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            wait = max(1, round((1 - left) * 60 / self.per_minute))
            raise Refused(
                429,
                "too_many_requests",
                f"More than {self.per_minute} requests in a minute; try again in {wait} s.",
                wait=wait,
            )


class Places:
    """Places for what goes on at the same time, some of them for each client.

    Parameters
    ----------
    total, per_client : places
    what : in the plural, for the message
    """

    def __init__(self, total: int, per_client: int, what: str):
        self.total, self.per_client, self.what = total, per_client, what
        self._taken: Counter[str] = Counter()

    @property
    def n_taken(self) -> int:
        """Places in use."""
        return self._taken.total()

    @contextmanager
    def one(self, client: str) -> Iterator[None]:
        """A place while the block runs; ``Refused`` (503 or 429) where none is left."""
        if self.n_taken >= self.total:
            raise Refused(503, "busy", f"All {self.total} places for {self.what} are taken; try again soon.", wait=5)
        if self._taken[client] >= self.per_client:
            message = f"One client may have {self.per_client} {self.what} at the same time; end one first."
            raise Refused(429, "too_many_requests", message, wait=5)
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]
