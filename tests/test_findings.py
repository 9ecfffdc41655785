"""The front page: which rows of the run's tables it reads, and the numbers in its sentences."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.chapters.findings import figures, tables, text
from ser_study.chapters.findings.tables import RunTables
from ser_study.study import Study
from ser_study.wording import share

CORPORA = {"tess": (2, 7), "crema_d": (91, 6)}  # speakers, classes
UAR = {("tess", "random"): 0.99, ("tess", "speaker_independent"): 0.35,
       ("crema_d", "random"): 0.65, ("crema_d", "speaker_independent"): 0.58}  # fmt: skip


def score_rows(corpus: str, protocol: str, **changes) -> list[dict]:
    """The rows of one experiment, with the columns of ``scores.csv``."""
    row = {"corpus": corpus, "protocol": protocol, "feature": "summary", "model": "linear_svm", "metric": "uar"}
    value = UAR.get((corpus, protocol), 0.5)
    row |= {"value": value, "low": value - 0.02, "high": value + 0.02, "interval": "speaker bootstrap", "n": 100}
    row |= {"n_speakers": CORPORA[corpus][0], "n_train": 80, "experiment": "any", "scheme": "native", "leak": None}
    row |= {"fixed": False, "size": np.nan, "source": None} | changes
    return [row, row | {"metric": "uar_validation", "value": 0.6}]


def systems_of(headline):
    """The hand-crafted system, and one that is a tenth better."""
    table = headline.rename(columns={"value": "uar", "low": "uar_low", "high": "uar_high"})
    both = [table.assign(system="hand_crafted"), table.assign(system="best_system", uar=table["uar"] + 0.1)]
    return pd.concat(both, ignore_index=True).assign(chosen="CAM++, LDA")


def protocols_of(headline):
    """One recipe of every kind, as chapter 06b writes them."""
    cells = {"random": ".700 [.650, .750]", "speaker_independent": ".500 [.450, .550]", "cross_corpus": np.nan}
    kinds = ("dummy", "hand_crafted", "encoder_head", "encoder_vote", "one_listener")
    rows = [
        {"corpus": corpus, "system": kind, "chosen": "CAM++, LDA", "n": 100, "n_common": 80} | cells
        for corpus in headline["corpus"]
        for kind in kinds
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def run() -> RunTables:
    rows = [row for key in UAR for row in score_rows(*key)]
    for changes in ({"fixed": True}, {"size": 50.0}, {"source": "tess"}, {"leak": "augment"}, {"scheme": "6_common"}):
        rows += score_rows("crema_d", "random", value=0.1, **changes)
    honest = [
        row for row in rows[: 2 * len(UAR)] if row["protocol"] == "speaker_independent" and row["metric"] == "uar"
    ]
    headline = pd.DataFrame(honest)[["corpus", "feature", "model", "value", "low", "high", "interval"]]
    steps = ("random", "take_disjoint", "speaker_independent")
    ladder = [
        {"corpus": corpus, "protocol": step, "size": size, "value": value, "low": value - 0.05, "high": value + 0.05}
        for corpus in CORPORA
        for step, value in zip(steps, (0.7, 0.66, 0.5))
        for size in ("equal", "full")
    ]
    speakers = {"speaker": ["tess/OAF", "tess/YAF"], "random": [0.998, 0.997], "speaker_independent": [0.338, 0.46]}
    corpora = [{"corpus": name, "speakers": n, "classes": k} for name, (n, k) in CORPORA.items()]
    return RunTables(
        scores=pd.DataFrame(rows),
        headline=headline.assign(nested=[np.nan, 0.57]),
        listeners=pd.DataFrame({"corpus": ["crema_d"], "reference": ["one listener"], "uar": [0.407]}),
        corpora=pd.DataFrame(corpora),
        systems=systems_of(headline),
        systems_protocols=protocols_of(headline),
        ladder=pd.DataFrame(ladder),
        ladder_speakers=pd.DataFrame({"corpus": "tess", **speakers, "n_train": 1120}),
    )


@pytest.fixture
def study(store) -> Study:
    return Study(settings.load("demo"), store, {})


def write(run: RunTables, study: Study) -> None:
    (study.store.run / "tables").mkdir(parents=True)
    for field in dataclasses.fields(run):
        getattr(run, field.name).to_csv(study.store.run / "tables" / f"{field.name}.csv", index=False)


def test_tables_are_those_of_the_run(run, study):
    with pytest.raises(FileNotFoundError, match="--from 04"):
        tables.read(study)
    write(run, study)
    read = tables.read(study)
    pd.testing.assert_frame_equal(tables.headline(read), tables.headline(run))
    (study.store.run / "tables" / "ladder.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"ladder\.csv.*--from 03"):
        tables.read(study)
    facts = {"03_splits": {"status": "failed", "error": "ValueError: no clips\nmore"}}
    (study.store.run / "run.json").write_text(json.dumps({"chapters": facts}), encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"03 .*an error \(ValueError: no clips\); see logs/03_splits\.log"):
        tables.read(study)


def test_benchmark_rows_are_known_by_their_columns(run):
    rows = tables.benchmark(run)
    assert len(rows) == 2 * len(UAR)
    assert not (rows["value"] == 0.1).any()
    renamed = dataclasses.replace(run, scores=run.scores.assign(experiment="a/b/c/d/e/f"))
    assert len(tables.benchmark(renamed)) == len(rows)  # names of experiments mean nothing
    assert tables.inflation(run)["value"].tolist() == list(UAR.values())


def test_headline_stands_beside_random_split_listeners_and_chance(run):
    table = tables.headline(run).set_index("corpus")
    assert table.loc["crema_d", "new speakers"] == 0.58
    assert table.loc["crema_d", "random split"] == 0.65
    assert table.loc["crema_d", "listeners"] == 0.407
    assert table.loc["tess", "chance"] == pytest.approx(1 / 7)
    finding = text.headline(run).finding
    assert table.loc["crema_d", "best system"] == "CAM++, LDA"
    assert table.loc["crema_d", "best score"] == pytest.approx(0.68)
    assert "CREMA-D .580" in finding
    assert share(0.407) in finding
    assert share(0.57) in finding  # chosen anew in each fold
    nobody = dataclasses.replace(run, listeners=run.listeners.iloc[:0], headline=run.headline.assign(nested=np.nan))
    assert ".570" not in text.headline(nobody).finding
    assert "slightly optimistic" in finding


def test_the_figure_says_where_the_chosen_systems_differ_from_it(run):
    assert "other features" not in text.inflation(run).text
    other = dataclasses.replace(run, headline=run.headline.assign(feature=["compare", "summary"]))
    assert "has other features on TESS (ComParE)." in text.inflation(other).text


def test_introduction_holds_the_scores_and_what_a_random_split_adds(run):
    nothing = pd.DataFrame()
    sentence = text.introduction(run, nothing)
    assert "**.350** on TESS" in sentence
    assert "**.570** on CREMA-D" in sentence, "chosen anew in each fold, as the best of all is"
    assert "score UAR **.450** on TESS and **.680** on CREMA-D: of ten clips, 3 to 6 get a wrong name. " in sentence
    assert "Listeners reach .407 on CREMA-D, but their task was another" in sentence
    assert "7 to 64 points" in sentence
    assert "Outside the studio" not in sentence
    alike = run.systems.assign(uar=0.0)
    assert "best of all" not in text.introduction(dataclasses.replace(run, systems=alike), nothing)
    one = dataclasses.replace(run, headline=run.headline.iloc[1:])
    assert "7 points" in text.introduction(one, nothing)
    assert "comes from" not in sentence, "on a corpus where the change is not significant, too"
    assert "chapter 03 says why" in text.introduction(dataclasses.replace(run, headline=run.headline.iloc[:0]), nothing)


def test_introduction_says_what_is_left_outside_the_studio(run, study):
    assert tables.outside(study).empty
    measured = pd.DataFrame({"corpus": ["tess", "crema_d"], "telephone": [-20.0, -30.0], "babble": [np.nan, np.nan]})
    (study.store.run / "tables").mkdir(parents=True)
    measured.to_csv(study.store.run / "tables" / "in_short.csv", index=False)
    sentence = text.introduction(run, tables.outside(study))
    assert sentence.endswith(
        "With encoders UAR changes on a telephone line by −25 points on average over corpora (chapter 7). All of it is "
        "acted speech."
    )
    measured.assign(n_speakers=[2, 91]).to_csv(study.store.run / "tables" / "in_short.csv", index=False)
    pairs = [("small", "a", "b", 0.3, 0.5), ("large", "a", "b", 0.4, 0.8), ("large", "b", "a", 0.5, 0.9)]
    own = [("large", "a", "a", 0.9, 0.9)]
    transfer = pd.DataFrame(pairs + own, columns=["system", "source", "corpus", "uar", "uar_within"])
    transfer.to_csv(study.store.run / "tables" / "transfer.csv", index=False)
    sentence = text.introduction(run, tables.outside(study))
    assert "by −30 points on average" in sentence, "two voices are no average"
    assert "tested on another: large, from .850 to .450 in the median." in sentence


def test_tess_is_shown_by_actress(run):
    sentence = text.tess(run)
    assert "OAF falls from .998 to .338" in sentence
    assert "1,120" in sentence
    assert "how well the model knew these two voices" in sentence
    assert ".350" in sentence
    without = dataclasses.replace(run, ladder_speakers=run.ladder_speakers.iloc[:0])
    assert "." in text.tess(without)


def test_figures_show_every_corpus(run):
    inflation = figures.inflation(run)
    labels = [label.get_text() for label in inflation.axes[0].get_yticklabels()]
    assert labels == ["linear SVM"] * len(CORPORA)
    assert text.corpus_notes(run)["crema_d"] == "91 speakers, 6 emotions"
    ladder = figures.ladder(run)
    assert [ax.get_title(loc="left") for ax in ladder.axes] == ["TESS", "CREMA-D"]
    assert "cost 20 points" in text.ladder(run).alt


def test_student_projects_are_read_where_chapter_08_was_run(run, study):
    assert tables.baselines(study).empty
    assert figures.baselines(tables.baselines(study)) is None
    assert text.baselines(tables.baselines(study)).empty
    write(run, study)
    scores = {"published": 0.84, "rebuild": 0.83, "ours": 0.95, "wilson_low": 0.93, "wilson_high": 0.96}
    scores |= {"list_uar": 0.9, "honest": 0.75, "honest_low": 0.7, "honest_high": 0.8}
    scores |= {"n_seeds": 5, "rebuild_seeds": 1}
    both = pd.DataFrame([{"id": "E000", "metric": metric, **scores} for metric in ("accuracy", "uar")])
    both.to_csv(study.store.run / "tables" / "baselines.csv", index=False)
    assert tables.baselines(study).empty  # half of what chapter 08 writes
    verdicts = both[["id", "metric"]].assign(verdict="passed")
    verdicts.to_csv(study.store.run / "tables" / "baseline_verdicts.csv", index=False)
    table = tables.baselines(study)
    assert table["metric"].tolist() == ["accuracy"]
    assert "1 of 1" in text.baselines(table).alt
    assert "15 points" in text.baselines(table).alt
    assert "rebuilt models of E000, one only" in text.baselines(table).text
    assert "E000" in figures.baselines(table).axes[0].get_yticklabels()[0].get_text()


def test_every_protocol_is_on_the_front_page_in_short(run):
    table = tables.protocols(run)
    assert list(table.columns) == ["corpus", "system", "n", "random", "speaker_independent", "cross_corpus"]
    assert set(table["system"]) == {"hand_crafted", "encoder_head", "one_listener"}
    assert set(table["corpus"]) == set(run.headline["corpus"])
    assert (table["cross_corpus"] == "").all()
