"""Tables, sentences and figures of the features: shares, likeness and contours, checked another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from ser_study import config as settings
from ser_study.experiments import feature_tables as tables
from ser_study.experiments import material
from ser_study.report import feature_plots, palette, plots
from ser_study.schema import FeatureSet
from ser_study.store import Store

SMALL = replace(
    settings.load("demo", {"run.jobs": 1}), synthetic=settings.Synthetic(n_speakers=2, n_statements=2, n_repetitions=1)
)


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([11, *purpose])


def feature_set(name: str, values: np.ndarray) -> FeatureSet:
    ids = np.array([f"x/{i:04d}" for i in range(len(values))], dtype=object)
    return FeatureSet(name, ids, np.zeros(len(ids), int), values.astype(np.float32))


def shares_table(n: int = 180, corpora: tuple[str, ...] = ("emodb", "tess", "crema_d")) -> pd.DataFrame:
    rows = []
    for place, corpus in enumerate(corpora):
        x, y = random(place).beta(1, 3, (2, n))
        names = [("f0_p50", "rms_db_mean", "duration", "mfcc_03_delta2_sd")[i % 4] for i in range(n)]
        rows.append(pd.DataFrame({"corpus": corpus, "feature": names, "emotion": y, "speaker": x, "n_clips": 300,
                                  "n_emotions": 6, "n_speakers": 10}))  # fmt: skip
    table = pd.concat(rows, ignore_index=True)
    return table.assign(family=table["feature"].map(tables.family))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    store = Store(folder / "raw", folder / "derived", folder / "run", folder)
    gathered = material.gather(SMALL, store)
    return store, gathered, tables.extract(gathered, config=SMALL, store=store)


def test_extract_makes_the_sets_of_the_study(made):
    store, gathered, sets = made
    assert list(sets) == [("synthetic", "seed184"), ("synthetic", "summary")]
    assert all(list(values.clip_id) == list(gathered["synthetic"].clips["clip_id"]) for values in sets.values())
    table = tables.overview(sets, SMALL).set_index("feature")
    assert table.loc["seed184", "dimensions"] == 184
    assert table.loc["summary", "sample rate (Hz)"] == SMALL.audio.sample_rate
    assert (table["clips"] == len(gathered["synthetic"].clips)).all()


def test_large_sets_are_extracted_on_their_corpora_only(made):
    store, gathered, _ = made
    study = replace(SMALL.study, features=("summary",), large_features=("seed184",), large_corpora=("here",))
    both = {"here": gathered["synthetic"], "there": gathered["synthetic"]}
    sets = tables.extract(both, config=replace(SMALL, study=study), store=store)
    assert set(sets) == {("here", "summary"), ("here", "seed184"), ("there", "summary")}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("rms_db_p95", "loudness"), ("mfcc_00_mean", "loudness"), ("f0_slope", "pitch"), ("voicing_sd", "pitch"),
     ("voiced_share", "rhythm"), ("loudness_peaks_per_s", "rhythm"), ("mel_003_db_mean", "timbre")],
)  # fmt: skip
def test_every_feature_has_a_family(name, kind):
    assert tables.family(name) == kind


def test_variance_is_eta_squared_of_each_column(made):
    store, gathered, sets = made
    shares = tables.variance(gathered, config=SMALL, store=store)
    values, clips = sets["synthetic", "summary"], gathered["synthetic"].clips
    assert list(shares["feature"]) == list(values.columns)
    for name in ("rms_db_mean", "f0_p50", "mfcc_05_sd"):
        column = pd.Series(values.values[:, values.columns.index(name)].astype(float))
        for unit in ("emotion", "speaker"):
            between = column.groupby(clips[unit]).transform("mean").var() / column.var()
            assert shares.set_index("feature").loc[name, unit] == pytest.approx(between, rel=1e-6)
    best = tables.strongest(shares)
    assert len(best) == 5
    assert best["emotion"].max() == shares["emotion"].max()
    assert best["emotion"].is_monotonic_decreasing


def test_a_corpus_without_two_speakers_or_emotions_has_no_shares(made):
    store, gathered, _ = made
    whole = gathered["synthetic"]
    odd = {
        "nameless": replace(whole, clips=whole.clips.assign(speaker=None)),
        "one voice": replace(whole, clips=whole.clips.assign(speaker="synthetic/01")),
        "one emotion": replace(whole, clips=whole.clips[whole.clips["emotion"] == "sad"]),
    }
    shares = tables.variance(odd, config=SMALL, store=store)
    assert shares.empty
    assert "cannot be told apart" in tables.variance_title(shares)
    assert tables.strongest(shares).empty
    assert tables.summary(shares, tables.alikeness({})).count("\n") == 0
    some = {"nameless": odd["nameless"], "synthetic": whole}
    assert set(tables.variance(some, config=SMALL, store=store)["corpus"]) == {"synthetic"}


def test_titles_count_the_features_that_know_the_voice():
    shares = shares_table()
    knows = {name: np.mean(part["speaker"] > part["emotion"]) for name, part in shares.groupby("corpus")}
    title = tables.variance_title(shares)
    assert title.startswith(f"{100 * np.mean(shares['speaker'] > shares['emotion']):.0f} % of all features")
    assert f"from {100 * min(knows.values()):.0f} % in" in title
    assert f"to {100 * max(knows.values()):.0f} % in" in title
    one = shares[shares["corpus"] == "tess"]
    assert tables.variance_title(one).startswith(f"{100 * knows['tess']:.0f} % of the 180 features tell more of the")
    assert f"{100 * 9 / 299:.1f} % at most" in tables.summary(shares, tables.alikeness({}))


def test_cka_knows_rotation_and_noise():
    values = random(1).normal(size=(300, 6))
    spin = np.linalg.qr(random(2).normal(size=(6, 6)))[0]
    white = (values - values.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(values.T))).T
    assert tables.linear_cka(values, values * [1, 10, 100, 1, 1, 1] + 5) == pytest.approx(1)
    assert tables.linear_cka(white, white @ spin) == pytest.approx(1, abs=0.01)
    wide = random(3).normal(size=(2, 100, 2000))  # more columns than clips, where the plain estimate is far above 0
    assert abs(tables.linear_cka(*wide)) < 0.05
    assert np.isnan(tables.linear_cka(values, np.ones((300, 3))))


def test_alikeness_compares_the_same_clips_and_no_more_than_a_thousand():
    base = random(4).normal(size=(1500, 5))
    sets = {
        ("emodb", "summary"): feature_set("summary", base),
        ("emodb", "egemaps"): feature_set("egemaps", 2 * base[:1200]),
        ("tess", "summary"): feature_set("summary", base),
    }
    table = tables.alikeness(sets)
    assert table[["corpus", "first", "second", "clips"]].values.tolist() == [["EMO-DB", "summaries", "eGeMAPS", 1000]]
    assert table["cka"].iloc[0] == pytest.approx(1)
    assert "summaries and eGeMAPS, mean over corpora: CKA 1.00." in tables.summary(shares_table(), table)


def test_contours_are_those_of_the_clip(made):
    store, gathered, sets = made
    clip = tables.example(gathered)
    assert clip["emotion"] == "happy"
    told = tables.contours(clip, config=SMALL, store=store)
    lengths = {len(told[name]) for name in ("time", "loudness_db", "f0_hz", "centroid_hz", "mel_db")}
    assert len(lengths) == 1
    row = sets["synthetic", "summary"]
    named = dict(zip(row.columns, row.rows(np.array([clip["clip_id"]]))[0]))
    assert np.mean(told["centroid_hz"]) == pytest.approx(named["centroid_mean"], rel=1e-4)
    assert np.nanmedian(12 * np.log2(told["f0_hz"] / 27.5)) == pytest.approx(named["f0_p50"], abs=1e-3)
    assert f"{100 * named['voiced_share']:.0f} % is voiced" in tables.contours_title(told)
    assert (np.diff(told["mel_hz"]) > 0).all()
    mute = {**told, "f0_hz": np.full_like(told["f0_hz"], np.nan)}
    assert "no frame is voiced" in tables.contours_title(mute)
    figure = plots.contours(mute, title="mute")
    assert any(t.get_text() == "no frame is voiced" for t in figure.findobj(Text))


def test_figures_are_small_and_legible(made):
    store, gathered, _ = made
    told = tables.contours(tables.example(gathered), config=SMALL, store=store)
    figures = [plots.contours(told, title="One"), plots.variance(shares_table(), title="Several"),
               plots.variance(shares_table(corpora=("emodb",)), title="A single corpus"),
               plots.variance(shares_table(340, tuple("abcdefg")), title="Seven")]  # fmt: skip
    for figure in figures:
        svg = plots.svg(figure)
        assert len(svg.encode()) < 300_000
        sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
        assert min(sizes) >= palette.SMALL
    assert len([ax for ax in figures[3].axes if ax.get_visible()]) == 7
    assert all(line.get_rasterized() for line in figures[3].axes[0].lines if line.get_markersize() == 4)
    assert not any(line.get_rasterized() for line in figures[2].axes[0].lines)


def test_variance_plot_names_the_features_with_most_emotion():
    shares = shares_table(20, ("emodb",)).assign(feature=[f"f0_{i}" for i in range(20)])
    ax = plots.variance(shares, title="").axes[0]
    assert {t.get_text() for t in ax.texts} == set(shares.nlargest(3, "emotion")["feature"])


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        plots.variance(shares_table().iloc[:0], title="")
    with pytest.raises(ValueError, match="family 'smell'"):
        plots.variance(shares_table().assign(family="smell"), title="")
    with pytest.raises(ValueError, match="f0_hz"):
        feature_plots.contours({"time": np.arange(3), "loudness_db": np.arange(3)}, title="")


def test_correlations_are_those_of_the_columns(made):
    store, gathered, sets = made
    shares = tables.variance(gathered, config=SMALL, store=store)
    table = tables.correlations(gathered, shares, config=SMALL, store=store)
    vectors = next(values for (_, feature), values in sets.items() if feature == "summary")
    columns = list(vectors.columns)
    one, two = (vectors.values[:, columns.index(name)].astype(float) for name in table.index[:2])
    assert table.iloc[0, 1] == pytest.approx(np.corrcoef(one, two)[0, 1])
    assert 4 <= len(table) <= 12

    figure = feature_plots.correlation(table, title=tables.correlations_title(table))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("1.0") >= len(table)
    with pytest.raises(ValueError, match="same names on both sides"):
        feature_plots.correlation(table.iloc[:2], title="")
