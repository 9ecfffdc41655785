"""What the systems use: Shapley values in closed form, families that are permuted, parts of the spectrum hidden."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size

from ser_study import config as settings
from ser_study.chapters.testing import importance, importance_figures, importance_text, occlusion
from ser_study.chapters.testing.heads import heads
from ser_study.corpora import synthetic
from ser_study.evaluation import metrics
from ser_study.features import campplus, column_names, fbank, vectors
from ser_study.models.linear_head import LinearHead
from ser_study.plotting.palette import svg_text
from ser_study.store import Store
from ser_study.study import Study

PLANTED = {  # cues that tell emotions apart, alone → the families that measure them
    ("pitch", "pitch_range"): {"pitch"},
    ("tempo",): {"rhythm"},
    ("level",): {"loudness", "band levels"},  # mel bands are in dB of full scale
    ("tilt", "breath"): {"spectral shape", "band levels"},
}


@pytest.fixture
def head() -> LinearHead:
    random = np.random.default_rng(3)
    weights, offsets = random.normal(size=(3, 4)), random.normal(size=3)
    return LinearHead(
        ("angry", "happy", "sad"), random.normal(size=4), np.array([1, 2, 0.5, 3.0]), weights, offsets, 0.7
    )


def test_shapley_values_are_those_of_the_definition(head):
    """The mean over all orders of adding columns of what each adds; an absent column stands at its training mean."""
    clip = np.array([0.3, -1.0, 2.0, 0.5])

    def margin(present: tuple[int, ...]) -> np.ndarray:
        row = head.centre.copy()
        row[list(present)] = clip[list(present)]
        own = head.margins(row[None])[0]
        return own - own.mean()

    orders = list(permutations(range(4)))
    added = np.zeros((3, 4))
    for order in orders:
        for place, column in enumerate(order):
            added[:, column] += (margin(order[: place + 1]) - margin(order[:place])) / len(orders)
    phi = importance.shapley(head, clip[None])[0]
    assert phi == pytest.approx(added)
    assert phi.sum(axis=1) == pytest.approx(margin((0, 1, 2, 3)) - margin(()))


def test_heads_give_the_predictions_of_the_study(small_study, as_computed):
    (one,) = importance.explained(small_study).values()
    predictions = small_study.predictions(one)
    test = predictions[predictions["role"] == "test"].set_index("clip_id")
    values, fitted = small_study.features(one.selection, one.feature), heads(one, small_study)
    assert sorted(clip for _, clips in fitted for clip in clips) == sorted(test.index)
    for each, clips in fitted:
        proba = each.probabilities(values.rows(clips))
        assert np.asarray(each.classes)[proba.argmax(axis=1)].tolist() == test.loc[clips, "prediction"].tolist()
        assert (proba == test.loc[clips, [f"p_{name}" for name in each.classes]].to_numpy()).all(), "bit for bit"
    assert len(heads(one, small_study, number=1)) == 1


def test_permuting_moves_a_family_as_one(small_study):
    (one,) = importance.explained(small_study).values()
    member = np.array(["pitch", "rhythm", "pitch"])
    plan = importance._plan(member, 20, 0, one, small_study.config)
    what, _, _, (columns, order) = plan[0]
    assert what == importance.NOTHING
    assert not columns.any()
    assert [(what, alone) for what, alone, repeat, _ in plan if repeat == 0][1:] == [
        ("pitch", False), ("pitch", True), ("rhythm", False), ("rhythm", True)
    ]  # fmt: skip
    for what, alone, _, (columns, order) in plan[1:]:
        assert (columns == (member == what)).all() != alone
        assert sorted(order) == list(range(20)), "every test clip once"


def test_loss_of_each_family(small_study):
    table = importance.by_family(small_study)
    assert table.columns.tolist() == importance.FAMILY
    whole = importance_text.overall(table)
    (one,) = importance.explained(small_study).values()
    names = small_study.features(one.selection, one.feature).columns
    assert (
        dict(zip(whole["family"], whole["n_columns"]))
        == pd.Series(map(column_names.part, names)).value_counts().to_dict()
    )
    assert (whole["low"] <= whole["drop"]).all()
    assert (whole["drop"] <= whole["high"]).all()
    raw = importance._computed(small_study, "permuted")[one.selection]
    nothing = raw[raw["what"] == importance.NOTHING]
    predictions = small_study.predictions(one)
    uar = metrics.uar_of(predictions[predictions["role"] == "test"])
    assert metrics.uar_of(nothing) == pytest.approx(uar)
    family = whole["family"].iloc[0]
    draws = raw[(raw["what"] == family) & ~raw["alone"]].groupby("repeat")
    mean = np.mean([metrics.uar_of(rows) for _, rows in draws])
    assert whole["drop"].iloc[0] == pytest.approx(uar - mean)
    by_emotion = table[(table["family"] == family) & (table["emotion"] != importance.ALL)]
    assert by_emotion["drop"].mean() == pytest.approx(uar - mean), "UAR is the mean of the recalls"
    assert whole["per_column"].iloc[0] == pytest.approx((uar - mean) / whole["n_columns"].iloc[0])
    figure = importance_figures.families(table)
    check_size(figure, svg_text(figure))
    check_overlap(figure)
    assert importance_text.families_figure(table).finding


def test_single_columns_in_words(small_study):
    table = importance.by_column(small_study)
    assert table.columns.tolist() == importance.COLUMNS
    assert table.groupby("emotion")["size"].apply(lambda sizes: sizes.is_monotonic_decreasing).all()
    strongest = importance.strongest(table, small_study, number=184)
    assert strongest["emotion"].tolist() == sorted(small_study.clips()["emotion"].unique())
    parts = strongest["features"].str.split("; ").explode()
    assert parts.str.endswith((importance.HIGHER, importance.LOWER)).all()
    assert not parts.str.contains("_").any()
    assert importance_text.columns(strongest).finding


@pytest.mark.parametrize(
    ("column", "words", "part"),
    [("f0_p95", "pitch, 95th percentile", "pitch"), ("mfcc_00_mean", "level (MFCC 0), mean", "loudness"),
     ("mfcc_07_delta2_sd", "MFCC 7, spread of its acceleration", "cepstrum"), ("duration", "duration", "rhythm"),
     ("mel_042_db_sd", "level around 2.8 kHz, spread", "band levels"),
     ("zcr_p50", "zero crossings, median", "spectral shape"),
     ("unvoiced_segment_sd", "length of pauses, spread", "rhythm"),
     ("chroma_g#_mean", "chroma G♯, mean", "spectral shape"),
     ("rms_db_slope", "loudness, slope over the clip", "loudness")],
)  # fmt: skip
def test_columns_in_words(column, words, part):
    frames = settings.load("full").frames
    assert column_names.in_words(column, sample_rate=16_000, frames=frames) == words
    assert column_names.part(column) == part


def test_every_column_has_words_of_its_own():
    frames = settings.load("full").frames
    names = vectors.summary_columns(frames)
    words = [column_names.in_words(name, sample_rate=16_000, frames=frames) for name in names]
    assert not [text for text in words if "_" in text]
    assert len([text for text in words if text.startswith("level around")]) == 2 * frames.n_mels


@pytest.mark.parametrize("cues", PLANTED, ids=" and ".join)
def test_the_planted_cues_are_found(cues, tmp_path, monkeypatch):
    """Of voices that differ in one cue only, the family that measures it costs most for its number of columns."""
    keep = np.isin(list(synthetic.CUES)[:6], cues)
    only = {name: tuple(np.where(keep, 2 * np.array(row), 0.0)) for name, row in synthetic.EMOTION_CUES.items()}
    monkeypatch.setattr(synthetic, "EMOTION_CUES", only)
    alike = {"synthetic.speaker_confound": 0.0, "synthetic.sentence_confound": 0.0, "synthetic.n_speakers": 4}
    alike["synthetic.n_statements"] = 3
    few = {"evaluation.n_bootstrap": 50, "testing.permutations": 5, "run.jobs": 1}
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)
    study = Study(settings.load("demo", alike | few), store)
    whole = importance_text.overall(importance.by_family(study)).set_index("family")
    print(f"\n{cues}: {whole['per_column'].round(4).to_dict()}")
    assert whole["per_column"].idxmax() in PLANTED[cues]
    sizes = importance.by_column(study).groupby("family")["size"].mean()
    assert sizes.idxmax() in PLANTED[cues]


def test_one_part_is_hidden_at_a_time():
    bands = np.ones((21, 80), np.float32)
    copies = occlusion.hidden(bands)
    assert len(copies) == 2 * occlusion.PARTS
    assert (copies["frequency", 1][:, 10:20] == 0).all()
    assert copies["frequency", 1].sum() == 21 * 70
    assert sum((1 - copy).sum() for (kind, _), copy in copies.items() if kind == "time") == bands.size, "no frame twice"
    assert (copies["time", 0][3:] == 1).all()
    assert (copies["time", 0][:3] == 0).all()
    assert (bands == 1).all()


def test_change_of_the_true_class(monkeypatch):
    """An encoder that hands on the mean of each band, and a head that listens to the third eighth of them alone."""
    monkeypatch.setattr(campplus, "layer_of", lambda bands: bands)
    weights = np.zeros((2, 160))
    weights[0, 20:30] = 0.1
    head = LinearHead(("angry", "sad"), np.zeros(160), np.ones(160), weights, np.zeros(2), 1.0)
    change = occlusion.occluded(np.ones((16, 80), np.float32), head, "angry")
    assert change["frequency", 2] == pytest.approx(np.log(0.5) - np.log(1 / (1 + np.exp(-1))))
    assert change["frequency", 3] == pytest.approx(0)
    lost = np.log(1 / (1 + np.exp(-7 / 8))) - np.log(1 / (1 + np.exp(-1)))
    assert [change["time", place] for place in range(8)] == pytest.approx([lost] * 8)


def test_clips_are_drawn_one_of_each_class_in_turn():
    truth = pd.Series(["angry"] * 50 + ["sad"] * 3, index=[str(place) for place in range(53)])
    chosen = occlusion.choose(truth, 8, np.random.default_rng(1))
    assert truth[chosen].value_counts().to_dict() == {"angry": 5, "sad": 3}
    assert len(set(chosen)) == 8
    assert len(occlusion.choose(truth, 99, np.random.default_rng(1))) == 53


def test_limits_of_the_bands():
    edges = fbank.limits(16_000, occlusion.PARTS)
    assert (edges[0], edges[-1]) == pytest.approx((20, 8000))
    assert (np.diff(edges) > 0).all()
    assert np.diff(1127 * np.log1p(edges / 700)) == pytest.approx(np.full(8, (1127 * np.log(87 / 7.2)) / 8), rel=0.01)
    assert occlusion.names_of("frequency")[0] == "0.0–0.3"


def test_what_is_hidden_is_averaged_over_selections_alike():
    rows = [
        (corpus, emotion, kind, place, -1.0 * (place == worst), n)
        for corpus, emotion, worst, n in (
            ("ravdess-speech", "sad", 1, 8),
            ("emodb", "sad", 2, 2),
            ("emodb", "bored", 2, 2),
        )
        for kind in occlusion.KINDS
        for place in range(occlusion.PARTS)
    ]
    table = pd.DataFrame(rows, columns=["corpus", "emotion", "kind", "place", "change", "n"])
    means = occlusion.average(table, "frequency")
    assert means.index.tolist() == ["sad", "bored"]
    assert means.loc["sad"].tolist()[:4] == [0, -0.5, -0.5, 0]
    short = importance_text.occlusion_table(table)
    assert short["time"].tolist() == ["2", "3", "3"]
    figure = importance_figures.hidden(table)
    check_size(figure, svg_text(figure))
    check_overlap(figure)


def test_without_encoder_or_new_speakers_the_page_says_so(small_study):
    table = occlusion.changes(small_study)
    assert table.empty
    assert importance_figures.hidden(table) is None
    assert importance_text.occlusion_figure(table, small_study).empty == importance_text.NO_ENCODER
    assert importance_text.occlusion_table(table).empty
    empty = pd.DataFrame(columns=importance.FAMILY)
    assert importance_figures.families(empty) is None
    assert importance_text.families_figure(empty).empty == importance_text.NOT_TESTED
    assert importance_text.overall(empty).empty
    nothing = importance.strongest(pd.DataFrame(columns=importance.COLUMNS), small_study)
    assert not importance_text.columns(nothing).finding


def test_words_on_families_say_how_many_and_how_much():
    rows = [
        (corpus, family, emotion, drop, low, per_column)
        for corpus in ("emodb", "tess")
        for family, drop, per_column in (("timbre", 0.2, 0.001), ("pitch", 0.1, 0.0055))
        for emotion, low in ((importance.ALL, 0.01), ("sad", np.nan))
    ]
    table = pd.DataFrame(rows, columns=["corpus", "family", "emotion", "drop", "low", "per_column"])
    assert importance_text.families_title(table) == (
        "Without timbre UAR falls most (20 points on average); for its number of columns pitch counts most (0.55 "
        "points a column)"
    )
    finding = importance_text.families_finding(table)
    assert finding.startswith("The whole interval of the loss is above 0 for every family in all 2 selections.")
    assert "timbre: sad (20.0 points) and pitch: sad (10.0 points)" in finding
    unsure = table.assign(low=table["low"].where((table["family"] != "pitch") | (table["corpus"] != "tess"), -0.01))
    finding = importance_text.families_finding(unsure)
    assert finding.startswith(
        "Of 2 selections, the whole interval of the loss is above 0 in 2 for timbre; in 1 for pitch."
    )
    bored = table[(table["emotion"] == "sad") & (table["corpus"] == "tess")].assign(emotion="bored", drop=0.9)
    finding = importance_text.families_finding(pd.concat([table, bored]))
    assert "without each, of those in 2 selections or more, in their mean: timbre: sad (20.0 points)" in finding
    alone = importance_text.families_finding(table[table["corpus"] == "emodb"])
    assert "without each, of the one selection: timbre: sad" in alone
    none = importance_text.families_finding(table.assign(low=-0.01))
    assert none.startswith("Of 2 selections, the whole interval of the loss is above 0 in 0 for timbre and pitch.")
