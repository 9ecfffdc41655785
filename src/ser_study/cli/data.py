"""Commands about recordings, folds and single experiments."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ser_study.cli.options import DONE, FAILED, data_option

MAX_LEFT_OUT = 30  # speakers; with more, the file of leave-one-speaker-out would outweigh all others


def validate_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``validate``."""
    parser.set_defaults(act=validate)
    parser.add_argument("names", nargs="*", metavar="NAME", help="corpora; default all")
    data_option(parser)
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="worker processes; default one a core")


def validate(options: argparse.Namespace) -> int:
    """Check the recordings; 1 where a defect is unexpected."""
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


def download_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``download``."""
    parser.set_defaults(act=fetch)
    parser.add_argument("names", nargs="+", metavar="NAME", help="ravdess, …; campplus, moonshine, smart_turn, vgg16")
    parser.add_argument("--data", default="", metavar="DIR", help="folder to fill; default data/raw")
    parser.add_argument("--yes", action="store_true", help="accept the licences without being asked")


def fetch(options: argparse.Namespace) -> int:
    """Bring corpora or weights here, or say how they are obtained."""
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


def pack_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``pack``."""
    parser.set_defaults(act=pack)
    parser.add_argument("names", nargs="+", metavar="CORPUS", help="corpora whose audio is here")
    parser.add_argument("--features", default="", metavar="A,B", help="only these; default those of the study")
    parser.add_argument(
        "--variants", type=int, metavar="N", help="augmented variants of a clip; default 2 of the ladder's feature"
    )
    parser.add_argument("--to", default="", metavar="FILE", help="file, or a folder; default data/derived/packs")
    data_option(parser)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")


def pack(options: argparse.Namespace) -> int:
    """Write clips and features of corpora to files."""
    from ser_study import packs

    return packs.command(options)


def folds_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``folds``."""
    parser.set_defaults(act=folds)
    data_option(parser)


def folds(options: argparse.Namespace) -> int:
    """Write the fold files of ``data/folds`` anew."""
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


def score_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``score``."""
    parser.set_defaults(act=score)
    parser.add_argument("experiment", help="name of an experiment; the ledger gains a line")
    parser.add_argument("--preset", default="full", help="quick, full (default) or complete")
    data_option(parser)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")


def score(options: argparse.Namespace) -> int:
    """Score an experiment on its test clips."""
    from ser_study import config as settings
    from ser_study.study import Study

    study = Study.open(options.preset, settings.parse_set(options.set), options.data)
    print(study.score(options.experiment))
    return DONE


def corpora_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``corpora``."""
    parser.set_defaults(act=list_corpora)
    data_option(parser)


def list_corpora(options: argparse.Namespace) -> int:
    """Say which corpora there are, and which are here."""
    from ser_study import corpora
    from ser_study.store import open_folders

    _, store = open_folders("full", {}, options.data)
    for name in corpora.names():
        info = corpora.module(name).INFO
        print(f"{name:<10} {corpora.state(name, store):<9} {info.title} ({info.licence})")
    return DONE
