"""From the body of a request to a file of ours: counted, timed, under a name that the client has no part in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ser_study.live.limits import MIB, Limits
from ser_study.live.refusals import Refused

FIELD = "file"
_AROUND = 64 * 1024  # bytes of boundaries and headers around the file of a form


async def save(chunks: AsyncIterator[bytes], content_type: str, length: str, path: Path, limits: Limits) -> int:
    """Write the recording of a request to ``path``; the size in bytes.

    Parameters
    ----------
    chunks : the body, as it comes in
    content_type, length : the headers of that name; what type they claim for the recording itself is ignored
    path : to write; the caller removes it
    limits : size and time

    Raises
    ------
    Refused
        400 an empty body or a broken form, 408 too slow, 413 too large.
    """
    kind, options = parse_options_header(content_type or None)
    is_form = kind == b"multipart/form-data"
    if length.isdecimal() and len(length) < 20 and int(length) > limits.upload + is_form * _AROUND:
        raise _too_large(limits)
    with path.open("wb") as file:
        write = _counted(file, limits)
        take, finish = _form(options.get(b"boundary", b""), write) if is_form else (write, lambda: None)
        try:
            async with asyncio.timeout(limits.receive):
                async for chunk in chunks:
                    take(chunk)
            finish()
        except TimeoutError:
            message = f"The file did not come in within {limits.receive:g} s; send a shorter one."
            raise Refused(408, "too_slow", message) from None
        except FormParserError as error:
            raise Refused(400, "bad_form", f"The form cannot be read ({error})."[:300]) from None
        size = file.tell()
    if not size:
        what = f"There is no file in the field '{FIELD}'" if is_form else "The body is empty"
        raise Refused(400, "empty", f"{what}; send a recording, as a form or as the body itself.")
    return size


def _too_large(limits: Limits) -> Refused:
    message = f"The file has more than {limits.upload / MIB:g} MiB; send a shorter or compressed one."
    return Refused(413, "too_large", message)


def _counted(file: BinaryIO, limits: Limits) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        if file.tell() + len(data) > limits.upload:
            raise _too_large(limits)
        file.write(data)

    return write


def _form(boundary: bytes, write: Callable[[bytes], None]) -> tuple[Callable[[bytes], None], Callable[[], None]]:
    """What takes the chunks of a form and writes its one file, and what is called after the last chunk."""
    if not boundary:
        raise Refused(400, "bad_form", "The form has no boundary; let your HTTP library write its Content-Type.")
    state = {"name": b"", "value": b"", "field": b"", "files": 0, "ended": False, "other": 0}

    def header_end() -> None:
        if state["name"].lower() == b"content-disposition":
            state["field"] = parse_options_header(state["value"])[1].get(b"name", b"")
        state.update(name=b"", value=b"")

    def headers_finished() -> None:
        state["files"] += state["field"] == FIELD.encode()
        if state["files"] > 1:
            raise Refused(400, "bad_form", f"The form has two fields '{FIELD}'; send one recording a request.")

    def part_data(data: bytes, start: int, end: int) -> None:
        if state["field"] == FIELD.encode():
            write(data[start:end])
        else:
            state["other"] += end - start
            if state["other"] > _AROUND:
                raise Refused(400, "bad_form", f"The form has a large field other than '{FIELD}'; leave it out.")

    callbacks = {
        "on_part_begin": lambda: state.update(field=b""),
        "on_header_field": lambda data, start, end: state.update(name=state["name"] + data[start:end]),
        "on_header_value": lambda data, start, end: state.update(value=state["value"] + data[start:end]),
        "on_header_end": header_end,
        "on_headers_finished": headers_finished,
        "on_part_data": part_data,
        "on_end": lambda: state.update(ended=True),
    }
    parser = MultipartParser(boundary, callbacks)

    def finish() -> None:
        parser.finalize()
        if not state["ended"]:
            raise Refused(400, "bad_form", "The form ends too early; send it again.")

    return parser.write, finish
