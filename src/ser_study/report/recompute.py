"""Compute the tables and figures of a published run again, from its clips and predictions, without audio or models.

Conventions
-----------
The notebooks themselves are replayed, statement by statement and only those that an exhibit depends on, with the
published run as the raw data folder; so a table comes from the very functions that made it. A statement that needs
audio, features or a fitted model fails, and what depends on it is not run: these tables are named, with the reason
(``NOT_PUBLISHED``). Everything else must be equal to the published file, byte for byte.
"""

from __future__ import annotations

import ast
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ser_study.corpora import published
from ser_study.report import pages, provenance
from ser_study.report.chapters import chapters
from ser_study.report.publish import fingerprints
from ser_study.store import FILES, PAGES, file_hash, open_folders, project_root

KEPT = ("study", "show")  # an expression that mentions one of these is a step of the report
NOT_PUBLISHED: Mapping[str, tuple[str, ...]] = {  # why → names of tables and figures, or patterns of them
    "they describe the recordings": (
        *("*_audit", "*_prosody", "*_descriptors", "*_durations", "*_intensity", "*_pair", "*_sounds"),
        *("contours", "degraded*", "frame_features", "in_short", "occlusion*", "surest_spectrograms"),
    ),
    "they describe features": (
        *("features", "feature_similarity", "correlation", "variance*", "descriptions", "shapley", "importance*"),
        *("identification", "corpus_identification", "random_weights"),
    ),
    "their models are fitted to features beside the experiments": (
        *("automl", "selection", "searches", "nested_searches", "enrolment", "vote_labels*", "baseline_gaps"),
        *("bundles", "finetuning", "fold_scores", "joint_networks"),
    ),
    "they are times of the machine": ("costs*", "time_costs", "time_pareto", "benchmark_times"),
    "they count the ledger, which has grown since": ("test_evaluations", "baseline_ledger"),
}


@dataclass
class Outcome:
    """What became of the published tables and figures."""

    equal: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # table → why it cannot be computed; empty: nobody knows
    figures: int = 0
    equal_figures: int = 0
    failures: list[str] = field(default_factory=list)  # statements, with their errors

    @property
    def is_whole(self) -> bool:
        """Whether every published table was computed alike, or is known to need more than predictions."""
        return not self.different and all(self.missing.values())


def recompute(source: Path, to: Path) -> Outcome:
    """Compute what a published run allows, and compare it.

    Parameters
    ----------
    source : folder of the run
    to : folder that gets ``<run>/tables`` and ``<run>/figures``

    Raises
    ------
    FileNotFoundError
        The folder holds no published predictions.
    ValueError
        What is computed would take the place of what is published.
    """
    about, project = read_published(source), project_root()
    run = to / about["run"]
    if run.resolve() == source.resolve():
        raise ValueError(f"--to {to} would put the computed tables in the place of the published ones; name another.")
    for name in ("tables", "figures"):
        shutil.rmtree(run / name, ignore_errors=True)
    copy_facts(source, run)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as derived, folders(source, Path(derived), to):
        for chapter in chapters(project / "notebooks", published.corpora(source)):
            parameters = {"preset": about["preset"], "overrides": about["overrides"], "data": ""}
            outcome.failures += replay(chapter.notebook, parameters | {"corpus": chapter.corpus}).failures
    return _compared(source, run, outcome)


def copy_facts(source: Path, run: Path) -> None:
    """Copy what the findings ask of a run: which chapters there are, and the ledger beside it."""
    run.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "run.json", run / "run.json")
    if (ledger := source.parent / "ledger.csv").is_file():
        shutil.copyfile(ledger, run.parent / "ledger.csv")


def read_published(source: Path) -> dict[str, Any]:
    """``run.json`` of a run with published predictions; ``FileNotFoundError`` where there are none."""
    about = provenance.read_run(source)
    if not about or not published.is_run(source):
        raise FileNotFoundError(
            f"{source.name} is no published run: it lacks run.json, predictions.parquet or clips.parquet. "
            "Give a folder such as reports/full, and run ser-study run to make one."
        )
    return about


def explorer(source: Path, to: Path) -> str:
    """Make the explorer of a published run in ``to``, beside its tables; the page below ``to``, empty where there is
    nothing to explore."""
    about = provenance.read_run(source)
    _, store = open_folders(about["preset"], about["overrides"], str(source))
    page = pages.render_explorer(replace(store, run=to / about["run"]), source)
    return page and f"{about['run']}/{page}"


