"""The command line: ``ser-study run | predict | live | export | …``, and ``run_all.py``.

Conventions
-----------
Exit codes: 0 done; 1 something failed on the way (a notebook, a download, a recording, a defect in the data);
2 the question was wrong (an unknown name, a missing folder, a value of the wrong type).
A command is a function that adds its options and one that is given them; libraries are imported in the second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ser_study.cli import data, live, models, predict, report, study
from ser_study.cli.options import FAILED, USAGE

COMMANDS = {  # name → its options, and what it is for
    "run": (study.run_options, "run the study and write its report (the same as run_all.py)"),
    "report": (report.options, "a web site, a comparison or a PDF of published runs; or their tables computed again"),
    "predict": (predict.options, "say which emotion is heard in recordings of your own"),
    "live": (live.options, "serve a page for the microphone, on this machine"),
    "export": (models.export_options, "write a recogniser as an ONNX graph, for programs without this package"),
    "fit": (models.fit_options, "fit the recognisers that come with the package, on the corpora at hand"),
    "validate": (data.validate_options, "check the recordings: counts, defects, duplicates"),
    "download": (data.download_options, "fetch corpora, or learn how to obtain them"),
    "pack": (data.pack_options, "write clips and features of corpora to files, without audio"),
    "folds": (data.folds_options, "write the fold files of data/folds anew"),
    "score": (data.score_options, "score an experiment on its test clips, and log it"),
    "corpora": (data.corpora_options, "list the corpora, and which are here"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """``ser-study …``; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="ser-study", description="A reproducible study of speech emotion recognition."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error happened")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add_options, purpose) in COMMANDS.items():
        add_options(commands.add_parser(name, help=purpose))
    return _guarded(parser.parse_args(arguments))


def run_all(arguments: Sequence[str] | None = None) -> int:
    """``python run_all.py …``; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="run_all.py", description="Run the whole study and write its report. A run that was stopped continues."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error happened")
    study.run_options(parser)
    return _guarded(parser.parse_args(arguments))


def _guarded(options: argparse.Namespace) -> int:
    """Carry out a command; an error that a user can mend is one clear message, not a traceback."""
    from ser_study.store import settle_paths

    for stream in filter(lambda one: hasattr(one, "reconfigure"), (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal without dashes and dots ends no run
    try:
        settle_paths()
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
