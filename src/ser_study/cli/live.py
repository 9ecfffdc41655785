"""``ser-study live``: the page for a microphone, and the interface for programs."""

from __future__ import annotations

import argparse
import os

from ser_study.cli.options import DONE

TOKEN = "SER_STUDY_TOKEN"  # environment variable; what is on a command line can be read by others


def options(parser: argparse.ArgumentParser) -> None:
    """Options of ``live``."""
    parser.set_defaults(act=live)
    parser.add_argument("--model", default="", metavar="NAME|FILE.npz", help="a recogniser; default the shipped one")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDR", help="where to listen; default this machine")
    parser.add_argument("--port", type=int, default=8765, metavar="N", help="default 8765; 0: any that is free")
    parser.add_argument(
        "--name", action="append", default=[], metavar="HOST", help="a name that others open the server under"
    )


def live(given: argparse.Namespace) -> int:
    """Serve until interrupted; beyond this machine only with a token in ``SER_STUDY_TOKEN``."""
    from ser_study import live

    live.serve(given.model, host=given.host, port=given.port, token=os.environ.get(TOKEN, ""), names=tuple(given.name))
    return DONE
