"""The chapters of the study: which there are, where their executed notebooks are cached, which are up to date.

Conventions
-----------
A *chapter* is one notebook, or one notebook and one corpus where its parameters cell has ``corpus``.
An executed notebook is cached under a fingerprint of all it depends on: its text, its parameters, the sources
of the package, the main libraries, the audio files by name, size and date, and the committed folds.
While it and the tables and figures it wrote are there unchanged, it is not executed again.
A chapter's number may end in a letter: ``04b_ablations.ipynb`` is chapter 4b and follows chapter 4.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_study import features
from ser_study.config import Config
from ser_study.corpora import folders, pack_of, packed, synthetic
from ser_study.corpora.files import audio_files
from ser_study.experiments import ledger
from ser_study.report import provenance
from ser_study.store import Store, file_hash
from ser_study.wording import duration

FINDINGS = "09_findings"  # reads tables only; becomes the front page
METHODS = "10_methods"  # counts what the other chapters have written to the ledger
PARAMETERS = ("preset", "overrides", "data")
RENDER_ONLY = (  # sources, and folders of them, that change no number
    *("cli/", "live/", "report/chapters.py", "report/pages.py", "report/provenance.py"),
    *("report/appendix.py", "report/articles.py", "report/links.py", "report/references.py", "report/runner.py"),
    *("report/publish.py", "report/recompute.py", "report/side_by_side.py", "report/turns.py", "report/runs.py"),
    *("report/site.py", "report/social.py", "report/compare.py", "report/printing.py"),
    *("report/notebook_format.py", "report/explorer.py", "report/explorer_data.py", "report/explorer_systems.py"),
    *("report/thumbnails.py", "report/rewrite.py", "report/in_short.py"),
    *("registry/glossary.toml", "registry/references.toml"),
)
MEASURED_ON = {"demo": 480, "quick": 13_229, "full": 13_229}  # clips
EXPECTED = {  # s, on two cores and that many clips; used until the run has times of its own
    "demo": {
        **{"02_feature_extraction": 7, "03_splits_and_leakage": 29, "04_traditional_ml": 25},
        **{"04b_ablations": 8, "05_deep_learning": 40, "06_voting": 5, "07_post_model_testing": 33, "08_baselines": 4},
        "03b_controls": 25,
    },
    "quick": {
        **{"02_feature_extraction": 250, "03_splits_and_leakage": 170, "04_traditional_ml": 1050},
        **{"04b_ablations": 40, "05_deep_learning": 285, "06_voting": 60, "06b_systems": 300, "08_baselines": 150},
        "03b_controls": 100,
    },
    "full": {
        **{"02_feature_extraction": 330, "03_splits_and_leakage": 280, "04_traditional_ml": 900},
        **{"04b_ablations": 4500, "05_deep_learning": 6500, "06_voting": 130, "06b_systems": 1350},
        **{"07_post_model_testing": 4500, "08_baselines": 8600, "03b_controls": 1550},
    },
}


NUMBERED = re.compile(r"\d+[a-z]?_\w+")  # 04b_ablations; not 04b_ablations-Copy1


@dataclass(frozen=True)
class Chapter:
    """One page to be: a notebook, and the corpus it is about where there is one page a corpus."""

    notebook: Path
    corpus: str = ""
    part: str = ""  # letter of one of several pages of the notebook

    @property
    def number(self) -> str:
        """What the notebook's name begins with, such as ``04`` or ``04b``."""
        return self.notebook.name.partition("_")[0]

    @property
    def page(self) -> str:
        """Name of the page, and of the executed notebook."""
        return f"{self.notebook.stem}_{self.corpus}" if self.corpus else self.notebook.stem


