"""What changed between two published runs: scores, settings, versions, tables; as a page and as one CSV file.

Conventions
-----------
``before`` is the first run, ``after`` the second; a difference is after − before. Scores are those of ``SCORES``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study.report import pages, provenance, runs
from ser_study.report.articles import anchored
from ser_study.report.publish import fingerprints
from ser_study.report.table_html import table_html
from ser_study.store import replacing
from ser_study.wording import Caption, listed, share, signed, word

SCORES: Mapping[str, tuple[str, Mapping[str, str]]] = {  # table → the column of systems, and those of scores, in words
    "scores": ("experiment", {"value": ""}),
    "baselines": (
        "id", {"rebuild": "rebuilt", "ours": "ours", "fresh_mean": "fresh splits", "honest": "new speakers"},
    ),
}  # fmt: skip
KINDS = {"uar_fold_mean": "UAR, mean of folds", "uar_validation": "UAR, validation", "uar_valid": "UAR, validation"}
COLUMNS = ["what", "name", "metric", "before", "after", "difference"]
LEAST = 1e-9  # a smaller difference is none: tables are written with ten digits
_NUMBER = re.compile(r'<b class="ser-number">Table</b>')


@dataclass(frozen=True)
class Comparison:
    """Two runs and what differs between them."""

    names: tuple[str, str]
    scores: pd.DataFrame  # COLUMNS: every score of either run; the difference is missing where it is in one only
    facts: pd.DataFrame  # the same of settings, versions, corpora and the like that differ, as text
    tables: dict[str, list[str]]  # "equal", "different", "only before", "only after" → names of tables
    have_facts: bool  # whether both runs say what they were made with

    @property
    def common(self) -> pd.DataFrame:
        """Scores in both, the largest difference first."""
        both = self.scores.dropna(subset=["difference"])
        return both.iloc[(-both["difference"].abs()).argsort(kind="stable")]

    @property
    def changed(self) -> pd.DataFrame:
        """Of these, those that differ."""
        return self.common[self.common["difference"].abs() > LEAST]

    @property
    def alone(self) -> pd.DataFrame:
        """Scores of one run only."""
        return self.scores[self.scores["before"].isna() ^ self.scores["after"].isna()]

    @property
    def summary(self) -> str:
        """The comparison in a sentence or two."""
        n_common, changed = len(self.common), self.changed
        only = [int(self.alone[column].notna().sum()) for column in ("before", "after")]
        if not n_common:
            first = "The two runs have no score in common"
        elif changed.empty:
            first = f"All {n_common:,} scores that both runs have are equal"
        else:
            first = f"Of {n_common:,} scores that both runs have, {len(changed):,} differ{_largest(changed)}"
        alone = [f"{n:,} {'is' if n == 1 else 'are'} only in {name}" for n, name in zip(only, self.names) if n]
        return f"{'; '.join([first, *alone])}. {self.made_with}"

    @property
    def made_with(self) -> str:
        """How many settings, versions and facts of corpora differ."""
        if not self.have_facts:
            return "What they were made with is not known of both: a run.json is missing."
        counts = self.facts["what"].value_counts()
        kinds = [f"{n} {_counted(kind, n)}" for kind, n in counts.items() if kind != "run"]
        return f"Different between them: {listed(kinds)}." if kinds else "Settings, versions and corpora are the same."


def _counted(kind: str, n: int) -> str:
    noun = "corpus fact" if kind == "corpus" else kind
    return noun if n == 1 else f"{noun}s"


def _largest(changed: pd.DataFrame) -> str:
    """The largest change of UAR."""
    uar = changed[changed["metric"].str.startswith("uar")]
    if uar.empty:
        return ""
    plain = uar[uar["metric"] == "uar"]
    row = (plain if len(plain) else uar).iloc[0]
    change = f"{share(row['before'])} → {share(row['after'])}, {signed(100 * row['difference'])} points"
    return f", {_metric(row['metric'])} most for {spoken(row['name'])} ({change})"


def spoken(name: str) -> str:
    """An experiment as readers say it: ``emodb/random/summary/lda`` → ``EMO-DB, random, summaries, LDA``."""
    return ", ".join(word(part) for part in name.split("/"))


def compare(first: Path, second: Path, *, reports: Path) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    first, second : folders with ``tables/`` and, where settings shall be compared, ``run.json``
    reports : holds the published runs, which a message names

    Raises
    ------
    FileNotFoundError
        A folder is no run.
    """
    for folder in (first, second):
        if not any((folder / "tables" / f"{name}.csv").is_file() for name in SCORES):
            why = "is not there" if not folder.is_dir() else "has no tables/scores.csv or tables/baselines.csv"
            raise FileNotFoundError(
                f"{folder.name} is no run: it {why}. Give two folders such as reports/quick. {runs.listed(reports)}"
            )
    about = [provenance.read_run(folder) for folder in (first, second)]
    return Comparison(
        _names(first, second, about),
        _side_by_side(_scores(first), _scores(second)),
        _facts(*about) if all(about) else pd.DataFrame(columns=COLUMNS),
        _tables(fingerprints(first), fingerprints(second)),
        all(about),
    )


