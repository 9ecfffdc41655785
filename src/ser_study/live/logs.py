"""One line of JSON for each thing that happened: who, when, how long; never sound, names of files or tokens."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

NAME = "ser_study.live"


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; of an error its kind and place."""
        facts = getattr(record, "facts", None) or {"event": record.name, "message": record.getMessage()[:500]}
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"time": when, "level": record.levelname.lower(), **facts}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = logging.Formatter().formatException(record.exc_info)[-2000:]
        return json.dumps(line, ensure_ascii=False, default=str)


def event(event: str, **facts: Any) -> None:
    """Write one line."""
    logging.getLogger(NAME).info(event, extra={"facts": {"event": event, **facts}})


def start() -> None:
    """Send our lines and the warnings of the server to the standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    for name, level in ((NAME, logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
