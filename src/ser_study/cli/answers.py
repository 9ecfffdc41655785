"""What ``ser-study predict`` writes: records of recordings as plain values, as a table, CSV, JSON or lines of JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_study import schema

if TYPE_CHECKING:
    import pandas as pd

    from ser_study.recognizer.files import FilePrediction

FORMATS = ("table", "csv", "json", "jsonl")
RESUMED = ("csv", "jsonl")  # formats that are written line by line, so that a folder can be continued
DIGITS = 7  # of a probability
IDENTITY = ("bytes", "modified", "model")  # a record whose file has the same ones need not be made again
FACTS = ("file", "channel", "emotion", "confidence", "speech", "duration", "sample_rate")

Record = dict[str, Any]


def record_of(made: FilePrediction, classes: Iterable[str], identity: Mapping[str, Any], *, timeline: bool) -> Record:
    """A prediction as plain values without NaN.

    Parameters
    ----------
    classes : of the recogniser
    identity : ``file`` and values of ``IDENTITY``
    timeline : whether its windows are listed
    """
    channels = []
    for one in made.channels:
        named = {name: _plain(value) for name, value in zip(classes, one.probabilities)}
        row = {"channel": one.name, "emotion": one.emotion, "confidence": _plain(one.confidence)}
        row |= {"speech": round(one.speech, 2), "probabilities": named}
        channels.append(row | ({"timeline": windows_of(one.timeline)} if timeline else {}))
    facts = {"duration": round(made.duration, 3), "sample_rate": made.sample_rate}
    return {**identity, **facts, "channels": channels, "warnings": list(made.warnings)}


def windows_of(timeline: pd.DataFrame) -> list[Record]:
    """The rows of a timeline as plain values."""
    rows = timeline.to_dict("records")
    return [{name: _plain(value) if isinstance(value, float) else value for name, value in row.items()} for row in rows]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), DIGITS)


def header_of(classes: Iterable[str]) -> list[str]:
    """Columns of the CSV of recordings."""
    return [*FACTS, *schema.probability_columns(tuple(classes)), "warnings", *IDENTITY]


def rows_of(record: Record) -> Iterator[Record]:
    """The rows of the CSV of one recording: one a channel."""
    for channel in record["channels"]:
        probabilities = {f"p_{name}": value for name, value in channel["probabilities"].items()}
        yield {**record, **channel, **probabilities, "warnings": " ".join(record["warnings"])}


def csv_text(rows: Iterable[Mapping[str, Any]], columns: list[str], *, header: bool = True) -> str:
    """Rows as CSV; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_text(record: Record, form: str, classes: Iterable[str], *, header: bool = False) -> str:
    """One record in a format that is written line by line."""
    if form == "csv":
        return csv_text(rows_of(record), header_of(classes), header=header)
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def kept(path: Path, form: str, current: Mapping[str, Mapping[str, Any]], classes: Iterable[str]) -> dict[str, str]:
    """What an earlier run wrote of files that have not changed since, as text by file; a broken end is left out.

    Parameters
    ----------
    path : what it wrote, or nothing
    form : one of ``RESUMED``
    current : file → its values of ``IDENTITY`` now

    Raises
    ------
    ValueError
        There is something else in that file.
    """
    from ser_study.recognizer.files import STEREO

    if not path.is_file() or not path.stat().st_size:
        return {}
    columns, texts = header_of(classes), {}
    with path.open(encoding="utf-8", newline="") as file:
        try:
            entries = list(_csv_entries(file, columns) if form == "csv" else _json_entries(file))
        except (ValueError, csv.Error) as error:
            raise ValueError(
                f"{path.name} holds something other than predictions of this recogniser as {form} ({error}); give "
                "another file with --to, or remove it."
            ) from None
    if form == "csv" and entries and entries[-1][0]["channel"] == STEREO[0]:
        del entries[-1]  # the row of its other channel was being written when the run was stopped
    for entry, text in entries:
        known = current.get(entry["file"])
        if known is not None and all(str(entry.get(name)) == str(known[name]) for name in IDENTITY):
            texts[entry["file"]] = texts.get(entry["file"], "") + text if form == "csv" else text
    return texts


def _csv_entries(file: io.TextIOBase, columns: list[str]) -> Iterator[tuple[Record, str]]:
    reader = csv.DictReader(file)
    if reader.fieldnames != columns:
        raise ValueError(f"its columns are {', '.join(reader.fieldnames or [])[:80]}")
    for row in reader:
        if None not in row and None not in row.values():
            yield row, csv_text([row], columns, header=False)


def _json_entries(file: io.TextIOBase) -> Iterator[tuple[Record, str]]:
    for number, line in enumerate(file, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            if number == 1:
                raise
            continue  # a line that was being written when the run was stopped
        if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
            raise ValueError(f"line {number} is no record")
        yield entry, line if line.endswith("\n") else line + "\n"


# For people


def summary(record: Record, *, top: int) -> str:
    """A recording for people: its answers, its warnings, and its timelines where they are listed."""
    from ser_study.wording import duration

    many = len(record["channels"]) > 1
    facts = f"{duration(record['duration'])}, {record['sample_rate']:,} Hz" + (", two channels" if many else "")
    lines = [f"{printable(record['file'])}: {facts}"]
    lines += [f"  {answer_line(one, top=top, named=many)}" for one in record["channels"]]
    for one in record["channels"]:
        if one.get("timeline"):
            lines += ["", f"Timeline, {one['channel']}:" if many else "Timeline:"]
            lines += [f"  {line}" for line in stretches(one["timeline"], record["duration"])]
    return "\n".join([*lines, "", "Note:", *(f"  - {sentence}" for sentence in record["warnings"])]) + "\n"


def answer_line(channel: Record, *, top: int, named: bool = True) -> str:
    """``left  angry 0.81 (sad 0.10, …), 2.3 s of speech``."""
    likeliest = sorted(channel["probabilities"].items(), key=lambda item: -(item[1] or 0))[:top]
    ranked = ", ".join(f"{name} {value:.2f}" for name, value in likeliest if value is not None)
    name = f"{channel['channel']:<6} " if named else ""
    return f"{name}{channel['emotion']:<10} {ranked + '; ' if ranked else ''}{channel['speech']:.1f} s of speech"


def stretches(windows: list[Record], seconds: float) -> Iterator[str]:
    """Neighbouring windows of one answer as one line; one gives way to the next half-way between their middles.

    Parameters
    ----------
    windows : rows of a timeline
    seconds : length of the recording
    """
    middles = [(one["start"] + one["end"]) / 2 for one in windows]
    edges = [0.0, *((one + other) / 2 for one, other in zip(middles, middles[1:])), seconds]
    first = 0
    for i, window in enumerate(windows):
        if i + 1 < len(windows) and windows[i + 1]["emotion"] == window["emotion"]:
            continue
        known = [one["confidence"] for one in windows[first : i + 1] if one["confidence"] is not None]
        sure = f" {sum(known) / len(known):.2f}" if known else ""
        yield f"{_clock(edges[first])} – {_clock(edges[i + 1])}  {window['emotion']}{sure}"
        first = i + 1


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes):3d}:{rest:04.1f}"


def printable(name: str) -> str:
    """A file name that moves no cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)
