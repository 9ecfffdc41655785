"""Your own recordings: a table, or a folder for each emotion.

Put audio into ``own/`` in one of two ways.

*A table*: ``own/clips.csv`` (or any single CSV file there) with the columns ``path,emotion`` and any other
column of the clips contract that you know: ``speaker``, ``gender``, ``age``, ``statement``, ``intensity``,
``session``, ``language`` and so on. Paths are below ``own/``.

*Folders*: ``own/angry/…``, ``own/sad/…``; the first folder names the emotion.

Emotions are English words ("anger", "Angry", "fear"; see ``info.EMOTION_WORDS``); a word that is not known is an
error with its line number, never a guess. A clip's id is its path without the suffix. Without speakers no
speaker-independent protocol is possible, and a random split of such clips shows little: give ``speaker`` if you can.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ser_study.config import suggestion
from ser_study.corpora.files import audio_files, refuse_pointer
from ser_study.corpora.info import CorpusInfo, canonical_emotion
from ser_study.corpora.places import Places
from ser_study.schema import CLIP_COLUMNS, EMOTIONS

TABLE = "clips.csv"
COMPUTED = ("clip_id", "corpus", "take", "duration", "sample_rate", "n_channels", "sha256")
COLUMNS = tuple(column for column in CLIP_COLUMNS if column not in COMPUTED)
GENDERS = {
    **dict.fromkeys(("f", "female", "woman", "w"), "female"),
    **dict.fromkeys(("m", "male", "man"), "male"),
}
UNKNOWN = {"", "na", "n/a", "nan", "none", "null", "unknown", "?", "-", "–", "—"}  # words for "not known"
_NUMBERS = tuple(column for column in COLUMNS if CLIP_COLUMNS[column] == "float64")

INFO = CorpusInfo(
    name="own",
    title="Your own recordings",
    description="Audio with labels of your own, from a table or from one folder per emotion.",
    licence="yours",
    citation="none",
    source="you",
    how_to_get=(
        "Put audio into own/<emotion>/; or into own/ together with a clips.csv that has the columns "
        "path,emotion[,speaker,gender,…]."
    ),
    skips={r".*": "not listed in the table; add a line for each, or move them out of own/"},
    optional_files=(TABLE,),
    names_published=False,
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a line of the table; without a table one row a file, its first folder being the emotion.

    Raises
    ------
    ValueError
        Unknown words, columns or numbers, or a file named twice, with the lines; several tables.
    FileNotFoundError
        The table names files that are not there, with the lines.
    """
    table = _table(root)
    return _from_folders(root) if table is None else _from_table(root, table)


def _table(root: Path) -> Path | None:
    if (root / TABLE).is_file():
        return root / TABLE
    tables = sorted(path for path in root.glob("*.csv") if not path.name.startswith("."))
    labelling = [path for path in tables if _is_labelling(path)]
    if len(labelling) > 1:
        names = ", ".join(path.name for path in labelling)
        raise ValueError(f"own/ holds {len(labelling)} tables ({names}); name the one to use {TABLE}.")
    if labelling:
        return labelling[0]
    files = [path.relative_to(root) for path in audio_files(root)]
    is_sorted = all(len(file.parts) > 1 and canonical_emotion(file.parts[0]) for file in files)
    return None if is_sorted or len(tables) != 1 else tables[0]  # its error says what it lacks


def _is_labelling(table: Path) -> bool:
    """Whether the first line of a CSV file names path and emotion; a list of features, say, does not."""
    try:
        _, lines = _opened(table)
        return {"path", "emotion"} <= set(lines.fieldnames or ())
    except ValueError:
        return False


def _from_folders(root: Path) -> list[dict[str, Any]]:
    files = [(path, path.relative_to(root)) for path in audio_files(root)]
    loose = [relative for _, relative in files if len(relative.parts) == 1]
    if loose:
        raise ValueError(
            f"{len(loose)} files lie directly in own/ (first {loose[0]}); put them into folders named after their "
            f"emotion, or describe them in own/{TABLE}."
        )
    words = sorted({relative.parts[0] for _, relative in files})
    _refuse([f"folder {word!r}" for word in words if canonical_emotion(word) is None], what="emotion")
    return [_row(path, relative, {"emotion": canonical_emotion(relative.parts[0])}) for path, relative in files]


def _from_table(root: Path, table: Path) -> list[dict[str, Any]]:
    lines = _read(table)
    _columns_known(table, lines[0][1] if lines else {})
    index = Places(root)
    places = [index.find(line["path"]) for _, line in lines]
    missing = [f"line {n} ({place.why})" for (n, _), place in zip(lines, places) if place.why]
    lines = [(n, line | {"path": place.path}) for (n, line), place in zip(lines, places)]
    if missing:
        raise FileNotFoundError(
            f"own/{table.name} names {len(missing)} of {len(lines)} files that are not below own/: {_some(missing)}."
        )
    values = {column: _converted(lines, column) for column in COLUMNS if lines and column in lines[0][1]}
    _listed_once(table, lines)
    return [
        _row(root / line["path"], PurePosixPath(line["path"]), {column: values[column][i] for column in values})
        for i, (_, line) in enumerate(lines)
    ]


