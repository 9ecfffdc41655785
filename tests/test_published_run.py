"""A published run: probabilities in bytes, predictions and clips written and read back, tables computed from them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from report_sample import notebook

from ser_study import config as settings
from ser_study import corpora, schema
from ser_study.cli import main
from ser_study.corpora import published as clips_of
from ser_study.experiments import Experiment, benchmark, coding, published
from ser_study.report import execution, publish, recompute
from ser_study.report.chapters import Chapter
from ser_study.store import PAGES, WRITTEN, Store, write_json
from ser_study.study import Study

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = {
    **{"synthetic.n_speakers": 4, "synthetic.n_statements": 2, "evaluation.n_bootstrap": 100, "run.jobs": 1},
    **{"benchmark.features": ["means184"], "benchmark.models": ["dummy", "lda"]},
}
CELLS = (
    """from ser_study.chapters.classical import headline, tables as classical
from ser_study.report.exhibits import Exhibits
from ser_study.study import Study
from ser_study.wording import Caption
study = Study.open(preset, overrides, data)
show = Exhibits(study)""",
    "X, y, speakers = study.xy('synthetic', 'means184')\nX.head()",
    "shape, scores = X.describe().reset_index(), classical.benchmark_scores(study)",
    "gaps = classical.gaps(scores)",
    "show.all([\n(shape, Caption('shape', 'x')),\n(gaps, Caption('gaps', 'Gaps.')),\n])",
    "systems = headline.chosen_systems(study, scores)",
    "show.table(scores, Caption('every_score', 'All.'))",
    "show.table(headline.test_predictions(study, systems), Caption('predicted', 'Rows.'))",
)


# Coding ---------------------------------------------------------------------------------------------------------------


def test_codes_are_distances_from_the_largest_probability():
    even = [0.5, 0.5, 0.0]
    odds = np.array([1, math.exp(-1), math.exp(-3)])
    codes = coding.encode(np.array([even, odds / odds.sum()], np.float32))
    assert codes.tolist() == [[0, 0, 255], [0, round(54 * math.log(2)), round(54 * math.log(4))]]
    first, second = coding.decode(codes).astype(float)
    assert first.tolist() == even
    assert second == pytest.approx(odds / odds.sum(), abs=0.006)
    least = np.array([[1, np.finfo(np.float32).smallest_subnormal]], np.float32)
    assert coding.decode(coding.encode(least))[0, 1] > 0


def test_decoded_probabilities_are_near_keep_their_order_and_give_the_same_codes():
    proba = np.random.default_rng(0).dirichlet(np.full(7, 0.3), 20_000).astype(np.float32)
    codes = coding.encode(proba)
    decoded = coding.decode(codes)
    assert np.abs(decoded - proba).max() < 0.006
    assert np.abs(decoded.sum(axis=1) - 1).max() < 1e-6
    assert (decoded.argmax(axis=1) == proba.argmax(axis=1)).all()
    assert (coding.encode(decoded) == codes).all()
    assert (coding.decode(coding.encode(decoded)) == decoded).all()


# Predictions ----------------------------------------------------------------------------------------------------------


ONE, THREE = (Experiment("emodb", "random", "means184", model) for model in ("knn", "lda"))


def predicted(one: Experiment, classes: str, n: int = 6) -> pd.DataFrame:
    """Predictions of an experiment: half validation, half test rows of the clips ``emodb/a`` and so on."""
    random = np.random.default_rng(len(classes))
    proba = random.dirichlet(np.ones(len(classes)), n).astype(np.float32)
    facts = {"experiment": one.name, "scheme": "native", "protocol": "random", "repeat": 0, "fold": 1, "seed": 2**40}
    table = pd.DataFrame({column: [value] * n for column, value in facts.items()})
    table = table.assign(role=np.where(np.arange(n) < n // 2, "validation", "test"), model=one.model, n_train=40)
    table = table.assign(clip_id=[f"emodb/{letter}" for letter in "abcdef"[:n]], variant=0)
    table = table.assign(truth=random.choice(list(classes), n), prediction=np.array(list(classes))[proba.argmax(1)])
    table = table.assign(corpus="emodb", feature="means184", draw=0, leak="", params='{"C": 1}')
    table = table.assign(**{f"p_{one}": proba[:, place] for place, one in enumerate(classes)})
    return schema.check_predictions(table)


@pytest.fixture
def cached(tmp_path) -> dict[str, Path]:
    """Two experiments as the cache holds them; their classes differ."""
    paths = {name: tmp_path / f"{name}-0.parquet" for name in ("one", "three")}
    predicted(ONE, "xyz").to_parquet(paths["one"], index=False)
    predicted(THREE, "wx").to_parquet(paths["three"], index=False)
    return paths


CLIPS = {f"emodb/{letter}": row for row, letter in enumerate("fedcba")}


def written(cached: dict[str, Path], folder: Path, **needs) -> Store:
    """The published run of some experiments, as the raw folder of a store."""
    names = published.write({cached[name]: read for name, read in needs.items()}, CLIPS, folder, facts={"a": 1})
    assert names == [({"one": ONE, "three": THREE}[name].name, 1) for name in sorted(needs)]
    clip = pd.DataFrame({"clip_id": list(CLIPS), "corpus": "emodb", "sha256": "0", "path": ""})
    clips_of.write([clip], folder, private=[], features=published.features(folder), packed=[])
    return Store(folder, folder / "derived", folder / "run", PROJECT)


def test_published_predictions_are_those_that_the_run_computed_with(cached, tmp_path):
    store = written(cached, tmp_path / "run", one=published.ALL, three=published.ALL)
    for one, classes in ((ONE, "xyz"), (THREE, "wx")):
        assert_frame_equal(published.predictions(one, store), coding.rounded(predicted(one, classes)))
    assert published.facts_of(tmp_path / "run") == {"a": 1, "steps": 54}
    assert published.features(tmp_path / "run") == ["means184"]
    assert not published.is_published(dataclasses.replace(ONE, draws=2), store)
    assert not published.is_published(ONE, Store(tmp_path, tmp_path, tmp_path, PROJECT))


def test_only_what_was_read_is_published(cached, tmp_path):
    whole = coding.rounded(predicted(ONE, "xyz"))
    store = written(cached, tmp_path / "run", one=("validation+p",), three=published.SCORES)
    candidate = published.predictions(ONE, store)
    assert_frame_equal(candidate, whole[whole["role"] == "validation"])
    scored = published.predictions(THREE, store)
    assert scored.groupby("role")["p_w"].count().to_dict() == {"test": 3, "validation": 0}
    assert scored["prediction"].tolist() == predicted(THREE, "wx")["prediction"].tolist()
    labels = written(cached, tmp_path / "labels", one=published.LABELS)
    assert_frame_equal(published.predictions(ONE, labels), whole.drop(columns=["p_x", "p_y", "p_z"]))


def test_where_only_counts_are_read_clips_are_not_published(cached, tmp_path):
    store = written(cached, tmp_path / "run", one=published.COUNTS, three=published.ALL)
    counted = published.predictions(ONE, store)
    test = predicted(ONE, "xyz").query("role == 'test'")
    pairs = ["fold", "truth", "prediction"]
    assert_frame_equal(counted[pairs], test[pairs].sort_values(pairs, ignore_index=True), check_dtype=False)
    assert set(counted["clip_id"]) == {""}
    assert not [name for name in counted if name.startswith("p_")]
    both = written(cached, tmp_path / "both", one={*published.COUNTS, *published.LABELS})
    assert published.predictions(ONE, both)["clip_id"].tolist() == predicted(ONE, "xyz")["clip_id"].tolist()


def test_large_predictions_are_several_files_and_old_ones_go(cached, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(published, "_GROUP", 1)
    monkeypatch.setattr(published, "_NEXT_FILE", 1)
    store = written(cached, folder, one=published.ALL, three=published.ALL)
    assert [path.name for path in published.files(folder)][:2] == ["predictions.parquet", "predictions-2.parquet"]
    assert_frame_equal(published.predictions(THREE, store), coding.rounded(predicted(THREE, "wx")))
    monkeypatch.undo()
    written(cached, folder, one=published.ALL)
    assert [path.name for path in published.files(folder)] == ["predictions.parquet"]


def test_two_experiments_of_one_name_are_refused(cached, tmp_path):
    again = tmp_path / "zwei-0.parquet"
    predicted(ONE, "xyz").to_parquet(again, index=False)
    with pytest.raises(ValueError, match="Two experiments are called 'emodb/random/means184/knn'"):
        published.write({cached["one"]: published.ALL, again: published.ALL}, CLIPS, tmp_path / "run", facts={})
    assert not published.files(tmp_path / "run")


# Clips ----------------------------------------------------------------------------------------------------------------


def test_clips_of_licensed_corpora_are_numbered_in_their_order(tmp_path):
    assert {name for name in corpora.names() if not corpora.module(name).INFO.names_published} == {
        *("savee", "iemocap", "own")
    }
    names = ["savee/DC_a01", "savee/DC_a02", "savee/JE_a01", "tess/OAF_back_angry"]
    table = pd.DataFrame({"clip_id": names, "corpus": ["savee"] * 3 + ["tess"], "path": names})
    table = table.assign(sha256=["f", "a", "f", "b"], emotion="angry", silent=False)
    clips_of.write([table[:3], table[3:]], tmp_path, private=["savee"], features=["summary"], packed=["tess"])
    shown = pd.read_parquet(tmp_path / "clips.parquet")
    assert shown["clip_id"].tolist() == ["savee/00001", "savee/00002", "savee/00003", "tess/OAF_back_angry"]
    assert shown["sha256"].tolist() == ["savee/00002", "savee/00001", "savee/00002", "b"]
    assert "path" not in shown
    assert not any(secret in str(shown.to_dict()) for secret in ("DC_a", "JE_a"))
    assert clips_of.numbers([table[:3], table[3:]]) == dict(zip(names, range(4)))
    assert clips_of.packed(tmp_path) == ["tess"]
    assert clips_of.corpora(tmp_path) == ["savee", "tess"]


def test_a_corpus_beside_those_of_the_run_is_none_of_them(cached, tmp_path):
    store = written(cached, tmp_path, one=published.ALL)
    tables = [pd.DataFrame({"clip_id": [name], "corpus": name[:4], "path": ""}) for name in ("emod/a", "tess/b")]
    tables = [table.assign(sha256="0") for table in tables]
    clips_of.write(tables, store.raw, private=[], features=[], packed=[], beside=["tess"])
    assert clips_of.corpora(store.raw) == corpora.present(store.raw) == ["emod"]
    assert clips_of.names(store.raw).tolist() == ["emod/a", "tess/b"]


# A run ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A small run of one notebook, published: its folder, below which nothing but that is left."""
    folder = tmp_path_factory.mktemp("published")
    path, listing = folder / "01_all.ipynb", folder / "listing"
    nbformat.write(notebook(*CELLS), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_STUDY_DERIVED", str(folder / "derived"))
        patch.setenv("SER_STUDY_REPORTS", str(folder / "reports"))
        patch.delenv("SER_STUDY_DATA", raising=False)
        patch.setenv(PAGES, "1")
        patch.setenv(WRITTEN, str(listing))
        assert recompute.replay(path, {"preset": "demo", "overrides": SETTINGS}).failures == []
        study = Study.open("demo", SETTINGS)
    store = study.store
    record = execution._noted(listing, store.run)
    write_json(store.derived / "notebooks" / "01_all.json", record)
    publish.publish(study.config, store, corpora=["synthetic"], notebooks=["01_all.ipynb"])
    about = {"run": study.config.run_name, "preset": "demo", "overrides": SETTINGS, "chapters": {}}
    write_json(store.run / "run.json", about)
    (folder / "derived").rename(folder / "gone")
    return store.run


@pytest.fixture
def replayed(run, monkeypatch, tmp_path):
    """Compute the small run again, as ``ser-study report`` does, from its one notebook."""
    path = run.parents[1] / "01_all.ipynb"
    monkeypatch.setattr(recompute, "chapters", lambda *_: [Chapter(path)])
    return lambda: recompute.recompute(run, tmp_path / "to")


def test_a_run_publishes_what_its_notebooks_read(run):
    predictions = pd.read_parquet(run / "predictions.parquet")
    test = predictions[predictions["experiment"] == "synthetic/random/means184/lda"]
    assert set(test["role"].astype(str)) == {"test"}
    assert test["c_angry"].notna().all()
    clips = pd.read_parquet(run / "clips.parquet")
    assert len(clips) == predictions["clip"].nunique()
    assert publish.too_large(run) == ""


def test_tables_computed_from_predictions_are_equal_byte_for_byte(run, replayed, tmp_path):
    outcome = replayed()
    assert outcome.equal == ["every_score", "gaps", "predicted"]
    assert outcome.different == []
    assert outcome.missing == {"shape": ""}
    assert not outcome.is_whole, "nobody says why the table of features cannot be computed"
    (failure,) = outcome.failures
    assert "means184 of" in failure
    assert "needs audio" in failure
    made = tmp_path / "to" / run.name / "tables" / "every_score.csv"
    assert made.read_bytes() == (run / "tables" / "every_score.csv").read_bytes()


def test_a_changed_prediction_or_table_is_noticed(run, replayed, monkeypatch, capsys, tmp_path):
    table = run / "tables" / "gaps.csv"
    known = table.read_bytes()
    monkeypatch.setitem(recompute.NOT_PUBLISHED, "they describe features", ("shape",))
    assert replayed().is_whole
    try:
        table.write_bytes(known.replace(b"synthetic", b"Synthetic"))
        assert replayed().different == ["gaps"]
        assert main(["report", "--from", str(run), "--to", str(tmp_path / "to")]) == 1
        assert "Different: gaps." in capsys.readouterr().out
    finally:
        table.write_bytes(known)
    assert main(["report", "--from", str(run), "--to", str(tmp_path / "to")]) == 0
    printed = capsys.readouterr().out
    assert "3 tables are equal to the published ones, byte for byte: every_score, gaps, predicted." in printed
    assert "Not computed, they describe features: shape." in printed


def test_a_published_run_is_a_study_without_sound(run, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_STUDY_DERIVED", str(tmp_path / "derived"))
    monkeypatch.setenv("SER_STUDY_REPORTS", str(tmp_path / "reports"))
    study = Study.open("demo", SETTINGS, str(run))
    assert study.config.run.published == ("means184",)
    with pytest.raises(FileNotFoundError, match=r"means184 of \d+ clips needs audio, and .* holds none"):
        study.features("synthetic", "means184")
    declared = benchmark.benchmark(study.config, study.possible)
    (one,) = [e for e in declared if e.model == "lda" and e.protocol == "random"]
    assert study.predictions(one)["role"].tolist().count("test") == len(study.clips())
    other = dataclasses.replace(one, model="knn")
    with pytest.raises(FileNotFoundError, match="needs audio"):
        study.predictions(other)
    assert not (tmp_path / "reports" / "ledger.csv").exists()


def test_a_folder_that_is_no_published_run_is_refused(tmp_path, capsys):
    assert main(["report", "--from", str(tmp_path)]) == 2
    assert "is no published run: it lacks run.json" in capsys.readouterr().err


def test_predictions_computed_anew_under_the_same_settings_are_published(cached, tmp_path, monkeypatch):
    clip = pd.DataFrame({"clip_id": list(CLIPS), "corpus": "emodb", "sha256": "0", "path": ""})
    monkeypatch.setattr(publish.corpora, "load", lambda *_, **__: clip)
    config, store = settings.load("full", {"ladder.built_in": False}), Store(tmp_path, tmp_path, tmp_path, PROJECT)
    record = {"predictions": {cached["one"].name: list(published.ALL)}}
    write_json(tmp_path / "notebooks" / "a.json", record)
    publish.publish(config, store, corpora=["emodb"], notebooks=["a.ipynb"])
    first = published.predictions(ONE, store)["prediction"].tolist()
    table = pd.read_parquet(cached["one"])
    other = predicted(ONE, "xyz").assign(prediction=table["truth"])
    columns = [name for name in other if name.startswith("p_")]
    other[columns] = np.eye(3, dtype=np.float32)[other["truth"].map("xyz".index)]
    other.to_parquet(cached["one"], index=False)
    publish.publish(config, store, corpora=["emodb"], notebooks=["a.ipynb"])
    assert published.predictions(ONE, store)["prediction"].tolist() == table["truth"].tolist() != first


def test_what_is_too_large_is_named(tmp_path, monkeypatch):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.csv").write_bytes(b"0" * 3_000_000)
    assert publish.too_large(tmp_path) == ""
    monkeypatch.setattr(publish, "MAX_RUN", 2_000_000)
    assert "holds 3.0 MB; at most 2 MB" in publish.too_large(tmp_path)
    assert "Largest: tables/a.csv 3.0 MB." in publish.too_large(tmp_path)


# What is committed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["quick", "full"])
def test_a_committed_run_is_small_enough(name):
    assert publish.too_large(PROJECT / "reports" / name) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "quick"])
def test_a_committed_run_follows_from_its_predictions(name, tmp_path):
    """What anybody can do in a fresh clone, without audio."""
    folder = PROJECT / "reports" / name
    if not clips_of.is_run(folder):
        pytest.skip(f"no predictions are published in reports/{name} yet")
    outcome = recompute.recompute(folder, tmp_path)
    assert outcome.is_whole, "\n".join([*outcome.different, *outcome.missing, *outcome.failures])
    assert {"scores", "ladder", "steps", "per_class", "overall", "votes", "baselines"} <= set(outcome.equal)