@contextmanager
def folders(source: Path, derived: Path, to: Path, *, pages: str = FILES) -> Iterator[None]:
    """The environment of a run of the report whose raw data is a published run; ``pages`` as ``store.PAGES`` has it."""
    given = {"SER_STUDY_DATA": source, "SER_STUDY_DERIVED": derived, "SER_STUDY_REPORTS": to, PAGES: pages}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update({name: str(value) for name, value in given.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@dataclass
class Replay:
    """What became of the statements of a notebook, cell by cell."""

    failures: list[str] = field(default_factory=list)  # statements, with their errors
    values: dict[int, list[Any]] = field(default_factory=dict)  # place of a cell → the values of its expressions
    lost: set[int] = field(default_factory=set)  # places of cells of which an expression could not be computed


def replay(notebook: Path, parameters: Mapping[str, Any]) -> Replay:
    """Run the statements of a notebook that its exhibits depend on; what depends on one that failed is not run."""
    outcome, lost, space = Replay(), set(), {"__name__": notebook.stem}
    for statement in needed(statements(notebook, parameters)):
        bound, loaded = _names(statement)
        done = not loaded & lost and _run(statement, space, outcome, notebook)
        lost = lost - bound if done else lost | bound
        if not done and isinstance(statement, ast.Expr):
            outcome.lost.add(statement.cell)
    return outcome


def _run(statement: ast.stmt, space: dict[str, Any], outcome: Replay, notebook: Path) -> bool:
    """Run a statement as a kernel would, and note what it shows or why it failed; whether it ended well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(statement, ast.Expr):
                value = eval(compile(ast.Expression(statement.value), notebook.name, "eval"), space)
                outcome.values.setdefault(statement.cell, []).append(value)
            else:
                exec(compile(ast.Module([statement], []), notebook.name, "exec"), space)
    except Exception as error:
        outcome.failures.append(f"{notebook.stem}: {ast.unparse(statement)}: {type(error).__name__}: {error}")
        return False
    return True


def statements(notebook: Path, parameters: Mapping[str, Any]) -> list[ast.stmt]:
    """The statements of a notebook in order, with its parameters; what shows or assigns several things is taken apart,
    so that one that fails does not take the others with it. Each has the place of its ``cell``."""
    from ser_study.report.notebook_format import nbformat

    parts: list[ast.stmt] = []
    for place, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        code = ast.parse(cell.source).body
        if "parameters" in cell.metadata.get("tags", []):
            lines = [f"{name} = {value!r}" for name, value in parameters.items()]
            code += ast.parse("\n".join(lines)).body
        for part in (part for statement in code for part in _apart(statement)):
            part.cell = place
            parts.append(ast.fix_missing_locations(part))
    return parts


def _apart(statement: ast.stmt) -> list[ast.stmt]:
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            if not {name.id for name in names if isinstance(name, ast.Name)} & _names(statement)[1]:
                return [ast.copy_location(ast.Assign([name], value), statement) for name, value in zip(names, values)]
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="all"), args=[ast.List(elts=exhibits)])):
            calls = [ast.Call(statement.value.func, [ast.List([one], ast.Load())], []) for one in exhibits]
            return [ast.copy_location(ast.Expr(call), statement) for call in calls]
    return [statement]


def needed(whole: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that the steps of the report (``KEPT``) depend on."""
    wanted, kept = set(), []
    for statement in reversed(whole):
        bound, loaded = _names(statement)
        if bound & wanted or (isinstance(statement, ast.Expr) and loaded & set(KEPT)):
            wanted |= loaded
            kept.append(statement)
    return kept[::-1]


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Names that a statement binds, and names that it reads."""
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        bound |= {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    return bound, {node.id for node in names if isinstance(node.ctx, ast.Load)}


def reason(table: str) -> str:
    """Why a table, or the data of a figure, does not follow from published predictions; empty for one that does."""
    name = table.removeprefix("figure_")
    fits = (why for why, patterns in NOT_PUBLISHED.items() if any(fnmatch(name, pattern) for pattern in patterns))
    return next(fits, "")


def _compared(source: Path, run: Path, outcome: Outcome) -> Outcome:
    made = fingerprints(run)
    for name, known in fingerprints(source).items():
        if name not in made or (reason(name) and made[name] != known):
            outcome.missing[name] = reason(name)
        else:
            (outcome.equal if made[name] == known else outcome.different).append(name)
    drawn = [path for path in (run / "figures").glob("*.svg") if (source / "figures" / path.name).is_file()]
    outcome.figures = len(drawn)
    outcome.equal_figures = sum(file_hash(path) == file_hash(source / "figures" / path.name) for path in drawn)
    return outcome