def chapters(folder: Path, corpora: Sequence[str]) -> list[Chapter]:
    """The chapters in order.

    Parameters
    ----------
    folder : holds the numbered notebooks; others, such as the copies that JupyterLab makes, are no chapters
    corpora : corpora of this run

    Raises
    ------
    FileNotFoundError
        There is no numbered notebook.
    ValueError
        A notebook lacks one of the parameters that every notebook takes.
    """
    notebooks = [path for path in sorted(folder.glob("*.ipynb")) if NUMBERED.fullmatch(path.stem)]
    if not notebooks:
        raise FileNotFoundError(f"No notebook like 01_corpus.ipynb in {folder.name}/; run from a whole checkout.")
    story = []
    for notebook in notebooks:
        names = parameters_of(notebook)
        lacking = [name for name in PARAMETERS if name not in names]
        if lacking:
            raise ValueError(
                f"{notebook.name} has no parameter {', '.join(lacking)}; assign it in the cell tagged 'parameters'."
            )
        story += _by_corpus(notebook, corpora) if "corpus" in names else [Chapter(notebook)]
    return story


def _by_corpus(notebook: Path, corpora: Sequence[str]) -> list[Chapter]:
    """One chapter a corpus, each with a letter where there are several: 1a, 1b …"""
    if len(corpora) == 1:
        return [Chapter(notebook, corpora[0])]
    return [Chapter(notebook, corpus, string.ascii_lowercase[place]) for place, corpus in enumerate(corpora)]