def _row(path: Path, relative: PurePosixPath | Path, given: dict[str, Any]) -> dict[str, Any]:
    prefixed = {column: f"own/{given[column]}" for column in ("speaker", "statement") if given.get(column)}
    return {**given, **prefixed, "clip_id": f"own/{relative.with_suffix('').as_posix()}", "path": path}


def _opened(table: Path) -> tuple[int, csv.DictReader]:
    """Lines before the headings, and a reader of the lines after them; commas, semicolons or tabs between columns."""
    refuse_pointer(table)
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"own/{table.name} is not UTF-8 text ({error}); save it as CSV UTF-8.") from None
    declared, first = re.match(r"sep=(.)\r?\n", text), text.lstrip().partition("\n")[0]
    delimiter = declared[1] if declared else max(",;\t", key=first.count)
    skipped = 1 if declared else 0  # lines, such as the one that Excel writes
    text = text[declared.end() :] if declared else text
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        reader.fieldnames = _headings(table, reader.fieldnames or [])
    except csv.Error as error:
        raise ValueError(
            f"own/{table.name} is not valid CSV in its first line ({error}); look for an open quote."
        ) from None
    return skipped, reader


def _read(table: Path) -> list[tuple[int, dict[str, str]]]:
    """(line number, column → text) of each line."""
    skipped, reader = _opened(table)
    lines = []
    try:
        for line in reader:
            if None in line or None in line.values():
                raise ValueError(
                    f"own/{table.name} line {reader.line_num + skipped} has not the {len(reader.fieldnames or ())} "
                    "columns of its first line; put text that holds commas between double quotes."
                )
            lines.append((reader.line_num + skipped, _values(line)))
    except csv.Error as error:
        near = reader.reader.line_num + skipped
        raise ValueError(
            f"own/{table.name} is not valid CSV near line {near} ({error}); look for an open quote."
        ) from None
    return lines


def _headings(table: Path, names: Sequence[str]) -> list[str]:
    """Columns in small letters; one without a name (an index, as pandas writes it) is passed over."""
    plain = [_plain(name).lower() for name in names]
    twice = sorted({name for name in plain if name and plain.count(name) > 1})
    if twice:
        raise ValueError(f"own/{table.name} has the column {twice[0]!r} more than once; keep the right one.")
    return plain


def _values(line: dict[str, str]) -> dict[str, str]:
    """The named columns of a line; a path keeps the form that it has on the disk."""
    return {name: text.strip() if name == "path" else _plain(text) for name, text in line.items() if name}


def _plain(text: str) -> str:
    """Text in one Unicode form and without invisible signs, so that one name is one person."""
    visible = "".join(sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign) != "Cf")
    return visible.strip()


def _columns_known(table: Path, line: dict[str, str]) -> None:
    lacking = [column for column in ("path", "emotion") if column not in line]
    if lacking:
        columns = f"found {', '.join(line)}" if line else "or has no line"
        raise ValueError(f"own/{table.name} lacks {' and '.join(lacking)} ({columns}); it needs path,emotion at least.")
    strange = [column for column in line if column not in COLUMNS]
    if strange:
        hint = suggestion(strange[0], COLUMNS, cutoff=0.6)
        raise ValueError(
            f"own/{table.name} has unknown columns: {', '.join(strange)}{hint} Rename or delete them; known are "
            f"{', '.join(COLUMNS)}."
        )


def _listed_once(table: Path, lines: list[tuple[int, dict[str, str]]]) -> None:
    """A file has one label: refuse a table that names one twice."""
    places: dict[PurePosixPath, list[int]] = {}
    for n, line in lines:
        places.setdefault(PurePosixPath(line["path"]), []).append(n)
    twice = [f"{path} (lines {', '.join(map(str, numbers))})" for path, numbers in places.items() if len(numbers) > 1]
    if twice:
        raise ValueError(
            f"own/{table.name} names {len(twice)} of {len(places)} files more than once: {_some(twice)}; keep one line "
            "of each."
        )


def _converted(lines: list[tuple[int, dict[str, str]]], column: str) -> list[Any]:
    """The values of one column in the contract's type; empty text is unknown."""
    convert = _CONVERT.get(column) or (_number if column in _NUMBERS else _text)
    needed, parsed = column in ("path", "emotion"), []
    for n, line in lines:
        text = line[column] if needed or line[column].lower() not in UNKNOWN else ""
        parsed.append((n, text, convert(text) if text else None))
    _refuse([f"line {n} {text!r}" for n, text, value in parsed if value is None and (text or needed)], what=column)
    return [value for _, _, value in parsed]


def _refuse(wrong: list[str], *, what: str) -> None:
    if not wrong:
        return
    known = {
        "emotion": f"use {', '.join(EMOTIONS)} (or a word for one of them, like anger or joy)",
        "gender": "use female or male, or leave it empty",
    }.get(what, "give a number, or leave it empty")
    raise ValueError(f"own/: {len(wrong)} values of {what} are not understood: {_some(wrong)}; {known}.")


def _some(words: list[str]) -> str:
    return ", ".join(words[:10]) + (f" and {len(words) - 10} more" if len(words) > 10 else "")


def _text(text: str) -> str:
    return text


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


_CONVERT: dict[str, Callable[[str], Any]] = {
    "emotion": canonical_emotion,
    "gender": lambda word: GENDERS.get(word.lower()),
}
