"""``ser-study report``: published runs as one web site, compared, printed, or computed and explored again."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ser_study.cli.options import DONE, FAILED

IN_THE_RUN = ""  # the PDF lies with the pages


def options(parser: argparse.ArgumentParser) -> None:
    """Options of ``report``."""
    parser.set_defaults(act=report, program=parser.prog)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--site", metavar="DIR", help="make one web site of all published runs")
    what.add_argument("--compare", nargs=2, metavar=("A", "B"), help="say what changed from run A to run B, as a page")
    what.add_argument("--pdf", nargs="?", const=IN_THE_RUN, metavar="FILE", help="print a run as one PDF")
    parser.add_argument(
        "--from", dest="source", default="", metavar="DIR", help="a published run: reports/full; its tables are "
        "computed again and compared, or with --pdf its pages printed"
    )  # fmt: skip
    what.add_argument(
        "--rewrite", metavar="DIR", help="write the pages of a published run anew from its predictions, with what has "
        "changed in words, tables and drawings"
    )  # fmt: skip
    parser.add_argument("--to", default="", metavar="DIR", help="gets tables or comparison; default in data/derived")
    parser.add_argument("--url", default="", metavar="URL", help="with --site: its address, for sitemap and card")


def report(given: argparse.Namespace) -> int:
    """Do what the options ask for.

    Raises
    ------
    ValueError
        They ask for nothing, or an option stands beside one that has no use for it.
    """
    _check(given)
    if given.site is not None:
        return _site(given)
    if given.compare:
        return _compare(given)
    if given.pdf is not None:
        return _print(given)
    if given.rewrite:
        return _rewrite(given)
    if given.source:
        return _recompute(given)
    raise ValueError(
        "say what to do: --site DIR (a web site of the published runs), --compare A B (what changed), --pdf (print), "
        "--from DIR (compute the tables of a run again) or --rewrite DIR (write its pages anew)."
    )


def _check(given: argparse.Namespace) -> None:
    """Raise at an option that would be ignored."""
    reads = given.source and not (given.site or given.compare or given.rewrite)
    useless = {
        "--from": given.source and not reads,
        "--to": given.to and not (given.compare or (reads and given.pdf is None)),
        "--url": given.url and not given.site,
    }
    for option in (name for name, is_so in useless.items() if is_so):
        raise ValueError(f"{option} does nothing here; leave it out, or see ser-study report --help for what takes it.")


def _reports() -> Path:
    """The folder of the published runs."""
    from ser_study.store import project_root

    return Path(os.environ.get("SER_STUDY_REPORTS", "") or project_root() / "reports").absolute()


def _absolute(folder: str) -> Path:
    return Path(folder).expanduser().absolute()


def _site(given: argparse.Namespace) -> int:
    from ser_study.report import site
    from ser_study.report.publish import MAX_RUN
    from ser_study.store import project_root

    made = site.build(_reports(), _absolute(given.site), project=project_root(), url=given.url)
    print(f"{len(made.pages)} pages of {len(made.runs)} runs ({', '.join(run.name for run in made.runs)}), "
          f"{made.n_bytes / 1e6:.1f} MB; open {given.site.rstrip('/')}/index.html.")  # fmt: skip
    if not given.url:
        print("Without --url there is no sitemap.xml, and most networks show no picture for a shared link.")
    if made.is_large:
        print(f"That is more than the {MAX_RUN / 1e6:.0f} MB that a repository should hold.")
    return DONE


def _compare(given: argparse.Namespace) -> int:
    from ser_study.report import compare
    from ser_study.store import project_root

    first, second = (_absolute(folder) for folder in given.compare)
    default = project_root() / "data" / "derived" / "compared" / f"{first.name}-{second.name}"
    to = _absolute(given.to) if given.to else default
    changes = compare.compare(first, second, reports=_reports())
    print(changes.summary)
    print(f"Open {compare.write(changes, to)}; every score is in changes.csv beside it.")
    return DONE


def _print(given: argparse.Namespace) -> int:
    from ser_study.report import printing, runs

    folder = _absolute(given.source) if given.source else None
    run = runs.at(folder, _reports())
    to = _absolute(given.pdf) if given.pdf else run.folder / "report.pdf"
    n_pages = printing.write(run, to)
    print(f"{to.name}: {n_pages} pages of the run {run.name}, {to.stat().st_size / 1e6:.1f} MB.")
    return DONE


def _rewrite(given: argparse.Namespace) -> int:
    from ser_study.report.rewrite import rewrite

    counts = rewrite(_absolute(given.rewrite))
    for page, (anew, kept) in counts.items():
        print(f"{page}: {anew} steps made anew, {kept} kept.")
    return DONE


def _recompute(given: argparse.Namespace) -> int:
    """Compute the tables again, compare them with the published ones, and name those that need more."""
    from ser_study.report.recompute import explorer, recompute
    from ser_study.store import project_root

    to = Path(given.to) if given.to else project_root() / "data" / "derived" / "recomputed"
    source, to = _absolute(given.source), to.expanduser().absolute()
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
