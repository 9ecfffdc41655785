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
    """Fit the recognisers that come with the package on the corpora at hand."""
    from ser_study.recognizer import pooled
    from ser_study.study import Study

    study = Study.open("quick", {"corpora": given.corpora} if given.corpora else {}, given.data)
    folder = Path(given.to).expanduser()
    for path in pooled.write(study.selections, config=study.config, store=study.store, folder=folder):
        _name(path)
    return DONE


def export_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``export``."""
    parser.set_defaults(act=export)
    parser.add_argument("model", metavar="NAME|FILE.npz", help="a recogniser; its encoder becomes part of the graph")
    parser.add_argument("--to", required=True, metavar="DIR", help="folder for the graph, its card and an example")
    parser.add_argument("--int8", action="store_true", help="also with weights of eight bits")


def export(given: argparse.Namespace) -> int:
    """Write a recogniser as an ONNX graph that needs neither this package nor Python."""
    from ser_study.recognizer import shipped
    from ser_study.recognizer.export import export as write

    folder = Path(given.to).expanduser()
    for path in write(shipped.named(given.model), folder, int8=given.int8):
        _name(path)
    return DONE


def _name(path: Path) -> None:
    print(f"{path}  ({path.stat().st_size / 1000:,.0f} kB)")
