"""What commands share: exit codes and options."""

from __future__ import annotations

import argparse

DONE, FAILED, USAGE = 0, 1, 2


def data_option(parser: argparse._ActionsContainer) -> None:
    """``--data``: where the corpora are."""
    parser.add_argument("--data", default="", metavar="DIR", help="folder with one folder per corpus; default data/raw")
