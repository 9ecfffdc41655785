"""``ser-study fit`` and ``export``: recognisers made, and taken elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_study.cli.options import DONE, data_option


def fit_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``fit``."""
    parser.set_defaults(act=fit)
    data_option(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="folder for the recognisers")
    parser.add_argument("--corpora", default="", metavar="A,B", help="only these corpora")


def fit(given: argparse.Namespace) -> int:
    """Fit the recognisers that come with the package on the corpora at hand, and say how well they do."""
    from ser_study.recognizer import pooled
    from ser_study.study import Study

    study = Study.open("quick", {"corpora": given.corpora} if given.corpora else {}, given.data)
    folder = Path(given.to).expanduser()
    for path in pooled.write(study.selections, config=study.config, store=study.store, folder=folder):
        print(f"{path}  ({path.stat().st_size / 1000:.0f} kB)")
    return DONE
