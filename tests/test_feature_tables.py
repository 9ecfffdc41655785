"""Tables and sentences of the features: shares, similarity and contours, checked another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.chapters.features import frames, similarity, tables, text
from ser_study.features.inspection import analysis_of, envelope
from ser_study.schema import FeatureSet
from ser_study.store import Store
from ser_study.study import Study

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
    study = Study(SMALL, Store(folder / "raw", folder / "derived", folder / "run", folder))
    return study, tables.extract(study)


def test_extract_makes_the_sets_of_the_study(made):
    study, sets = made
    assert list(sets) == [("synthetic", "means184"), ("synthetic", "summary")]
    assert all(list(values.clip_id) == list(study.selections["synthetic"].clips["clip_id"]) for values in sets.values())
    table = tables.overview(study, sets).set_index("feature")
    assert table.loc["means184", "dimensions"] == 184
    assert table.loc["summary", "sample rate (Hz)"] == SMALL.audio.sample_rate
    assert (table["clips"] == len(study.selections["synthetic"].clips)).all()


def test_large_sets_are_extracted_on_their_corpora_only(made):
    study, _ = made
    benchmark = replace(
        SMALL.benchmark, features=("summary",), large_features=("summary+means184",), large_corpora=("here",)
    )
    both = {"here": study.selections["synthetic"], "there": study.selections["synthetic"]}
    sets = tables.extract(Study(replace(SMALL, benchmark=benchmark), study.store, both))
    assert set(sets) == {("here", "summary"), ("here", "means184"), ("there", "summary")}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("rms_db_p95", "loudness"), ("mfcc_00_mean", "loudness"), ("f0_slope", "pitch"), ("voicing_sd", "pitch"),
     ("voiced_share", "rhythm"), ("loudness_peaks_per_s", "rhythm"), ("mel_003_db_mean", "timbre")],
)  # fmt: skip
def test_every_feature_has_a_family(name, kind):
    assert tables.family(name) == kind


def test_variance_is_eta_squared_of_each_column(made):
    study, sets = made
    shares = tables.variance(study)
    values, clips = sets["synthetic", "summary"], study.selections["synthetic"].clips
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
    study, _ = made
    whole = study.selections["synthetic"]
    odd = {
        "nameless": replace(whole, clips=whole.clips.assign(speaker=None)),
        "one voice": replace(whole, clips=whole.clips.assign(speaker="synthetic/01")),
        "one emotion": replace(whole, clips=whole.clips[whole.clips["emotion"] == "sad"]),
    }
    shares = tables.variance(Study(SMALL, study.store, odd))
    assert shares.empty
    assert text.variance_title(shares) == text.NO_SHARES
    assert tables.strongest(shares).empty
    assert text.summary(shares, similarity.similarity({})).count("\n") == 0
    some = {"nameless": odd["nameless"], "synthetic": whole}
    assert set(tables.variance(Study(SMALL, study.store, some))["corpus"]) == {"synthetic"}


def test_titles_count_the_features_that_know_the_voice():
    shares = shares_table()
    knows = {name: np.mean(part["speaker"] > part["emotion"]) for name, part in shares.groupby("corpus")}
    title = text.variance_title(shares)
    assert title.startswith(f"{100 * np.mean(shares['speaker'] > shares['emotion']):.0f} % of all features")
    assert f"from {100 * min(knows.values()):.0f} % in" in title
    assert f"to {100 * max(knows.values()):.0f} % in" in title
    one = shares[shares["corpus"] == "tess"]
    assert text.variance_title(one).startswith(f"{100 * knows['tess']:.0f} % of the 180 features")
    assert f"on average account for {100 * 9 / 299:.1f} % or less" in text.summary(shares, similarity.similarity({}))


def test_cka_knows_rotation_and_noise():
    values = random(1).normal(size=(300, 6))
    spin = np.linalg.qr(random(2).normal(size=(6, 6)))[0]
    white = (values - values.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(values.T))).T
    assert similarity.linear_cka(values, values * [1, 10, 100, 1, 1, 1] + 5) == pytest.approx(1)
    assert similarity.linear_cka(white, white @ spin) == pytest.approx(1, abs=0.01)
    wide = random(3).normal(size=(2, 100, 2000))  # more columns than clips, where the plain estimate is far above 0
    assert abs(similarity.linear_cka(*wide)) < 0.05
    assert np.isnan(similarity.linear_cka(values, np.ones((300, 3))))


def test_similarity_compares_the_same_clips_and_no_more_than_a_thousand():
    base = random(4).normal(size=(1500, 5))
    sets = {
        ("emodb", "summary"): feature_set("summary", base),
        ("emodb", "egemaps"): feature_set("egemaps", 2 * base[:1200]),
        ("tess", "summary"): feature_set("summary", base),
    }
    table = similarity.similarity(sets)
    assert table[["corpus", "first", "second", "clips"]].values.tolist() == [["EMO-DB", "summaries", "eGeMAPS", 1000]]
    assert table["cka"].iloc[0] == pytest.approx(1)
    assert "CKA 1.00." in text.summary(shares_table(), table)


def test_counts_add_up(made):
    study, _ = made
    part, row = study.selections["synthetic"], tables.counts(study).iloc[0]
    assert (row["corpus"], row["analysed"], row["found"]) == ("synthetic", len(part.clips), len(part.clips))
    assert row["dropped"] == "–"
    assert row["hours"] == pytest.approx(part.clips["duration"].sum() / 3600)
    fewer = replace(part, clips=part.clips.iloc[2:], dropped=part.clips.iloc[:2].assign(reason="silent"))
    row = tables.counts(Study(SMALL, study.store, {"synthetic": fewer})).iloc[0]
    assert (row["found"], row["analysed"], row["dropped"]) == (len(part.clips), len(part.clips) - 2, "2 silent")
    clash = replace(fewer, dropped=fewer.dropped.assign(reason="conflict"))
    assert tables.counts(Study(SMALL, study.store, {"synthetic": clash}))["dropped"].tolist() == ["2 with two labels"]


def test_frames_are_those_of_the_clip(made):
    study, sets = made
    clip = frames.example(study)
    assert clip["emotion"] == "happy"
    values = frames.frame_by_frame(study, clip)
    analysis = analysis_of(clip, config=SMALL, store=study.store)
    same = {"rms": "rms", "zcr": "zcr", "centroid_hz": "centroid", "rolloff_hz": "rolloff"}
    for name, feature in {**same, "mel_db": "mel_db", "chroma": "chroma", "mfcc": "mfcc"}.items():
        assert np.array_equal(values[name], getattr(analysis, feature))
    by_frame = set(values) - {"signal", "sample_rate", "mel_hz"}
    assert {len(values[name]) for name in by_frame} == {len(values["time"])}
    row = sets["synthetic", "summary"]
    named = dict(zip(row.columns, row.rows(np.array([clip["clip_id"]]))[0]))
    assert np.mean(values["centroid_hz"]) == pytest.approx(named["centroid_mean"], rel=1e-4)
    assert np.nanmedian(12 * np.log2(values["f0_hz"] / 27.5)) == pytest.approx(named["f0_p50"], abs=1e-3)
    assert (np.diff(values["mel_hz"]) > 0).all()
    assert f"{100 * named['voiced_share']:.0f} % is voiced" in text.contours_title(values)


def test_titles_of_frames_count_them(made):
    study, _ = made
    values = frames.frame_by_frame(study, frames.example(study))
    mute = {**values, "f0_hz": np.full_like(values["f0_hz"], np.nan)}
    assert "no frame is voiced" in text.contours_title(mute)
    share = 100 * values["zcr"][~values["is_voiced"]].mean()
    assert f"unvoiced frames: {share:.0f} %" in text.frames_title(values)
    assert "unvoiced" not in text.frames_title({**values, "is_voiced": np.ones(len(values["time"]), bool)})


@pytest.mark.parametrize("n_samples", [1, 255, 256, 5000])
def test_envelope_bounds_the_signal_and_touches_it(n_samples):
    signal, settings_ = random(9).normal(size=n_samples).astype(np.float32), settings.Frames(hop_length=256)
    values = envelope(signal, settings_)
    assert len(values) == 1 + n_samples // 256
    between = np.interp(np.arange(n_samples), 256 * np.arange(len(values)), values)
    assert (between >= np.abs(signal) - 1e-6).all()
    assert values.max() == np.abs(signal).max()


@pytest.mark.parametrize("caption", ["contours", "frame_features"])
def test_captions_have_a_text_for_figures_and_for_their_absence(made, caption):
    study, _ = made
    clip = frames.example(study)
    full = getattr(text, caption)(study, clip, frames.frame_by_frame(study, clip))
    assert clip["clip_id"] in full.text
    assert full.alt
    assert getattr(text, caption)(study, clip, {}).alt == ""
    assert text.variance(shares_table().iloc[:0]).empty
    assert text.correlations(pd.DataFrame()).empty


def test_correlations_are_those_of_the_columns(made):
    study, sets = made
    shares = tables.variance(study)
    table = tables.correlations(study, shares)
    vectors = next(values for (_, feature), values in sets.items() if feature == "summary")
    columns = list(vectors.columns)
    one, two = (vectors.values[:, columns.index(name)].astype(float) for name in table.index[:2])
    assert table.iloc[0, 1] == pytest.approx(np.corrcoef(one, two)[0, 1])
    assert 4 <= len(table) <= 12

    values = table.abs().to_numpy(copy=True)
    np.fill_diagonal(values, 0)
    assert f"{values.max():.2f})" in text.correlations_title(table)
    assert tables.correlations(study, shares.iloc[:0]).empty
