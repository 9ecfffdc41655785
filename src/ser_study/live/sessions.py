"""One client that streams: its own windows for each channel, nothing of it seen by another.

Conventions
-----------
The first message is JSON, ``{"sample_rate": 48000, "channels": 1}``, with ``"format": "int16"`` where samples are no
float32. Binary messages follow: little-endian samples, channel beside channel. The server answers with one JSON text a
window; ``{"end": true}`` asks for the last one. Sound is to come in real time: the server reads no faster than it
computes, and where several windows are complete at once it answers the last one and counts the others as dropped.
A client has one computation at a time, so clients take turns.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_study.live import answers
from ser_study.live.limits import Limits
from ser_study.live.pitch import VoicePitch
from ser_study.live.refusals import Refused
from ser_study.recognizer import Recognizer
from ser_study.recognizer.stream import Excerpts, window_of

RATES = (8_000, 192_000)  # Hz
MOST_CHANNELS = 2
FORMATS = {"float32": (np.dtype("<f4"), 1.0), "int16": (np.dtype("<i2"), 32_768.0)}
EVERY, LENGTH = 0.5, 3.0  # s from one window to the next, and of a window


@dataclass(frozen=True)
class Opening:
    """What a client says about its sound."""

    sample_rate: int  # Hz
    channels: int = 1
    format: str = "float32"

    @classmethod
    def read(cls, text: str) -> Opening:
        """The opening of a stream; ``Refused`` (422) where it is none."""
        try:
            content = json.loads(text)
            known = {name: content[name] for name in ("sample_rate", "channels", "format") if name in content}
            opening = cls(**known)
        except (ValueError, TypeError, RecursionError):
            message = 'The first message must be JSON such as {"sample_rate": 48000, "channels": 1}.'
            raise Refused(422, "bad_opening", message) from None
        rate, channels = opening.sample_rate, opening.channels
        if type(rate) is not int or not RATES[0] <= rate <= RATES[1]:
            message = f"sample_rate must be a whole number from {RATES[0]:,} to {RATES[1]:,} Hz."
            raise Refused(422, "bad_opening", message)
        if type(channels) is not int or not 1 <= channels <= MOST_CHANNELS:
            raise Refused(422, "bad_opening", f"channels must be 1 to {MOST_CHANNELS}.")
        if not isinstance(opening.format, str) or opening.format not in FORMATS:
            raise Refused(422, "bad_opening", f"format must be one of {', '.join(FORMATS)}.")
        return opening


class Session:
    """The sound of one client and the windows of its channels.

    Parameters
    ----------
    recognizer : shared by all, never changed
    opening : what comes
    """

    def __init__(self, recognizer: Recognizer, opening: Opening):
        self.recognizer, self.opening = recognizer, opening
        rate = opening.sample_rate
        self._channels = [Excerpts(rate, every=EVERY, length=LENGTH) for _ in range(opening.channels)]
        self._voices = [VoicePitch(rate) for _ in range(opening.channels)]
        self.n_samples = self.n_windows = self.n_dropped = 0

    @property
    def n_wanted(self) -> int:
        """Samples that complete the next window; 1 or more."""
        number = int(self.n_samples / (EVERY * self.opening.sample_rate)) + 1
        ends = (round(n * EVERY * self.opening.sample_rate) for n in (number, number + 1))  # one half is rounded down
        return next(end for end in ends if end > self.n_samples) - self.n_samples

    def samples(self, data: bytes) -> np.ndarray:
        """The samples (s, channels), float32, of a binary message; ``Refused`` (422) where it holds something else."""
        kind, scale = FORMATS[self.opening.format]
        if len(data) % (kind.itemsize * self.opening.channels):
            message = f"A message of {len(data)} bytes is no whole number of {self.opening.format} samples."
            raise Refused(422, "bad_samples", message)
        samples = np.frombuffer(data, kind).reshape(-1, self.opening.channels).astype(np.float32) / np.float32(scale)
        if n_bad := samples.size - np.count_nonzero(np.isfinite(samples)):
            raise Refused(422, "bad_samples", f"{n_bad} of {samples.size} samples are NaN or infinite.")
        return np.clip(samples, -8.0, 8.0)  # no microphone passes full scale by so much, and squares stay finite

    def push(self, samples: np.ndarray) -> list[dict[str, Any]]:
        """Take samples, shape (s, channels), and give the answers to send; computes."""
        self.n_samples += len(samples)
        return list(self._answers(samples, last=False))

    def finish(self) -> list[dict[str, Any]]:
        """The answers of the end of the sound, and a summary."""
        rows = list(self._answers(np.empty((0, len(self._channels)), np.float32), last=True))
        return [*rows, {"type": "end", "windows": self.n_windows, "dropped": self.n_dropped}]

    def _answers(self, samples: np.ndarray, *, last: bool) -> Iterator[dict[str, Any]]:
        for number, (channel, voice) in enumerate(zip(self._channels, self._voices)):
            own = np.ascontiguousarray(samples[:, number])
            voice.push(own)
            excerpts = channel.finish() if last else channel.push(own)
            self.n_dropped += max(0, len(excerpts) - 1)
            for excerpt in excerpts[-1:]:
                self.n_windows += 1
                one, _ = window_of(self.recognizer, excerpt, self.opening.sample_rate)
                row = answers.window(one, self.recognizer.classes, one.probabilities)
                yield {"type": "window", "channel": number, **row, **voice.guess(), "dropped": self.n_dropped}


class Pump:
    """Moves sound from a client to its session and answers back, never more than ``limits.backlog`` seconds of it.

    Parameters
    ----------
    session : of the client
    limits : for the backlog and idle clients
    pool : threads that compute
    """

    def __init__(self, session: Session, limits: Limits, pool: Executor):
        self.session, self.limits, self.pool = session, limits, pool
        self._waiting: list[np.ndarray] = []
        self._n_waiting, self._most = 0, limits.backlog * session.opening.sample_rate
        self._ended = False
        self._changed = asyncio.Condition()

    async def run(self, receive: Callable[[], Awaitable[bytes | str]], send: Callable[[str], Awaitable]) -> None:
        """Until the client ends its sound; ``receive`` gives messages, and raises when the client is gone.

        Raises
        ------
        Refused
            The client sent what is no sound, or nothing for too long, or did not take its answers.
        """
        computing = asyncio.create_task(self._compute(send))
        reading = asyncio.create_task(self._read(receive))
        try:
            done, _ = await asyncio.wait((computing, reading), return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in (computing, reading):
                task.cancel()
            await asyncio.gather(computing, reading, return_exceptions=True)

    async def _read(self, receive: Callable[[], Awaitable[bytes | str]]) -> None:
        ended = False
        while not ended:
            try:
                message = await asyncio.wait_for(receive(), self.limits.idle)
            except TimeoutError:
                message = f"Nothing came for {self.limits.idle:g} s; open the stream again."
                raise Refused(408, "idle", message) from None
            if isinstance(message, str) and not _is_end(message):
                raise Refused(422, "bad_message", 'Send samples as binary messages, or {"end": true}.')
            samples = self.session.samples(message) if isinstance(message, bytes) else None
            ended = samples is None
            async with self._changed:
                await self._changed.wait_for(lambda: self._n_waiting < self._most)
                if samples is not None and len(samples):
                    self._waiting.append(samples)
                    self._n_waiting += len(samples)
                self._ended = ended
                self._changed.notify_all()

    async def _compute(self, send: Callable[[str], Awaitable]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._ended or self._n_waiting >= self.session.n_wanted)
                parts, self._waiting, self._n_waiting = self._waiting, [], 0
                ended = self._ended
                self._changed.notify_all()
            rows = await loop.run_in_executor(self.pool, self.session.push, np.concatenate(parts)) if parts else []
            if ended:
                rows += await loop.run_in_executor(self.pool, self.session.finish)
            for row in rows:
                try:
                    await asyncio.wait_for(send(answers.as_json(row)), self.limits.idle)
                except TimeoutError:
                    raise Refused(408, "idle", "The answers are not read.") from None
            if ended:
                return


def _is_end(text: str) -> bool:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("end") is True
