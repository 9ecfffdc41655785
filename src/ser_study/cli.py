"""The command line: ``ser-study run | validate | download | pack | folds | score | corpora``, and ``run_all.py``.

Conventions
-----------
Exit codes: 0 done; 1 something failed on the way (a notebook, a download, a defect in the data);
2 the question was wrong (an unknown name, a missing folder, a value of the wrong type).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DONE, FAILED, USAGE = 0, 1, 2
MAX_LEFT_OUT = 30  # speakers; with more, the file of leave-one-speaker-out would outweigh all others


def main(arguments: Sequence[str] | None = None) -> int:
    """``ser-study …``; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="ser-study", description="A reproducible study of speech emotion recognition."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error happened")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _run_options(commands.add_parser("run", help="run the study and write its report (the same as run_all.py)"))
    _validate_options(commands.add_parser("validate", help="check the recordings: counts, defects, duplicates"))
    _download_options(commands.add_parser("download", help="fetch corpora, or learn how to obtain them"))
    _pack_options(commands.add_parser("pack", help="write clips and features of corpora to files, without audio"))
    _folds_options(commands.add_parser("folds", help="write the fold files of data/folds anew"))
    _score_options(commands.add_parser("score", help="score an experiment on its test clips, and log it"))
    listing = commands.add_parser("corpora", help="list the corpora, and which are here")
    _data_option(listing)
    listing.set_defaults(act=_corpora)
    return _guarded(parser.parse_args(arguments))


