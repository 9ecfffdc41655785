"""Settings and tables as nobody would write them on purpose, generated: used as meant, or refused with advice."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import small_corpora
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from report_sample import notebook

from ser_study import cli, config, splits
from ser_study.experiments import benchmark
from ser_study.experiments.checks import check_data
from ser_study.report import chapters
from ser_study.store import Store
from ser_study.study import Study

GENERATED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
SECTIONS = [item.name for item in dataclasses.fields(config.Config) if dataclasses.is_dataclass(item.default)]
NAMES = sorted(
    f"{section}.{item.name}" for section in SECTIONS for item in dataclasses.fields(getattr(config.Config, section))
)
CLOSED = ["benchmark.features", "benchmark.models", "benchmark.large_corpora", "ladder.model", "ladder.feature"]
VALUES = [
    "",
    "nope",
    "logistik",
    "means 184",
    "0",
    "-1",
    "1e99",
    "nan",
    "inf",
    "true",
    "1,2",
    "[1]",
    "{}",
    "'",
    "ä",
    "2",
]


def misspelt(name: str) -> list[str]:
    """A name with a letter lost, doubled, or in capitals."""
    return [name[:-2] + name[-1], name + name[-1], name.upper(), name.replace(".", "_"), name.replace("_", "-") + "x"]


changes = st.one_of(
    st.tuples(st.sampled_from(NAMES).flatmap(lambda name: st.sampled_from(misspelt(name))), st.just("1")),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)),
    st.tuples(st.sampled_from(CLOSED), st.sampled_from(VALUES)),
)


@given(change=changes)
@settings(GENERATED, max_examples=80)
def test_a_setting_is_used_or_refused_with_what_was_found(change):
    name, value = change
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *parts, **_: said.append(" ".join(map(str, parts))))
        code = cli.run_all(["--preset", "demo", "--dry-run", "--set", f"{name}={value}"])
    out = "\n".join(said)
    assert "Traceback" not in out
    if code == 0:
        section, field = name.split(".")
        used = getattr(getattr(config.load("demo", config.parse_set([f"{name}={value}"])), section), field)
        assert not isinstance(used, float) or math.isfinite(used), out
        return
    assert code == 2, out
    assert name in out or name.split(".")[0] in out or (value and value.split(",")[0] in out), out
    assert out.rstrip().endswith((".", "?", ")")), out


PEOPLE = ["anna", "ben", "Zoë", "A$$1", "<b>&|", "=1+1", "*_*", "NA", "-", "", "o'neill", "声"]
people = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.dictionaries(st.sampled_from(small_corpora.EMOTIONS), st.integers(1, 3))),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one[0],
)
CONFIG = config.load(
    "quick",
    {"run.jobs": 1, "benchmark.features": "means184", "benchmark.large_features": "", "evaluation.n_bootstrap": 20}
    | {"benchmark.models": "dummy,logistic", "benchmark.times": False}
    | {"benchmark.wide_features": "", "benchmark.encoders": "", "benchmark.joint_features": ""},
)


def written(folder: Path, who: list) -> pd.DataFrame:
    """Recordings of these people below ``own/`` and their table."""
    lines = []
    for number, (name, said) in enumerate(who):
        for emotion, n in said.items():
            for take in range(n):
                path = f"{number}_{emotion}_{take}.wav"
                small_corpora.clip(folder / path, number, emotion, take)
                lines.append((path, emotion, name))
    table = pd.DataFrame(lines, columns=["path", "emotion", "speaker"])
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "clips.csv", index=False)
    return table


@given(who=people)
@settings(GENERATED, max_examples=40)
def test_people_who_say_little_are_studied_or_left_out_with_the_reason(who, tmp_path_factory):
    home = tmp_path_factory.mktemp("study")
    table = written(home / "raw" / "own", who)
    store = Store(home / "raw", home / "derived", home / "run", Path(__file__).resolve().parents[1])
    if table.empty:  # a table of nothing; there is no falling back to the demo
        with pytest.raises(FileNotFoundError, match="No corpus in the data folder"):
            check_data(CONFIG, store, str(store.raw))
        return
    study = Study(CONFIG, store)
    part = study.parts["own"]
    assert len(part.clips) + len(part.dropped) == len(table)
    assert part.n_speakers <= len({name for name, _ in who} - {"NA", "-", ""})
    if part.clips["emotion"].nunique() < 2:
        with pytest.raises(ValueError, match=r"own holds one emotion \(.*Label clips of a second emotion"):
            _ = study.selections
        return
    if "random" in splits.impossible(part.clips, CONFIG):
        with pytest.raises(ValueError, match="too few clips to split"):
            _ = study.selections
        return
    possible = study.possible
    scores = study.scores(benchmark.benchmark(CONFIG, possible))
    uar = scores[scores["metric"] == "uar"]
    assert set(uar["protocol"]) == set(possible["own"]) & set(benchmark.BENCHMARK_PROTOCOLS)
    assert uar["value"].between(0, 1).all()
    assert (uar["n"] == len(part.clips)).all()


@given(
    where=st.sampled_from(["own/clips.csv", "own/new.wav", "own/sad/a.wav", "ravdess/x.wav"]), text=st.text(min_size=1)
)
@settings(GENERATED, max_examples=20)
def test_a_page_is_made_again_when_anything_in_the_data_changes(where, text, tmp_path_factory):
    home = tmp_path_factory.mktemp("pages")
    (home / "notebooks").mkdir()
    nbformat.write(notebook("# A"), home / "notebooks" / "04_models.ipynb")
    store = Store(home / "raw", home / "derived", home / "run", home)
    (store.raw / "own").mkdir(parents=True)
    (store.raw / "ravdess").mkdir()
    (store.raw / "own" / "clips.csv").write_text("path,emotion\n", encoding="utf-8")
    chapter = chapters.chapters(home / "notebooks", [])[0]
    before = chapters.cached_path(chapter, CONFIG, store, ["own", "ravdess"])
    assert chapters.cached_path(chapter, CONFIG, store, ["own", "ravdess"]) == before
    place = store.raw / where
    place.parent.mkdir(exist_ok=True)
    with place.open("a", encoding="utf-8", errors="replace") as file:
        file.write(text)
    assert chapters.cached_path(chapter, CONFIG, store, ["own", "ravdess"]) != before