def _names(first: Path, second: Path, about: list[dict[str, Any]]) -> tuple[str, str]:
    """What to call the runs, so that they can be told apart."""
    names = [runs.Run(folder, one).name if one else folder.name for folder, one in zip((first, second), about)]
    for more in ([one.get("date", "") for one in about], [folder.parent.name for folder in (first, second)], "AB"):
        if names[0] != names[1]:
            break
        names = [f"{name} ({word})" for name, word in zip(names, more)]
    return names[0], names[1]


def _scores(folder: Path) -> pd.Series:
    """(table, system, metric) → score."""
    parts = [pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], [], []]))]
    for table, (key, columns) in SCORES.items():
        path = folder / "tables" / f"{table}.csv"
        rows = pd.read_csv(path) if path.is_file() else pd.DataFrame()
        for column in (column for column in columns if {key, "metric", column} <= set(rows)):
            metric = rows["metric"] + (f", {columns[column]}" if columns[column] else "")
            index = pd.MultiIndex.from_arrays([[table] * len(rows), rows[key], metric])
            parts.append(pd.Series(pd.to_numeric(rows[column], errors="coerce").to_numpy(), index))
    scores = pd.concat(parts).dropna()
    return scores[~scores.index.duplicated()]


def _side_by_side(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    table = pd.concat({"before": before, "after": after}, axis=1).rename_axis(["what", "name", "metric"]).reset_index()
    return table.assign(difference=table["after"] - table["before"])[COLUMNS]


def _facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> pd.DataFrame:
    """What the runs were made with, where it differs."""
    first, second = _made_with(before), _made_with(after)
    rows = [
        {"what": kind, "name": name, "metric": "", "before": first.get((kind, name), "–"), "after": value}
        for kind, name in dict.fromkeys([*first, *second])
        if (value := second.get((kind, name), "–")) != first.get((kind, name), "–")
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _made_with(about: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(kind, name) → value, as text."""
    made = {("run", name): about.get(name, "") for name in ("preset", "commit", "date", "ser_study")}
    made |= {("setting", name): value for name, value in _flat(about.get("settings", {}), "")}
    made |= {("version", name): value for name, value in about.get("versions", {}).items()}
    for row in about.get("corpora", []):
        facts = ((name, value) for name, value in row.items() if name != "corpus")
        made |= {("corpus", f"{row.get('corpus', '')}, {name}"): value for name, value in facts}
    return {key: str(value) for key, value in made.items()}


def _flat(settings: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Dotted name and value of each setting."""
    pairs = []
    for name, value in settings.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return pairs


def _tables(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    both = [name for name in before if name in after]
    return {
        "equal": [name for name in both if before[name] == after[name]],
        "different": [name for name in both if before[name] != after[name]],
        "only before": [name for name in before if name not in after],
        "only after": [name for name in after if name not in before],
    }


def write(changes: Comparison, to: Path) -> Path:
    """Write ``index.html`` and ``changes.csv`` into a folder; the page.

    Parameters
    ----------
    to : folder; made where it is not there
    """
    from markupsafe import Markup

    whole = pd.concat([changes.common, changes.alone, changes.facts], ignore_index=True)
    with replacing(to / "changes.csv") as temporary:
        whole.to_csv(temporary, index=False, float_format="%.10g", lineterminator="\n")
    body, _ = anchored(_body(changes))
    values = {"study": pages.STUDY, "names": changes.names, "summary": changes.summary, "body": Markup(body)}
    page = pages.filled("compare.html.j2", **values, assets=pages.inlined(True))
    with replacing(to / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return to / "index.html"


def _body(changes: Comparison) -> str:
    """The sections of the page."""
    is_uar = changes.changed["metric"].str.startswith("uar")
    scores = {"name": "system", "before": changes.names[0], "after": changes.names[1]}
    facts = scores | {"name": "name"}
    by_size = "in both runs, where it differs; the largest change first."
    parts = [
        *("<h2>Scores in both runs</h2>", f"<p>{_equal(changes)}</p>"),
        _table(_spoken(changes.changed[is_uar]), "uar_changes", f"UAR {by_size}", scores),
        _table(_spoken(changes.changed[~is_uar]), "other_changes", f"Other scores, each {by_size}", scores),
        "<h2>Scores in one run only</h2>" if len(changes.alone) else "",
        _table(_spoken(changes.alone).drop(columns="difference"), "scores_alone", "Scores of one run only.", scores),
        "<h2>Settings, versions and corpora</h2>",
        "" if len(changes.facts) else f"<p>{html.escape(changes.made_with)}</p>",
        _table(changes.facts[["what", "name", "before", "after"]], "facts", "What the runs were made with.", facts),
        *("<h2>Tables</h2>", _listing(changes)),
    ]
    places = iter(range(1, len(parts)))
    return _NUMBER.sub(lambda _: f'<b class="ser-number">Table {next(places)}</b>', "\n".join(filter(None, parts)))


def _equal(changes: Comparison) -> str:
    n_equal = len(changes.common) - len(changes.changed)
    return f'{n_equal:,} of {len(changes.common):,} are equal. All are in <a href="changes.csv">changes.csv</a>.'


def _spoken(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with systems and metrics as readers say them."""
    metrics = [_metric(name) for name in scores["metric"]]
    return scores.assign(name=[spoken(name) for name in scores["name"]], metric=metrics).drop(columns="what")


def _metric(name: str) -> str:
    first, comma, more = name.partition(",")
    return KINDS.get(first, word(first)) + comma + more


def _table(frame: pd.DataFrame, name: str, text: str, labels: Mapping[str, str]) -> str:
    """A table of the page; nothing where it is empty. All rows are in the CSV file of the page."""
    if frame.empty:
        return ""
    decimals = dict.fromkeys(("before", "after", "difference"), 3)
    known = {column: value for column, value in decimals.items() if column in frame}
    caption = Caption(name, text, labels=dict(labels), decimals=known)
    content = table_html(frame, caption, frame.to_csv(index=False), in_pages=True)
    return re.sub(r'download="[^"]+" href="run:tables/[^"]+"', 'download="changes.csv" href="changes.csv"', content)


def _listing(changes: Comparison) -> str:
    """The tables of both runs by what became of them."""
    kinds = {"equal": "Equal byte for byte", "different": "Different"}
    kinds |= {"only before": f"Only in {changes.names[0]}", "only after": f"Only in {changes.names[1]}"}
    there = [(label, changes.tables[kind]) for kind, label in kinds.items() if changes.tables[kind]]
    lines = [
        f"<dt>{html.escape(label)} ({len(names)})</dt><dd>{html.escape(', '.join(names))}</dd>"
        for label, names in there
    ]
    return f'<dl class="facts">{"".join(lines)}</dl>'