def parameters_of(notebook: Path) -> list[str]:
    """Names assigned in the cell tagged ``parameters``."""
    from ser_study.report.notebook_format import nbformat

    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # nbformat raises whatever its JSON or schema library does
        raise ValueError(f"{notebook.name} is no readable notebook ({type(error).__name__}); restore it.") from error
    source = "\n".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    targets = [t for node in ast.parse(source).body if isinstance(node, ast.Assign) for t in node.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def select(story: Sequence[Chapter], *, only: Sequence[str] = (), start: str = "") -> list[Chapter]:
    """The chapters named by number, notebook or page (``only``), or from one of them on (``start``).

    Raises
    ------
    ValueError
        A name fits no chapter.
    """

    def places(word: str) -> list[int]:
        wanted = re.sub(r"^(\d)(?=[a-z]?$)", r"0\1", word.removesuffix(".ipynb"))  # 4 → 04, 4b → 04b
        fits = [i for i, c in enumerate(story) if wanted in (c.number, c.notebook.stem, c.page)]
        if not fits:
            known = ", ".join(dict.fromkeys(chapter.notebook.stem for chapter in story))
            raise ValueError(f"No notebook {word!r}; known: {known}. A number like 04 will do.")
        return fits

    chosen = {place for word in only for place in places(word)} if only else set(range(len(story)))
    first = min(places(start)) if start else 0
    return [chapter for place, chapter in enumerate(story) if place in chosen and place >= first]


def cache_key(
    chapter: Chapter, config: Config, store: Store, corpora: Sequence[str], list_audio: Callable | None = None
) -> dict[str, Any]:
    """Everything the executed chapter depends on; ``list_audio`` may remember what ``listing`` gave."""
    key = {
        "notebook": file_hash(chapter.notebook),
        "parameters": published(chapter, config),
        "sources": _sources(),
        "versions": provenance.versions(),
        "audio": (list_audio or listing)(tuple(folders.find(name, store.raw) for name in corpora)),
        "folds": contents(store.project / "data" / "folds"),
        "tables": {path.name: file_hash(path) for path in sorted((store.project / "data").glob("*.csv"))},
    }
    if chapter.notebook.stem == METHODS:
        logged = ledger.path_of(store)
        key["ledger"] = file_hash(logged) if logged.is_file() else ""
    if chapter.notebook.stem == FINDINGS:
        own = provenance.read_run(store.run).get("chapters", {}).get(chapter.page, {}).get("files", {})
        tables = contents(store.run / "tables")
        key["tables"] |= {name: known for name, known in tables.items() if f"tables/{name}" not in own}
    return key


def cached_path(
    chapter: Chapter, config: Config, store: Store, corpora: Sequence[str], list_audio: Callable | None = None
) -> Path:
    """Where the executed chapter is, or will be; see ``cache_key``."""
    return store.path(f"notebooks/{chapter.page}", cache_key(chapter, config, store, corpora, list_audio), ".ipynb")


def is_current(path: Path, store: Store) -> bool:
    """Whether the executed notebook ended well, is complete, and all it wrote is still there unchanged."""
    record = provenance.read_json(path.with_suffix(".json"))
    if record.get("status") != "done" or not path.is_file() or not is_complete(path):
        return False
    return all(file_hash(store.run / name) == known for name, known in record["files"].items())


def is_complete(path: Path) -> bool:
    """Whether no feature that the executed notebook had to do without has come since."""
    absent = provenance.read_json(path.with_suffix(".json")).get("absent", ())
    return not any(features.get(name).is_here() for name in absent)


def expectation(chapter: Chapter, config: Config, facts: Mapping[str, Any], n_clips: int) -> str:
    """How long a chapter may take, in brackets: what it took last time on as many clips (``facts`` of ``run.json``),
    else what its unchanged preset took where it was measured, by the number of clips; else nothing."""
    if facts.get("seconds") and facts.get("clips") == n_clips:
        return f" (last time {duration(facts['seconds'])})"
    measured = EXPECTED.get(config.preset, {}).get(chapter.notebook.stem)
    if not measured or config.run_name != config.preset:
        return ""
    return f" (about {duration(measured * n_clips / MEASURED_ON[config.preset])})"


def n_clips(names: Sequence[str], config: Config, store: Store) -> int:
    """Audio files of some corpora, or the clips of their packs; of the built-in corpus those it would make."""
    n = 0
    for name in names:
        if name == "synthetic":
            n += len(synthetic.layout(config.synthetic))
        elif pack := pack_of(name, store):
            n += len(packed.clips(pack))
        else:
            n += len(audio_files(folders.find(name, store.raw)))
    return n


def published(chapter: Chapter, config: Config) -> dict[str, Any]:
    """Parameters that decide what comes out; where the data lie and how to run are left out."""
    overrides = {name: value for name, value in config.overrides.items() if not name.startswith("run.")}
    parameters = {"preset": config.preset, "overrides": overrides}
    return parameters | ({"corpus": chapter.corpus} if chapter.corpus else {})


def contents(folder: Path) -> dict[str, str]:
    """File below a folder → its hash, sorted; hidden files are left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files}


def _sources() -> str:
    """One hash over the package's sources and committed tables, without those that only render."""
    package = Path(__file__).resolve().parents[1]
    paths = [*package.rglob("*.py"), *(package / "registry").iterdir()]
    modules = sorted(path.relative_to(package).as_posix() for path in paths)
    lines = [f"{name} {file_hash(package / name)}" for name in modules if not name.startswith(RENDER_ONLY)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def listing(folders: Sequence[Path]) -> str:
    """One hash over names, sizes and dates of all files in these folders, and of the packs beside them; links are
    followed, loops are not."""
    total, seen = hashlib.sha256(), set()
    for folder in folders:
        if (pack := packed.path_of(folder.name, folder.parent)).is_file():
            total.update(f"{pack.name} {pack.stat().st_size} {pack.stat().st_mtime_ns}\n".encode())
        for where, subfolders, names in os.walk(folder, followlinks=True):
            real = os.path.realpath(where)
            if real in seen:
                subfolders.clear()
                continue
            seen.add(real)
            subfolders.sort()
            for name in sorted(names):
                file = os.path.join(where, name)
                facts = os.stat(file) if os.path.exists(file) else os.lstat(file)  # of a link, what it leads to
                path = os.path.join(folder.name, os.path.relpath(where, folder), name)
                total.update(f"{path!a} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return total.hexdigest()
