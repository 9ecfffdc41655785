"""``ser-study predict``: recordings of one's own, one by one, by folder or by list."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_study.cli.options import DONE, FAILED

if TYPE_CHECKING:
    from ser_study.cli.answers import Record
    from ser_study.recognizer import Recognizer
    from ser_study.recognizer.files import FilePrediction

STANDARD_INPUT = "-"
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "jsonl"}
MOST_NAMED = 20  # bad files that are named; the rest is counted


def options(parser: argparse.ArgumentParser) -> None:
    """Options of ``predict``."""
    parser.set_defaults(act=predict)
    parser.add_argument("what", metavar="FILE|FOLDER|CSV|-", help="a recording, a folder of them, a CSV file with a "
                        "column 'path', or - for standard input")  # fmt: skip
    parser.add_argument("--model", default="", metavar="NAME|FILE.npz", help="a recogniser; default the shipped one")
    parser.add_argument("--format", default="", metavar="FORMAT", help="table (default), csv, json or jsonl")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between windows; default 1")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="emotions listed in a table; default 3")
    parser.add_argument("--timeline", action="store_true", help="list the windows of short recordings, too")
    parser.add_argument("--to", default="", metavar="FILE", help="write there; as csv or jsonl a folder is continued")
    parser.add_argument("--plot", default="", metavar="FILE", help="draw the timeline of one recording: .png or .html")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="workers; default one a core")


def predict(given: argparse.Namespace) -> int:
    """Predict, and write what comes out; 1 where a recording of several could not be read."""
    from ser_study.parallel import n_workers
    from ser_study.recognizer import shipped

    form = _format(given)
    n_workers(given.jobs)  # a wrong number is an error now
    if given.top < 1:
        raise ValueError(f"--top is {given.top}; give 1 or more.")
    if given.plot and Path(given.plot).suffix.lower() not in (".png", ".html"):
        raise ValueError(f"A plot is written as .png or .html; found --plot {given.plot!r}.")
    what = Path(given.what).expanduser()
    several = given.what != STANDARD_INPUT and (what.is_dir() or (what.suffix.lower() == ".csv" and what.is_file()))
    if several and given.plot:
        raise ValueError("--plot draws one recording; give a file, or leave --plot out.")
    if several and given.timeline and form == "csv":
        raise ValueError("Timelines of several recordings are no one table; take --format jsonl, or give one file.")
    files = _listed(what) if several else {}
    recognizer = shipped.named(given.model)
    return _predict_several(recognizer, files, form, given) if several else _predict_one(recognizer, form, given)


def _format(given: argparse.Namespace) -> str:
    from ser_study.cli.answers import FORMATS
    from ser_study.config import unknown

    form = given.format or SUFFIXES.get(Path(given.to).suffix.lower(), "table")
    if form not in FORMATS:
        raise ValueError(unknown("format", form, FORMATS))
    return form


def _listed(what: Path) -> dict[str, Path]:
    """Recordings below a folder, or in the column ``path`` of a CSV file: how they are named in the answer → where."""
    from ser_study.corpora.files import audio_files, kind, visible

    if what.is_dir():
        foreign = [path for path in visible(what) if path.is_file() and kind(path) in ("sound", "video")]
        files = {path.relative_to(what).as_posix(): path for path in sorted({*audio_files(what), *foreign})}
        if not files:
            raise FileNotFoundError(f"No recording below {what}; give a folder with some.")
        return files
    with what.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or []
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{what} is no CSV file ({error}); give one with a column 'path'.") from None
    if "path" not in columns:
        raise ValueError(f"{what} has no column 'path'; it has {', '.join(columns)[:200] or 'none'}.")
    return {row["path"]: what.parent / Path(row["path"]).expanduser() for row in rows if row["path"]}


def _predict_one(recognizer: Recognizer, form: str, given: argparse.Namespace) -> int:
    from ser_study.audio.media import spooled
    from ser_study.recognizer.files import SHORT, predict_file

    options = {"every": given.every, "timeline": given.timeline or bool(given.plot), "jobs": given.jobs}
    if given.what == STANDARD_INPUT:
        with spooled(sys.stdin.buffer) as path:
            try:
                made, identity = predict_file(recognizer, path, **options), _identity(recognizer, path, given)
            except ValueError as error:
                raise ValueError(str(error).replace(str(path), "Standard input")) from None
    else:
        path = Path(given.what).expanduser()
        made, identity = predict_file(recognizer, path, **options), _identity(recognizer, path, given)
    timeline = given.timeline or made.duration > SHORT
    _write(_text_of_one(recognizer, made, {"file": given.what, **identity}, form, given, timeline=timeline), given.to)
    if given.plot:
        _draw(made, Path(given.plot).expanduser(), recognizer, given.what)
    return DONE


def _text_of_one(recognizer: Recognizer, made: FilePrediction, identity, form: str, given, *, timeline: bool) -> str:
    from ser_study.cli import answers

    record = answers.record_of(made, recognizer.classes, identity, timeline=timeline)
    if form == "table":
        return answers.summary(record, top=given.top)
    if form == "csv" and given.timeline:
        columns = ["file", "channel", *made.channels[0].timeline.columns]
        rows = [
            {"file": given.what, "channel": one["channel"], **row}
            for one in record["channels"]
            for row in one["timeline"]
        ]
        return answers.csv_text(rows, columns)
    if form == "json":
        return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    return answers.as_text(record, form, recognizer.classes, header=True)


def _predict_several(recognizer: Recognizer, files: Mapping[str, Path], form: str, given: argparse.Namespace) -> int:
    from ser_study.cli import answers
    from ser_study.parallel import Failure, parallel_map

    to, current = Path(given.to).expanduser() if given.to else None, {}
    for name, path in files.items():
        current[name] = _identity(recognizer, path, given)
    texts: dict[str, str] = {}
    continued = to is not None and form in answers.RESUMED
    if continued:
        texts = answers.kept(to, form, current, recognizer.classes)
        header = answers.csv_text([], answers.header_of(recognizer.classes)) if form == "csv" else ""
        _write(header + "".join(texts[name] for name in files if name in texts), given.to)
    elif form == "csv":
        _write(answers.csv_text([], answers.header_of(recognizer.classes)), "")
    todo = [(name, str(files[name]), current[name]) for name in files if name not in texts]
    work = partial(_record, recognizer=recognizer, every=given.every, timeline=given.timeline)
    label = "recordings" if sys.stderr.isatty() else ""
    records, failures = [], {}
    for (name, *_), made in parallel_map(work, todo, jobs=given.jobs, label=label, unit="files", batch=1):
        if isinstance(made, Failure):
            failures[name] = made.reason
        elif form in answers.RESUMED:
            _append(answers.as_text(made, form, recognizer.classes), to if continued else None)
        else:
            records.append(made)
    if form == "json":
        _write(json.dumps(records, ensure_ascii=False, allow_nan=False, indent=1) + "\n", given.to)
    if form == "table":
        _write(_table(records, given.top), given.to)
    return _report(failures, len(files), len(texts))


def _record(item: tuple[str, str, Mapping[str, Any]], *, recognizer, every: float, timeline: bool) -> Record:
    """One recording of several, in any process."""
    from ser_study.cli import answers
    from ser_study.recognizer.files import predict_file

    name, path, identity = item
    made = predict_file(recognizer, path, every=every, timeline=timeline, jobs=1)
    return answers.record_of(made, recognizer.classes, {"file": name, **identity}, timeline=timeline)


def _table(records: Sequence[Record], top: int) -> str:
    from ser_study.cli import answers

    width = max((len(answers.printable(one["file"])) for one in records), default=0)
    lines = [
        f"{answers.printable(one['file']):<{width}}  {answers.answer_line(channel, top=top)}"
        for one in records
        for channel in one["channels"]
    ]
    notes = dict.fromkeys(sentence for one in records for sentence in one["warnings"][-1:])
    n_odd = sum(len(one["warnings"]) > 1 for one in records)
    odd = [f"{n_odd} recordings are unlike the training data; --format csv or json says in which way."] if n_odd else []
    return "\n".join([*lines, "", *(f"Note: {sentence}" for sentence in (*odd, *notes))]) + "\n"


def _report(failures: Mapping[str, str], n_files: int, n_kept: int) -> int:
    """Name on stderr what could not be read."""

    if n_kept:
        print(f"{n_kept} of {n_files} recordings were there already.", file=sys.stderr)
    if not failures:
        return DONE
    print(f"{len(failures)} of {n_files} recordings could not be read:", file=sys.stderr)
    for name, reason in list(failures.items())[:MOST_NAMED]:
        print(
            f"  {name.encode('unicode_escape').decode() if not name.isprintable() else name}: {reason}", file=sys.stderr
        )
    if len(failures) > MOST_NAMED:
        print(f"  and {len(failures) - MOST_NAMED} more", file=sys.stderr)
    return FAILED


def _identity(recognizer: Recognizer, path: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Size and date of a file, and what it is predicted by; a file that is not there fails later."""
    from ser_study import config as settings

    try:
        about = path.stat()
        size, modified = about.st_size, about.st_mtime_ns
    except (OSError, ValueError):  # a name that no file can have
        size, modified = 0, 0
    depends = {"card": recognizer.card, "every": given.every} | ({"timeline": True} if given.timeline else {})
    digest = settings.fingerprint(depends)[:12]
    return {"bytes": size, "modified": modified, "model": f"{recognizer.card.get('name', 'recogniser')} {digest}"}


def _draw(made: FilePrediction, path: Path, recognizer: Recognizer, name: str) -> None:
    from ser_study.cli import answers
    from ser_study.plotting import timeline
    from ser_study.store import replacing

    tables = {one.name: one.timeline for one in made.channels}
    figure = timeline.timeline(
        tables, recognizer.classes, title=f"Emotion over time: {answers.printable(Path(name).name)}"
    )
    with replacing(path) as temporary:
        if path.suffix.lower() == ".png":
            figure.savefig(temporary, format="png", facecolor="white")
        else:
            temporary.write_text(timeline.page(figure, made.warnings), encoding="utf-8")


def _write(text: str, to: str) -> None:
    from ser_study.store import replacing

    if not to:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with replacing(Path(to).expanduser()) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _append(text: str, to: Path | None) -> None:
    if to is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with to.open("a", encoding="utf-8") as file:
        file.write(text)