def run_all(arguments: Sequence[str] | None = None) -> int:
    """``python run_all.py …``; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="run_all.py", description="Run the whole study and write its report. A run that was stopped continues."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error happened")
    _run_options(parser)
    return _guarded(parser.parse_args(arguments))


def _guarded(options: argparse.Namespace) -> int:
    """Carry out a command; an error that a user can mend is one clear message, not a traceback."""
    from ser_study.store import settle_paths

    for stream in filter(lambda one: hasattr(one, "reconfigure"), (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal without dashes and dots ends no run
    settle_paths()
    try:
        return options.act(options)
    except KeyboardInterrupt:
        print("\nStopped. What is finished is kept; the same command continues.", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        return FAILED
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        if options.debug:
            raise
        print(f"{getattr(options, 'program', 'ser-study')}: {_message(error)}", file=sys.stderr)
        return USAGE if isinstance(error, (ValueError, FileNotFoundError, NotADirectoryError)) else FAILED


def _message(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"The package {error.name!r} is missing. Install with: python -m pip install -r requirements.txt"
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        where = f" ({Path(error.filename).name})" if error.filename else ""
        return f"{error.strerror}{where}"
    return str(error) or type(error).__name__


def _data_option(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--data", default="", metavar="DIR", help="folder with one folder per corpus; default data/raw")


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_run, program=parser.prog)
    what = parser.add_argument_group("what to run")
    what.add_argument(
        "--preset", default="", help="demo (synthetic voices), quick, full or complete; default: what the data allow"
    )
    _data_option(what)
    what.add_argument("--corpora", default=None, metavar="A,B", help="only these corpora")
    what.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    what.add_argument("--config", default="", metavar="FILE", help="change settings by a TOML file")
    which = parser.add_argument_group("which notebooks")
    which.add_argument("--only", default="", metavar="04", help="only these, by number or name, joined by commas")
    which.add_argument("--from", dest="start", default="", metavar="04", help="this one and those after it")
    which.add_argument("--report-only", action="store_true", help="execute nothing, render the pages again")
    which.add_argument("--list", action="store_true", help="list the notebooks and stop")
    which.add_argument("--dry-run", action="store_true", help="say what would be executed and stop")
    how = parser.add_argument_group("how to run")
    how.add_argument("--jobs", type=int, metavar="N", help="worker processes; default one a core")
    how.add_argument("--cluster", default=None, metavar="ADDR", help="Dask scheduler, such as tcp://host:8786")
    how.add_argument("--force", action="store_true", help="compute again what is stored")


def _run(options: argparse.Namespace) -> int:
    from ser_study import corpora
    from ser_study.corpora import audit
    from ser_study.experiments.checks import check
    from ser_study.parallel import n_workers
    from ser_study.report import runner
    from ser_study.report.chapters import chapters, select
    from ser_study.store import open_folders
    from ser_study.study import Study

    overrides = _overrides(options)
    preset = options.preset or _fitting_preset(options.data, overrides)
    config, store = open_folders(preset, overrides, options.data)
    check(config, store, options.data)
    n_workers(config.run.jobs)  # a wrong number is an error now, not in every notebook
    chosen_corpora = corpora.chosen(config.corpora, store.raw)
    chosen = {"only": [word.strip() for word in options.only.split(",") if word.strip()], "start": options.start}
    story = select(chapters(store.project / "notebooks", chosen_corpora), **chosen)  # so that a wrong name is said now
    if options.list:
        print("\n".join(chapter.page for chapter in story))
        return DONE
    if options.dry_run:
        print(runner.plan(config, store, corpora=chosen_corpora, **chosen))
        return DONE
    if not options.report_only:
        chosen_corpora = Study(config, store).studied(chosen_corpora)
    return runner.run_study(
        config,
        store,
        corpora=chosen_corpora,
        audit=lambda: audit.as_text(config, store, chosen_corpora),
        data=str(Path(options.data).expanduser().resolve()) if options.data else "",
        execute_any=not options.report_only,
        **chosen,
    )


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """The file first, then ``--set``, then the options with names of their own."""
    from ser_study import config

    overrides = config.read_overrides(Path(options.config).expanduser()) if options.config else {}
    overrides |= config.parse_set(options.set)
    named = {
        "corpora": options.corpora,
        "run.jobs": options.jobs,
        "run.cluster": options.cluster,
        "run.force": options.force,
        "run.started": time.time() if options.force else None,
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


def _validate_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_validate)
    parser.add_argument("names", nargs="*", metavar="NAME", help="corpora; default all")
    _data_option(parser)
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="worker processes; default one a core")


def _validate(options: argparse.Namespace) -> int:
    from ser_study import corpora
    from ser_study.corpora import audit
    from ser_study.store import open_folders

    config, store = open_folders("full", {"run.jobs": options.jobs}, options.data)
    if (options.data or os.environ.get("SER_STUDY_DATA")) and not options.names and any(store.raw.iterdir()):
        corpora.check_given(store.raw)
    table, details, code = audit.validate(store, config, options.names or None)
    summary = table.astype(object).where(table.notna(), "–").to_string(index=False)
    print("\n".join([summary, *audit.lines(details)]))
    if code:
        print("Some defects are unexpected; each line above says what to do.", file=sys.stderr)
    return code


def _download_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_download)
    parser.add_argument("names", nargs="+", metavar="NAME", help="ravdess, …; campplus, moonshine, smart_turn, vgg16")
    parser.add_argument("--data", default="", metavar="DIR", help="folder to fill; default data/raw")
    parser.add_argument("--yes", action="store_true", help="accept the licences without being asked")


def _download(options: argparse.Namespace) -> int:
    from ser_study import corpora, download
    from ser_study.store import open_folders

    if options.data:
        Path(options.data).expanduser().mkdir(parents=True, exist_ok=True)
    _, store = open_folders("full", {}, options.data)
    for name in set(options.names) & set(corpora.names()):
        corpora.folders.check_place(name, store.raw)
    states = download.download(options.names, store.raw, accept=_asker(options.yes))
    print("\n".join(f"{name}: {state}" for name, state in states.items()))
    return FAILED if "incomplete" in states.values() else DONE


def _asker(yes: bool) -> Callable[[str], bool] | None:
    """Ask a person for consent to the licence shown; without a terminal nobody is asked."""
    if yes or not sys.stdin.isatty():
        return None
    return lambda _: input("Download under this licence? [y/N] ").strip().lower() in ("y", "yes")


def _pack_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_pack)
    parser.add_argument("names", nargs="+", metavar="CORPUS", help="corpora whose audio is here")
    parser.add_argument("--features", default="", metavar="A,B", help="only these; default those of the study")
    parser.add_argument(
        "--variants", type=int, metavar="N", help="augmented variants of a clip; default 2 of the ladder's feature"
    )
    parser.add_argument("--to", default="", metavar="FILE", help="file, or a folder; default data/derived/packs")
    _data_option(parser)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")


def _pack(options: argparse.Namespace) -> int:
    from ser_study import packs

    return packs.command(options)


def _folds_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_folds)
    _data_option(parser)


def _folds(options: argparse.Namespace) -> int:
    from ser_study import corpora, schema, splits
    from ser_study.store import open_folders

    config, store = open_folders("full", {}, options.data)
    folder, here = store.project / "data" / "folds", corpora.present(store.raw)
    if not here:
        raise FileNotFoundError(f"No corpus in {store.raw.name}/, so no folds; give its folder with --data DIR.")
    for selection in [name for name in corpora.selections() if corpora.corpus_of(name) in here]:
        clips = corpora.load(corpora.corpus_of(selection), config=config, store=store)
        clips, _ = corpora.analysed(corpora.select(clips, selection))
        classes = schema.labels(clips, "native")
        clips, classes = clips[classes.notna()], classes.dropna()
        for protocol in splits.possible(clips, config) if len(clips) else ():
            many = protocol == "leave_one_speaker_out" and clips["speaker"].nunique() > MAX_LEFT_OUT
            if protocol != "cross_corpus" and not many:
                folds = splits.make(clips, protocol, classes=classes, config=config)
                print(splits.write_folds(folds, selection=selection, folder=folder).relative_to(folder).as_posix())
    splits.write_sums(folder)
    return DONE


def _score_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_score)
    parser.add_argument("experiment", help="name of an experiment; the ledger gains a line")
    parser.add_argument("--preset", default="full", help="quick, full (default) or complete")
    _data_option(parser)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")


def _score(options: argparse.Namespace) -> int:
    from ser_study import config as settings
    from ser_study.study import Study

    study = Study.open(options.preset, settings.parse_set(options.set), options.data)
    print(study.score(options.experiment))
    return DONE


def _corpora(options: argparse.Namespace) -> int:
    from ser_study import corpora
    from ser_study.store import open_folders

    _, store = open_folders("full", {}, options.data)
    for name in corpora.names():
        info = corpora.module(name).INFO
        print(f"{name:<10} {corpora.state(name, store):<9} {info.title} ({info.licence})")
    return DONE
