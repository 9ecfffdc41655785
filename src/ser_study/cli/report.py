"""``ser-study report``: the tables and the explorer of a published run, from its predictions alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_study.cli.options import DONE, FAILED


def options(parser: argparse.ArgumentParser) -> None:
    """Options of ``report``."""
    parser.set_defaults(act=report, program=parser.prog)
    parser.add_argument("--from", dest="source", required=True, metavar="DIR", help="a published run: reports/full")
    parser.add_argument("--to", default="", metavar="DIR", help="gets the tables; default data/derived/recomputed")


def report(given: argparse.Namespace) -> int:
    """Compute the tables again, compare them with the published ones, and name those that need more."""
    from ser_study.report.recompute import explorer, recompute
    from ser_study.store import project_root

    to = Path(given.to) if given.to else project_root() / "data" / "derived" / "recomputed"
    source, to = Path(given.source).expanduser().absolute(), to.expanduser().absolute()
    outcome = recompute(source, to)
    print(f"{len(outcome.equal)} tables are equal to the published ones, byte for byte: {', '.join(outcome.equal)}.")
    if outcome.figures:
        print(f"{outcome.equal_figures} of {outcome.figures} figures that were drawn again are equal.")
    for why in sorted(set(filter(None, outcome.missing.values()))):
        print(f"Not computed, {why}: {', '.join(n for n, known in outcome.missing.items() if known == why)}.")
    if page := explorer(source, to):
        print(f"Explorer of the predictions: {page}.")
    if outcome.is_whole:
        return DONE
    lost = [name for name, why in outcome.missing.items() if not why]
    print(f"Different: {', '.join(outcome.different) or 'none'}. Not computed: {', '.join(lost) or 'none'}.")
    print("\n".join(outcome.failures))
    return FAILED
