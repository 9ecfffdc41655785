"""``ser-study run``, which ``run_all.py`` is too."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ser_study.cli.options import DONE, data_option


def run_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``run``."""
    parser.set_defaults(act=run, program=parser.prog)
    what = parser.add_argument_group("what to run")
    what.add_argument(
        "--preset", default="", help="demo (synthetic voices), quick, full or complete; default: what the data allow"
    )
    data_option(what)
    what.add_argument("--corpora", default=None, metavar="A,B", help="only these corpora")
    what.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    what.add_argument("--config", default="", metavar="FILE", help="change settings by a TOML file")
    which = parser.add_argument_group("which notebooks")
    which.add_argument("--only", default="", metavar="04", help="only these, by number or name, joined by commas")
    which.add_argument("--from", dest="start", default="", metavar="04", help="this one and those after it")
    which.add_argument("--report-only", action="store_true", help="execute nothing, render the pages again")
    which.add_argument("--standalone", action="store_true", help="pages that hold all they need, to be mailed")
    which.add_argument("--list", action="store_true", help="list the notebooks and stop")
    which.add_argument("--dry-run", action="store_true", help="say what would be executed and stop")
    how = parser.add_argument_group("how to run")
    how.add_argument("--jobs", type=int, metavar="N", help="worker processes; default one a core")
    how.add_argument("--cluster", default=None, metavar="ADDR", help="Dask scheduler, such as tcp://host:8786")
    how.add_argument("--force", action="store_true", help="compute again what is stored")


def run(given: argparse.Namespace) -> int:
    """Run the study and write its report, or say what would be run."""
    from ser_study import corpora
    from ser_study.corpora import audit
    from ser_study.experiments.checks import check
    from ser_study.parallel import n_workers
    from ser_study.report import runner
    from ser_study.report.chapters import chapters, select
    from ser_study.store import open_folders
    from ser_study.study import Study

    overrides = overrides_of(given)
    preset = given.preset or _fitting_preset(given.data, overrides)
    config, store = open_folders(preset, overrides, given.data)
    check(config, store, given.data)
    n_workers(config.run.jobs)  # a wrong number is an error now, not in every notebook
    chosen_corpora = corpora.chosen(config.corpora, store.raw)
    chosen = {"only": [word.strip() for word in given.only.split(",") if word.strip()], "start": given.start}
    story = select(chapters(store.project / "notebooks", chosen_corpora), **chosen)  # so that a wrong name is said now
    if given.list:
        print("\n".join(chapter.page for chapter in story))
        return DONE
    if given.dry_run:
        print(runner.plan(config, store, corpora=chosen_corpora, **chosen))
        return DONE
    if not given.report_only:
        chosen_corpora = Study(config, store).studied(chosen_corpora)
    return runner.run_study(
        config,
        store,
        corpora=chosen_corpora,
        audit=lambda: audit.as_text(config, store, chosen_corpora),
        data=str(Path(given.data).expanduser().resolve()) if given.data else "",
        execute_any=not given.report_only,
        standalone=given.standalone,
        **chosen,
    )


def overrides_of(given: argparse.Namespace) -> dict[str, Any]:
    """The file first, then ``--set``, then the options with names of their own."""
    from ser_study import config

    overrides = config.read_overrides(Path(given.config).expanduser()) if given.config else {}
    overrides |= config.parse_set(given.set)
    named = {
        "corpora": given.corpora,
        "run.jobs": given.jobs,
        "run.cluster": given.cluster,
        "run.force": given.force,
        "run.started": time.time() if given.force else None,
    }
    return overrides | {name: value for name, value in named.items() if value is not None and value is not False}


def _fitting_preset(data: str, overrides: dict[str, Any]) -> str:
    """``quick`` where there are recordings, else ``demo``; says so."""
    from ser_study import corpora
    from ser_study.experiments.checks import check_data
    from ser_study.store import open_folders

    config, store = open_folders("full", overrides, data)
    check_data(config, store, data)
    here = corpora.present(store.raw)
    if here:
        print(f"Found {', '.join(here)}: preset quick. (--preset full adds student projects, networks and ablations.)")
        return "quick"
    print("No recordings found: preset demo, on the built-in synthetic corpus. (--data DIR names a folder with some.)")
    return "demo"
