"""The process that decodes what strangers send: ``python -m ser_study.live.worker``, started by ``workers``.

One JSON line on the standard input is a request, one on the standard output its answer. The first request names the
bundle and the limits. Memory is limited once the recogniser is there and has run, large files cannot be written from
then on, and processor time is limited anew for every request. When the server is gone the folder of uploads goes too.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from ser_study.audio import media, reading
from ser_study.audio.media import Media
from ser_study.live import answers
from ser_study.live.pitch import VoicePitch
from ser_study.live.refusals import Refused
from ser_study.recognizer import Recognizer
from ser_study.recognizer.files import predict_file
from ser_study.schema import probability_columns

WARM_UP = 1.0  # s of noise that is predicted before the first request
GUESSED = 2**22  # numbers of a file whose pitch is looked at: a minute and more of speech
_FILES = 256  # that may be open
_WRITTEN = 64 * 1024  # bytes of a file that may be written: what a decoder complains of


def main() -> None:
    """Answer requests until the input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not pass for an answer
    options = json.loads(sys.stdin.readline())
    recognizer = Recognizer.load(options["bundle"])
    warm_up(recognizer)
    _limit(options["memory"])
    with contextlib.suppress(BrokenPipeError):
        _reply(replies, {"ready": True})
        for line in sys.stdin:
            _limit_time(options["deadline"])
            _reply(replies, _answer(recognizer, json.loads(line), options["duration"]))
    shutil.rmtree(options["folder"], ignore_errors=True)  # the server has gone; a worker that fails leaves its files


def warm_up(recognizer: Recognizer) -> None:
    """Let it predict noise once, so that no client waits for what is loaded when first used."""
    recognizer.predict_samples(np.random.default_rng(0).normal(0, 0.1, round(WARM_UP * 16_000)), 16_000)


def _reply(replies: TextIO, content: Mapping[str, Any]) -> None:
    replies.write(answers.as_json(content) + "\n")
    replies.flush()


def _answer(recognizer: Recognizer, request: Mapping[str, Any], longest: float) -> dict[str, Any]:
    """The answer to one request; whatever is wrong with the file becomes words."""
    path = Path(request["path"])
    try:
        about = _opened(path)
        start = _Start(about.sample_rate, longest)
        start.check(about.n_samples or 0)
        return {"status": 200, "result": _result(recognizer, about, start, request["options"])}
    except Refused as error:
        return {"status": error.status, "code": error.code, "message": error.message}
    except MemoryError:
        message = "Decoding the recording takes more memory than allowed; send a shorter or plainer one."
        return {"status": 413, "code": "too_large", "message": message}
    except (ValueError, OSError) as error:
        return {"status": 422, "code": "unusable", "message": _words(error, path)}
    except Exception as error:  # of a library: the next request may fare better
        message = f"The recording could not be predicted ({type(error).__name__}); the server goes on."
        return {"status": 500, "code": "error", "message": message}


def _opened(path: Path) -> Media:
    try:
        return media.opened(path)
    except ValueError as error:
        raise Refused(415, "not_audio", _words(error, path)) from None


def _result(recognizer: Recognizer, about: Media, start: _Start, options: Mapping[str, Any]) -> dict[str, Any]:
    prediction = predict_file(recognizer, about, jobs=1, watch=start.add, **options)
    channels = []
    for number, (one, guess) in enumerate(zip(prediction.channels, start.voices(len(prediction.channels)))):
        channels.append(
            {
                "channel": number,
                "name": one.name,
                "emotion": one.emotion,
                "confidence": answers.number(one.confidence),
                "probabilities": answers.by_class(recognizer.classes, one.probabilities),
                "speech": answers.number(one.speech, 3),
                **guess,
                "windows": _windows(one.timeline, recognizer.classes) if len(one.timeline) else [],
            }
        )
    warnings = prediction.warnings[:-1]  # the card says the standing one
    return {"duration": answers.number(prediction.duration, 3), "channels": channels, "warnings": warnings}


def _windows(timeline: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    values = timeline[probability_columns(classes)].to_numpy(float)
    return [
        answers.window(row, classes, own) for row, own in zip(timeline.itertuples(index=False), values, strict=True)
    ]


class _Start:
    """What is watched while a recording is read: its length, and its first ``GUESSED`` numbers, which are kept.

    Parameters
    ----------
    sample_rate : Hz
    longest : s that are taken
    """

    def __init__(self, sample_rate: int, longest: float):
        self.sample_rate, self.longest = sample_rate, longest
        self._blocks: list[np.ndarray] = []
        self._left, self._n_samples = GUESSED, 0

    def check(self, n_samples: int) -> None:
        """Refuse (413) a recording of so many samples or more, where these are too many."""
        if n_samples > self.longest * self.sample_rate:
            message = f"The recording lasts more than the {self.longest:g} s that are taken; send a part of it."
            raise Refused(413, "too_long", message)

    def add(self, block: np.ndarray) -> None:
        """Take the next block, (s, channels); ``check`` its end, for no header need be true."""
        self._n_samples += len(block)
        self.check(self._n_samples)
        if self._left > 0:
            self._blocks.append(block)
            self._left -= block.size

    def voices(self, n_channels: int) -> list[dict[str, Any]]:
        """Pitch and the guess of gender of each channel; of one channel, of all mixed."""
        start = np.concatenate(self._blocks)
        signals = [reading.to_mono(start)] if n_channels == 1 else start.T
        voices = [VoicePitch(self.sample_rate) for _ in signals]
        for voice, signal in zip(voices, signals):
            voice.push(np.ascontiguousarray(signal))
        return [voice.guess() for voice in voices]


def _words(error: Exception, path: Path) -> str:
    """What was wrong, without our own name of the file."""
    return str(error).replace(str(path), "The recording").replace(path.name, "the recording")[:500]


def _limit(memory: int) -> None:
    """No more memory than now and so many bytes, no large files written, few opened; nothing where that is unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITTEN, _WRITTEN))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if (status := Path("/proc/self/statm")).exists():
        used = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))


def _limit_time(seconds: float) -> None:
    """So much processor time from now on; with more the process is ended by the system."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + seconds) + 1, most))


if __name__ == "__main__":
    main()
